import Shiplog

/// What the program's exit status says. `docs/cli.md` has the same table; a test compares the two.
enum Ending: Int32, CaseIterable, Sendable {
    case success = 0
    case different = 1
    case trouble = 2
    case notFound = 3
    case notAllowed = 4
    case refused = 5
    case timedOut = 6
    case failedOperation = 7
    case integrity = 8
    case unreachable = 9
    case usage = 64
    case interrupted = 130
    case terminated = 143

    var meaning: String {
        switch self {
        case .success: "it went as asked"
        case .different: "the answer is no: a difference was found"
        case .trouble: "trouble that is not listed below"
        case .notFound: "there is no such application, revision, token or ledger"
        case .notAllowed: "no valid token, or the token may not do this"
        case .refused: "refused: a conflict, a precondition, a plan that cannot be carried out, nothing to go back to"
        case .timedOut: "the time to wait is over"
        case .failedOperation: "the operation ended without success, or the application is Degraded"
        case .integrity:
            "the ledger, a pack or a backup of it, fails its integrity check; never used for anything else"
        case .unreachable: "the server cannot be reached"
        case .usage: "the command line is wrong"
        case .interrupted: "interrupted (SIGINT)"
        case .terminated: "terminated (SIGTERM)"
        }
    }

    /// The table of `shiplog help exit-codes`.
    static var table: String {
        Table(
            columns: ["CODE", "MEANING"], rows: allCases.map { [Cell("\($0.rawValue)"), Cell($0.meaning)] }
        ).text()
    }
}

extension Ending {
    /// What an answer of the API that is no success stands for.
    static func of(status: Int, code: String) -> Ending {
        // Answered as a cluster that is of no use now; but another server holds it, and nothing was tried.
        if leases.contains(code) { return .refused }
        return switch status {
        case 401, 403: .notAllowed
        case 404, 410: .notFound
        case 409, 412: .refused
        // What was asked for cannot be carried out; a document that is wrong is trouble of another kind.
        case 422: ["plan.", "rollback.", "sync."].contains { code.hasPrefix($0) } ? .refused : .trouble
        default: .trouble
        }
    }

    private static let leases: Set<String> = ["cluster.leased", "cluster.lease-newer"]

    /// What a failure on this machine stands for.
    static func of(_ failure: Failure) -> Ending {
        switch failure.code.rawValue {
        case "http.unreachable", "http.timeout", "http.tls": .unreachable
        case "ledger.missing", "token.unknown": .notFound
        case "ledger.rolled-back", "ledger.forked": .integrity
        case "age.damaged", "backup.damaged", "ledger.unsound": .integrity
        case "log.checkpoint-missing", "log.checkpoint-foreign", "log.no-fork": .refused
        case "data.in-use", "data.mode-mismatch", "server.address-in-use": .refused
        case "backup.target-not-empty", "file.exists", "file.busy", "ledger.value-erased": .refused
        case let code where leases.contains(code): .refused
        default: .trouble
        }
    }
}
