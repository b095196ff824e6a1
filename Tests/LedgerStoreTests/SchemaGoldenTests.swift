import Crypto
import Foundation
import Shiplog
import Testing

@testable import LedgerStore

/// `schema/ledger.sql` is what the migrations make, so that a change of the schema is seen in the diff.
@Suite struct SchemaGoldenTests {
    /// Released files never change: a ledger made by one would not be the one that the next version expects.
    private static let released = [
        "0001_ledger.sql": "7668cc1b92adb2587752b0fc10151bc32eae9759af1bdb6c8f8e4ce04e8f7439",
        "0002_tree.sql": "e88398b916cbbb3bd244ff20981fd43aa2ae15ae6a54f11336b6494dbe074b68"
    ]

    @Test("a released migration is the file that was released, and every file is pinned") func migrations() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("migrations")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".sql") }
        #expect(Set(files) == Set(Self.released.keys))
        for file in files {
            let digest = SHA256.hash(data: try Data(contentsOf: folder.appendingPathComponent(file)))
            #expect(Array(digest).hex == Self.released[file], "write a new migration instead of changing \(file)")
        }
    }

    @Test("schema/ledger.sql is what the migrations make") func ledger() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("schema/ledger.sql")
        let head = "-- Made from migrations/ by `make schema`; changes here are lost.\n\n"
        let text = head + (try Schema.expected()).map { $0 + ";\n" }.joined(separator: "\n")
        if EntryFormatTests.regenerates { try text.write(to: file, atomically: true, encoding: .utf8) }
        let stored = try String(contentsOf: file, encoding: .utf8)
        #expect(stored == text, "run `make schema` and look at the difference")
    }
}
