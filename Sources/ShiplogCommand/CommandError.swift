import Foundation
import Shiplog

/// Why a command ended without success: what to say, and the exit status that says it to programs.
struct CommandError: Error {
    let ending: Ending
    let failure: Failure
    /// The API's own account of it (RFC 9457), when there is one.
    var problem: JSON?

    init(_ ending: Ending, _ failure: Failure, problem: JSON? = nil) {
        self.ending = ending
        self.failure = failure
        self.problem = problem
    }

    init(_ ending: Ending, _ code: Failure.Code, _ message: String, remedy: String? = nil) {
        self.init(ending, Failure(code, message, remedy: remedy))
    }

    /// A problem document that came with an answer, or within an operation.
    init(problem: JSON, status: Int) {
        let code = problem["code"]?.string ?? "http.status-\(status)"
        var message = problem["detail"]?.string ?? problem["title"]?.string ?? "the server answered \(status)"
        for error in problem["errors"]?.array ?? [] {
            guard let text = error["message"]?.string, let place = error["pointer"]?.string else { continue }
            let line = "\(place): \(text)"
            if !message.contains(line) { message += "; \(line)" }
        }
        self.init(
            .of(status: status, code: code),
            Failure(Failure.Code(rawValue: code), message, remedy: problem["hint"]?.string), problem: problem)
    }

    /// As it is written for a person.
    var text: String {
        var lines = "shiplog: error: \(Terminal.harmless(failure.message)) [\(failure.code)]\n"
        if let remedy = failure.remedy { lines += "hint: \(Terminal.harmless(remedy))\n" }
        return lines
    }

    /// As it is written for a program.
    var json: JSON {
        if let problem { return problem }
        return .members([
            "type": .string("urn:shiplog:problem:" + failure.code.rawValue), "title": .string(ending.meaning),
            "detail": .string(failure.message), "code": .string(failure.code.rawValue),
            "hint": failure.remedy.map { .string($0) }
        ])
    }

    /// The same with what was being done put before the message.
    func during(_ act: String) -> CommandError {
        CommandError(ending, failure.during(act), problem: problem)
    }

    /// Whatever a command threw, as this.
    static func from(_ error: any Error) -> CommandError? {
        switch error {
        case let error as CommandError: error
        case let failure as Failure: CommandError(.of(failure), failure)
        default: nil
        }
    }
}

/// Talk goes to standard error: standard output holds data and nothing else.
enum Talk {
    static func say(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
    static func warn(_ text: String) { say("shiplog: warning: " + Terminal.harmless(text)) }
    static var isTerminal: Bool { isatty(STDERR_FILENO) != 0 }
}
