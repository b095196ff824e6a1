import ArgumentParser
import Shiplog

/// A place in history on the command line: a moment, or a row's number.
struct InstantArgument: ExpressibleByArgument, Sendable, Equatable {
    /// As the API takes it; nil stands for now, whatever this machine's clock says.
    let text: String?

    init?(argument: String) {
        let digits = argument.hasPrefix("@") ? String(argument.dropFirst()) : argument
        if argument.lowercased() == "now" {
            text = nil
        } else if let sequence = SequenceArgument(argument: digits) {
            text = String(sequence.value)
        } else if !Self.isNumber(argument),
            let moment = Moment(argument: argument) ?? Moment(argument: "-" + argument)
        {
            text = moment.timestamp.description
        } else {
            return nil
        }
    }

    /// For several requests: `now` is the newest row as the first of them sees it; nil when there is none.
    func fixed(_ client: Client) async throws -> String? {
        if let text { return text }
        let head = try await client.get("/system")["asOf"]?.integer ?? 0
        return head > 0 ? String(head) : nil
    }

    /// A number without a dash is a row's, and never seconds.
    private static func isNumber(_ text: String) -> Bool {
        !text.isEmpty && text.allSatisfy { $0.isASCII && $0.isNumber }
    }

    /// `at -2h`: what begins with `-` is no place for an argument, so the parser is given `2h`, which means the same;
    /// `-40` is forty seconds ago, and `40` a row, so that becomes `40s`.
    static func withoutDashes(_ arguments: [String]) -> [String] {
        guard let command = arguments.first, ["at", "compare"].contains(command) else { return arguments }
        return arguments.map { argument in
            guard argument.hasPrefix("-"), argument.dropFirst().first?.isNumber == true,
                TimeText.milliseconds(String(argument.dropFirst())) != nil
            else { return argument }
            let length = String(argument.dropFirst())
            return isNumber(length) ? length + "s" : length
        }
    }
}

/// Which applications.
struct ApplicationFilter: ParsableArguments {
    @Option(
        help: ArgumentHelp("Only this application; may be given again.", valueName: "name"), completion: .applications)
    var app: [String] = []
    @Option(help: ArgumentHelp("Only of this project; may be given again.", valueName: "name"))
    var project: [String] = []

    var query: QueryText {
        var query = QueryText()
        query.add("application", all: app)
        query.add("project", all: project)
        return query
    }
}
