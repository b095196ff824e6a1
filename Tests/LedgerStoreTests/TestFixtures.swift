import Foundation
import GRDB
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

/// A plain connection such as the `sqlite3` command's: no recursive triggers, no foreign keys.
func tamper(_ test: TestLedger, _ sql: String) throws {
    var configuration = Configuration()
    configuration.foreignKeysEnabled = false
    configuration.busyMode = .timeout(5)
    let queue = try DatabaseQueue(path: test.directory.ledger, configuration: configuration)
    try queue.inDatabase { db in try db.execute(sql: sql) }
    try queue.close()
}

/// Removes every trigger of a table, as somebody who owns the file can.
func dropTriggers(_ test: TestLedger, of table: String) throws {
    let queue = try DatabaseQueue(path: test.directory.ledger)
    try queue.inDatabase { db in
        let names = try String.fetchAll(
            db, sql: "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?", arguments: [table])
        for name in names { try db.execute(sql: "DROP TRIGGER \(name)") }
    }
    try queue.close()
}

extension TestLedger {
    /// An application with one finished sync of two resources, one of them a Secret.
    @discardableResult
    func deployed(
        _ name: String = "guestbook", secret: String = "s3cr3t", commit: Character = "a"
    ) async throws -> (application: RegisteredApplication, revision: SequenceNumber, desired: Digest) {
        let (registered, _) = try await ledger.putApplication(Samples.application(name), actor: .controller)
        let resources = [
            try Samples.configMap("greeting", ["text": "hello \(commit)"]),
            try Samples.secret("login", ["password": secret])
        ]
        let attempt = try await ledger.begin(
            try Samples.intent(registered.reference, resources, at: clock.now, commit: commit))
        let sequence = try await ledger.finish(attempt, Samples.success(of: attempt, at: clock.now))
        return (registered, sequence, attempt.desired)
    }

    func verify() async throws -> VerificationReport { try await Ledger.verify(directory) }
}
