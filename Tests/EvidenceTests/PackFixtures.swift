import Foundation
import GitSource
import GRDB
import GitSource
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing
import TransparencyLog

@testable import Evidence

/// A signed ledger with rows of every sort, and packs of it.
struct PackFixture {
    let test: TestLedger
    let keeper: LogKeeper
    let folder: TemporaryDirectory

    var ledger: Ledger { test.ledger }

    static func make() async throws -> PackFixture {
        let test = try await TestLedger.make()
        let keeper = try await LogKeeper.start(
            test.ledger, folder: test.directory.checkpoints, origin: "ledger.example")
        return PackFixture(test: test, keeper: keeper, folder: try TemporaryDirectory("pack"))
    }

    /// Syncs with bodies, reconciles with and without news, failures, events of people; two applications, a minute apart.
    func fill() async throws {
        for (index, name) in ["guestbook", "=cmd|'/c calc'!A0"].enumerated() {
            let application = try await ledger.putApplication(
                Samples.application("app\(index)", project: index == 0 ? "default" : "payments"), actor: .controller
            ).0
            for digit in ["a", "b"] as [Character] {
                test.clock.advance(byMilliseconds: 60_000)
                var intent = try Samples.intent(
                    application.reference, [try Samples.configMap("greeting", ["text": "hello \(digit)"])],
                    at: test.clock.now, commit: digit)
                intent.source = try Samples.source(digit, subject: name + ", \"quoted\"")
                let attempt = try await ledger.begin(intent)
                let revision = try await ledger.finish(attempt, Samples.success(of: attempt, at: test.clock.now))
                for _ in 0..<3 {
                    try await ledger.record(
                        Samples.reconcile(application.reference, at: test.clock.now, sameAs: nil))
                }
                let changed = try #require(try await ledger.lastRevision(of: application.uid, where: .changed))
                for _ in 0..<40 {
                    test.clock.advance(byMilliseconds: 1000)
                    try await ledger.record(
                        Samples.reconcile(application.reference, at: test.clock.now, sameAs: changed.sequence))
                }
                try await ledger.record(
                    Event(
                        .healthReached, application: application.reference, actor: .controller, revision: revision,
                        outcome: "Healthy"))
            }
            try await ledger.record(
                Event(
                    .requestRefused, actor: Actor(name: "eve", means: .token, tokenID: "t9", address: "192.0.2.66"),
                    outcome: "refused",
                    facts: ["code": "request.forbidden", "method": "POST", "route": "/api/shiplog/v1/tokens"],
                    detail: ["reason": "with\nlines, and \"quotes\""]))
        }
    }

    /// Writes a pack and gives its path.
    func pack(
        _ question: Selection.Question = .init(), earlier: [Int64] = [], name: String = "pack.zip"
    ) async throws -> String {
        let checkpoint = try #require(try await keeper.publish())
        let selection = try await Selection.make(question, in: ledger, size: checkpoint.head.size)
        let pack = try await EvidencePack(
            selection, of: ledger, under: checkpoint,
            standing: .init(epochs: keeper.epochs, isSelfAttested: keeper.isSelfAttested), earlier: earlier)
        let path = folder.path + "/" + name
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        let file = try #require(FileHandle(forWritingAtPath: path))
        try await pack.write(
            .init(
                at: test.clock.now, actor: Actor(name: "ada", means: .token), version: "shiplog test",
                event: SequenceNumber(checkpoint.head.size + 1))
        ) { try file.write(contentsOf: $0) }
        try file.close()
        return path
    }

    /// Changes the database as somebody who owns it can.
    func tamper(_ sql: String) throws {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        configuration.busyMode = .timeout(5)
        let queue = try DatabaseQueue(path: test.directory.ledger, configuration: configuration)
        try queue.inDatabase { db in try db.execute(sql: sql) }
        try queue.close()
    }
}

/// What is in a pack, to be changed and packed again.
struct Unpacked {
    var files: [(name: String, bytes: [UInt8])]

    init(_ path: String) throws {
        let zip = try ZipReader(path: path)
        files = try zip.members.map { ($0.name, try zip.whole($0, limit: 1 << 30)) }
    }

    subscript(name: String) -> [UInt8] {
        get { files.first { $0.name == name }?.bytes ?? [] }
        set { for index in files.indices where files[index].name == name { files[index].bytes = newValue } }
    }

    func lines(_ name: String) -> [String] {
        String(decoding: self[name], as: UTF8.self).split(separator: "\n").map(String.init)
    }

    mutating func setLines(_ name: String, _ lines: [String]) {
        self[name] = Array(lines.map { $0 + "\n" }.joined().utf8)
    }

    mutating func edit(_ name: String, _ change: (inout JSON) -> Void) throws {
        var json = try JSON(parsing: self[name])
        change(&json)
        self[name] = Array(json.prettyString.utf8)
    }

    /// As somebody writes it who knows the format.
    mutating func sign() {
        let lines = files.filter { $0.name != "manifest.sha256" }.map { PackReader.digest($0.bytes) + "  " + $0.name }
        setLines("manifest.sha256", lines)
    }

    func write(to path: String) throws -> String {
        var zip = ZipWriter(at: Timestamp(milliseconds: 1_795_442_400_000))
        for (name, bytes) in files {
            zip.begin(name)
            try zip.add(bytes)
            try zip.end()
        }
        zip.finish()
        try Data(zip.take()).write(to: URL(fileURLWithPath: path))
        return path
    }
}

/// The exit status and the output of the verifier that the pack carries, run by the system's Python.
func verifyPy(_ path: String, _ options: String...) throws -> (status: Int32, text: String) {
    let script = HouseFolder.sources + "/Evidence/verify.py"
    let outcome = try RunningProgram.outcome(["python3", script] + options + [path])
    guard case .exited(let status) = outcome.ending else { return (-1, "\(outcome.ending)") }
    return (status, String(decoding: outcome.output + outcome.errors, as: UTF8.self))
}

enum HouseFolder {
    static let sources =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path + "/Sources"
    static let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden")
}
