import Foundation
import GitSource
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

/// What an auditor or an intruder does with Debian's own `sqlite3`, whose settings are not ours.
@Suite struct SqliteProgramTests {
    struct Answer {
        let status: Int32
        let output: String
    }

    /// Runs the program; a machine without it fails the test (`make setup-test` installs the package sqlite3).
    private func sqlite3(_ test: TestLedger, _ sql: String) throws -> Answer {
        let outcome = try RunningProgram.outcome([
            "/bin/sh", "-c", "exec sqlite3 -batch -bail \"$1\" '.timeout 5000' \"$2\" 2>&1", "sh",
            test.directory.ledger, sql
        ])
        let status = try #require(outcome.status, "sqlite3: \(outcome.ending)")
        try #require(status != 127, "the program sqlite3 is missing: run `make setup-test`")
        return Answer(status: status, output: String(decoding: outcome.output, as: UTF8.self))
    }

    @Test(
        "sqlite3 beside a running server cannot change what is recorded",
        arguments: [
            ("UPDATE revision SET outcome = 'succeeded' WHERE sequence = 3", "cannot UPDATE generated column"),
            ("UPDATE revision SET entry = replace(entry, 'ada', 'eve') WHERE sequence = 3", "append-only"),
            ("DELETE FROM revision WHERE sequence = 3", "only unchanged reconciles"),
            (
                "INSERT OR REPLACE INTO revision (sequence, entry) SELECT sequence, entry FROM revision",
                "append-only"
            ),
            ("UPDATE body SET content = x'00' WHERE name = 'reason'", "a body can only be erased"),
            ("DELETE FROM blob", "blobs are kept"),
            ("INSERT INTO fold (event, first, last, entries) VALUES (2, 1, 3, 1)", "a fold is logged first"),
            ("INSERT INTO fold (event, first, last, entries) VALUES (99, 1, 3, 1)", "a fold is logged first")
        ])
    func refused(_ sql: String, _ why: String) async throws {
        let test = try await TestLedger.make()
        try await test.deployed()
        let answer = try sqlite3(test, sql)
        #expect(answer.status != 0)
        #expect(answer.output.contains(why), "\(answer.output)")
        let report = try await test.verify()
        #expect(report.isSound, "\(report.findings)")
    }

    @Test("an entry edited by sqlite3 after its trigger was dropped is named, as is the trigger") func edited()
        async throws
    {
        let test = try await TestLedger.make()
        try await test.deployed()
        let answer = try sqlite3(
            test,
            """
            DROP TRIGGER revision_no_update;
            UPDATE revision SET entry = replace(entry, '"ada"', '"eve"') WHERE sequence = 3;
            """)
        #expect(answer.status == 0, "\(answer.output)")
        let report = try await test.verify()
        #expect(report.first?.sequence?.value == 3, "\(report.findings)")
        #expect(report.findings.contains { $0.message.contains("revision_no_update") })
    }

    @Test("a fold that no event logs takes no changed row, and what it takes otherwise is found") func fold()
        async throws
    {
        let test = try await TestLedger.make()
        let (application, revision, _) = try await test.deployed()
        for _ in 0..<4 {
            try await test.ledger.record(
                Samples.reconcile(application.reference, at: test.clock.now, sameAs: revision))
        }
        try await test.ledger.record(Event(.serverStarted, actor: .controller))
        // An event that says nothing of retention, used as the fold's excuse: rows 4 to 7 are unchanged reconciles.
        let taken = try sqlite3(
            test,
            """
            INSERT INTO fold (event, first, last, entries) VALUES (8, 1, 7, 4);
            DELETE FROM revision WHERE sequence = 5;
            """)
        #expect(taken.status == 0, "\(taken.output)")
        let changed = try sqlite3(test, "DELETE FROM revision WHERE sequence = 3")
        #expect(changed.output.contains("only unchanged reconciles"), "\(changed.output)")
        let report = try await test.verify()
        #expect(report.findings.contains { $0.message.contains("which is no act of retention") }, "\(report.findings)")
        #expect(report.findings.contains { $0.sequence?.value == 5 && $0.message.contains("its entry is missing") })
    }

    @Test("what docs/ledger.md tells an auditor to do by hand gives the hash that is stored") func audit()
        async throws
    {
        let test = try await TestLedger.make()
        try await test.deployed()
        let output = try RunningProgram.output([
            "/bin/sh", "-c",
            """
            for table in revision event; do
              for n in $(sqlite3 "$1" "SELECT sequence FROM $table"); do
                want=$(sqlite3 "$1" "SELECT lower(hex(hash)) FROM leaf WHERE sequence = $n")
                got=$({ printf '\\0'; sqlite3 "$1" "SELECT entry FROM $table WHERE sequence = $n" | tr -d '\\n'; } |
                  sha256sum | cut -d' ' -f1)
                echo "$n $want $got"
              done
            done
            """, "sh", test.directory.ledger
        ])
        let lines = output.split(separator: "\n")
        #expect(lines.count == 3)
        for line in lines {
            let words = line.split(separator: " ")
            #expect(words.count == 3 && words[1] == words[2], "\(line)")
        }
    }
}
