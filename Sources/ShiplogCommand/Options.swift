import ArgumentParser
import Foundation
import Shiplog

/// What a command prints.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    case table, json, yaml
}

enum ColorChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
    case auto, always, never
}

struct OutputOptions: ParsableArguments {
    @Option(name: [.customShort("o"), .long], help: "How to print: table, json or yaml.")
    var output = OutputFormat.table

    @Flag(help: "Leave out the line above a table.")
    var noHeaders = false

    @Option(help: ArgumentHelp("Colours: auto, always or never. NO_COLOR is obeyed.", valueName: "when"))
    var color = ColorChoice.auto

    var out: Output {
        Output(format: output, headers: !noHeaders, color: Self.colors(color, ProcessInfo.processInfo.environment))
    }

    static func colors(_ choice: ColorChoice, _ environment: [String: String]) -> Bool {
        switch choice {
        case .always: return true
        case .never: return false
        case .auto: break
        }
        if environment["NO_COLOR"].map({ !$0.isEmpty }) == true { return false }
        if let forced = environment["CLICOLOR_FORCE"], forced != "0", !forced.isEmpty { return true }
        return environment["TERM"] != "dumb" && isatty(STDOUT_FILENO) != 0
    }
}

struct ServerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The server. (default: $SHIPLOG_SERVER, else http://127.0.0.1:8080)", valueName: "url"))
    var server: String?

    @Option(
        help: ArgumentHelp(
            "A file that holds the token. (default: $SHIPLOG_TOKEN, else the file $SHIPLOG_TOKEN_FILE)",
            valueName: "file"), completion: .file())
    var tokenFile: String?

    @Option(
        help: ArgumentHelp("Trust the authorities in this PEM file and no others.", valueName: "file"),
        completion: .file())
    var caFile: String?

    @Option(
        help: ArgumentHelp(
            "How long to wait, such as 90s or 10m; 0 is without end. (default: 30s an answer, 5m for an operation)",
            valueName: "duration"))
    var timeout: Span?

    func client() throws(Failure) -> Client {
        try Client(self, environment: ProcessInfo.processInfo.environment)
    }
}

/// A duration on the command line.
struct Span: ExpressibleByArgument, Sendable, Equatable {
    let milliseconds: Int64

    init(milliseconds: Int64) { self.milliseconds = milliseconds }

    init?(argument: String) {
        guard let milliseconds = TimeText.milliseconds(argument) else { return nil }
        self.milliseconds = milliseconds
    }
}

/// A moment on the command line, fixed when it is read.
struct Moment: ExpressibleByArgument, Sendable, Equatable {
    let timestamp: Timestamp

    init(_ timestamp: Timestamp) { self.timestamp = timestamp }

    init?(argument: String) {
        guard let timestamp = TimeText.moment(argument, now: Self.now) else { return nil }
        self.timestamp = timestamp
    }

    static var now: Timestamp { Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }
}

/// A revision's number, with or without its `#`.
struct SequenceArgument: ExpressibleByArgument, Sendable, Equatable {
    let value: Int64

    init?(argument: String) {
        let digits = argument.hasPrefix("#") ? String(argument.dropFirst()) : argument
        guard let value = Int64(digits), value > 0, digits.first != "+" else { return nil }
        self.value = value
    }
}

/// A commit on the command line, whole or its first digits.
struct CommitArgument: ExpressibleByArgument, Sendable, Equatable {
    let digits: String

    init?(argument: String) {
        guard 7...40 ~= argument.utf8.count, argument.allSatisfy({ $0.isASCII && $0.isHexDigit }) else { return nil }
        digits = argument.lowercased()
    }
}

/// A command whose errors are printed in the format it was asked for.
protocol ClientCommand: AsyncParsableCommand {
    var output: OutputOptions { get }
}

/// A word of one of the core's closed sets.
struct Word<Value: RawRepresentable & CaseIterable & Sendable>: ExpressibleByArgument, Sendable
where Value.RawValue == String {
    let value: Value
    var rawValue: String { value.rawValue }

    init(_ value: Value) { self.value = value }

    init?(argument: String) {
        guard let value = Value(rawValue: argument) else { return nil }
        self.value = value
    }

    static var allValueStrings: [String] { Value.allCases.map(\.rawValue) }
    var defaultValueDescription: String { rawValue }
}
