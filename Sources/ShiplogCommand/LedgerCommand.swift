import ArgumentParser
import Foundation
import LedgerStore
import Shiplog
import TransparencyLog

/// `shiplog ledger`.
struct LedgerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger", abstract: "Check the ledger, prove what it holds, and measure it.",
        discussion: """
            Examples:
              shiplog ledger verify --data /var/lib/shiplog
              shiplog ledger checkpoint > monday.checkpoint
              shiplog ledger verify --server https://shiplog.example.org --checkpoint monday.checkpoint
              shiplog ledger proof 48211
              shiplog ledger export --from 2026-10-01 --to 2027-01-01 -O q4.zip
              shiplog ledger backup -O shiplog.age --recipient age1…
            """,
        subcommands: [
            LedgerVerifyCommand.self, LedgerExportCommand.self, LedgerCheckpointCommand.self, LedgerProofCommand.self,
            LedgerConsistencyCommand.self, LedgerKeyCommand.self, LedgerConfirmCommand.self, LedgerEraseCommand.self,
            LedgerStatsCommand.self, LedgerBackupCommand.self, LedgerRestoreCommand.self
        ])
}

struct DataOption: ParsableArguments {
    @Option(
        help: ArgumentHelp("The data directory. (default: ~/.local/share/shiplog/data)", valueName: "dir"),
        completion: .directory)
    var data: String?

    func directory() throws(Failure) -> DataDirectory {
        try DataDirectory(existing: data ?? Places.defaultData())
    }
}

/// One line on a terminal that is written over and over.
struct ProgressLine: Sendable {
    let isOn: Bool

    func show(_ progress: VerificationProgress) {
        guard isOn else { return }
        let share = progress.total > 0 ? " \(min(100, progress.done * 100 / progress.total)) %" : ""
        FileHandle.standardError.write(Data("\r\u{1B}[Kchecking: \(progress.phase.rawValue)\(share)".utf8))
    }

    func clear() {
        if isOn { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
    }
}

/// `shiplog ledger stats`.
struct LedgerStatsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "How large the ledger is, and how fast each application makes it grow.",
        discussion: """
            Examples:
              shiplog ledger stats
              shiplog ledger stats --data /var/lib/shiplog -o json
            """)

    @OptionGroup var data: DataOption
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let ledger = try await Ledger.open(try data.directory(), mode: nil, access: .read, now: { Moment.now })
        let statistics: Ledger.Statistics
        let names: [ApplicationUID: String]
        do {
            statistics = try await ledger.statistics()
            names = Dictionary(
                try await ledger.applications().map { ($0.uid, $0.name) }, uniquingKeysWith: { first, _ in first })
        } catch {
            await ledger.close()
            throw error
        }
        await ledger.close()
        let out = output.out
        out.show(Self.document(statistics, names)) { Self.text(statistics, names, out) }
    }

    static func document(_ statistics: Ledger.Statistics, _ names: [ApplicationUID: String]) -> JSON {
        [
            "rows": .integer(statistics.rows), "bytes": .integer(statistics.bytes),
            "walBytes": .integer(statistics.walBytes), "bytesPerRow": .number(statistics.bytesPerRow),
            "bytesPerDay": .number(statistics.bytesPerDay),
            "growth": .array(
                statistics.growth.map {
                    .members([
                        "uid": .string($0.application.value), "application": names[$0.application].map { .string($0) },
                        "rowsPerDay": .number($0.rowsPerDay), "bytesPerDay": .number($0.bytesPerDay)
                    ])
                })
        ]
    }

    static func text(_ statistics: Ledger.Statistics, _ names: [ApplicationUID: String], _ out: Output) -> String {
        var text = out.facts([
            ("Rows", Cell("\(statistics.rows)")), ("File", Cell(size(Double(statistics.bytes)))),
            ("Write-ahead log", Cell(size(Double(statistics.walBytes)))),
            ("A row", Cell(size(statistics.bytesPerRow))), ("A day", Cell(size(statistics.bytesPerDay)))
        ])
        if !statistics.growth.isEmpty {
            text +=
                "\n"
                + out.table(
                    ["APPLICATION", "ROWS A DAY", "BYTES A DAY"],
                    statistics.growth.map {
                        [
                            Cell(names[$0.application] ?? $0.application.value), Cell(rounded($0.rowsPerDay)),
                            Cell(size($0.bytesPerDay))
                        ]
                    })
        }
        return text
    }

    static func size(_ bytes: Double) -> String {
        var (value, index) = (bytes, 0)
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        while value >= 1024, index < units.count - 1 {
            value /= 1024
            index += 1
        }
        return (index == 0 ? rounded(value) : String((value * 10).rounded() / 10)) + " "
            + (units.dropFirst(index).first ?? "B")
    }

    private static func rounded(_ value: Double) -> String { String(Int64(exactly: value.rounded()) ?? 0) }
}
