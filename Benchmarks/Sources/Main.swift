import Foundation

/// `Benchmark NAME [ARGUMENT…]`: prints one measurement a line, each as a ratio against a peer in the same run.
@main
enum Main {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch arguments.first {
        case "yaml": try YAMLBenchmark.run(file: arguments.dropFirst().first)
        case "ledger": try await LedgerBenchmark.run()
        case "history":
            try await HistoryBenchmark.run(rows: arguments.dropFirst().compactMap { Int($0) })
        case "state":
            try await StateBenchmark.run(rows: arguments.dropFirst().compactMap { Int($0) })
        case "export":
            try await ExportBenchmark.run(rows: arguments.dropFirst().compactMap { Int($0) })
        case "log":
            try await LogBenchmark.run(rows: arguments.dropFirst().compactMap { Int($0) })
        case "verify":
            try await VerifyBenchmark.run(rows: arguments.dropFirst().compactMap { Int($0) })
        case "poll": try await PollBenchmark.run()
        default:
            print(
                """
                usage: Benchmark yaml [FILE] | ledger | history ROWS… | state ROWS… | export ROWS… | log ROWS… |
                       verify ROWS… | poll
                """)
            exit(64)
        }
    }
}

/// One line of the table.
func report(_ name: String, _ value: String, goal: String? = nil, met: Bool? = nil) {
    let verdict = met.map { $0 ? "met" : "MISSED" } ?? ""
    let columns = [(name, 58), (value, 26), (goal ?? "", 18)].map { text, width in
        text + String(repeating: " ", count: max(1, width - text.count))
    }
    print(columns.joined() + verdict)
    _ = fflush(nil)
}

func format(_ value: Double, _ digits: Int = 2) -> String { String(format: "%.\(digits)f", value) }

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}

/// The best of several runs: what is measured against noise, not with it.
func best(of runs: Int, _ body: () throws -> Void) rethrows -> Double {
    var best = Double.infinity
    for _ in 0..<runs {
        let start = ContinuousClock.now
        try body()
        best = min(best, (ContinuousClock.now - start).seconds)
    }
    return best
}

/// User and system time of this process so far, in seconds.
func processorTime() -> Double {
    var usage = rusage()
    getrusage(RUSAGE_SELF.rawValue, &usage)
    return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
}

/// A directory that goes away with the process's good end.
func withDirectory<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    let path = NSTemporaryDirectory() + "shiplog-bench-" + UUID().uuidString
    try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(path)
}
