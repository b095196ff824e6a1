import ArgumentParser
import Foundation
import LedgerStore
import Shiplog
import TransparencyLog

/// `shiplog ledger`.
struct LedgerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger", abstract: "Check the ledger of a data directory and measure it, on its own machine.",
        discussion: """
            Examples:
              shiplog ledger verify --data /var/lib/shiplog
              shiplog ledger stats --data /var/lib/shiplog
            """,
        subcommands: [LedgerVerifyCommand.self, LedgerStatsCommand.self])
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

/// `shiplog ledger verify`.
struct LedgerVerifyCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check every row, body, digest and gap, beside a running server or without one.",
        discussion: """
            Examples:
              shiplog ledger verify
              shiplog ledger verify --data /var/lib/shiplog -o json
              shiplog ledger verify --extends 48211:mpd…=      the tree head that an earlier run printed

            A tree head that is kept elsewhere makes history that was changed afterwards visible, whoever changed it.
            Exit 0 when the ledger is sound, 8 when it is not; the first bad row is named.
            """)

    @Option(
        help: ArgumentHelp(
            "A tree head of an earlier time: the ledger must still begin with exactly those entries.",
            valueName: "size:root"))
    var extends: String?

    @OptionGroup var data: DataOption
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let out = output.out
        let kept = try extends.map { text throws(CommandError) in
            do throws(Failure) { return try TreeHead(text) } catch { throw CommandError(.usage, error) }
        }
        let progress = ProgressLine(isOn: Talk.isTerminal && out.format == .table)
        let report: VerificationReport
        do throws(Failure) {
            report = try await Ledger.verify(try data.directory(), kept: kept.map { [KeptHead($0)] } ?? []) { progress.show($0) }
        } catch {
            progress.clear()
            throw error.code == "ledger.corrupt" ? CommandError(.integrity, error) : CommandError(.of(error), error)
        }
        progress.clear()
        out.show(Self.document(report)) { Self.text(report) }
        guard let first = report.first, !report.isSound else { return }
        throw CommandError(
            .integrity,
            Failure(
                "ledger.unsound",
                (first.sequence.map { "the first bad row is \($0): " } ?? "the ledger is not sound: ") + first.message,
                remedy: "keep the file as it is, and compare it with a replica or a backup"))
    }

    static func text(_ report: VerificationReport) -> String {
        var text = ""
        for note in report.notes { text += "note: " + Terminal.harmless(note) + "\n" }
        if report.isSound {
            return text + "\(report)\n" + (report.treeHead.map { "tree head: \($0)\n" } ?? "")
        }
        for finding in report.findings { text += Terminal.harmless("\(finding)") + "\n" }
        let more = report.findingCount - Int64(report.findings.count)
        return text + (more > 0 ? "and \(more) more\n" : "")
    }

    static func document(_ report: VerificationReport) -> JSON {
        .members([
            "treeHead": report.treeHead.map { .string($0.description) },
            "sound": .bool(report.isSound), "rows": .integer(report.rows), "entryBytes": .integer(report.entryBytes),
            "bodies": .integer(report.bodies), "blobs": .integer(report.blobs), "blobBytes": .integer(report.blobBytes),
            "findingCount": .integer(report.findingCount), "notes": .array(report.notes.map { .string($0) }),
            "findings": .array(
                report.findings.map {
                    .members([
                        "sequence": $0.sequence.map { .integer($0.value) }, "message": .string($0.message)
                    ])
                })
        ])
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
