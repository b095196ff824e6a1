import Foundation
import Testing

@testable import LedgerStore

/// `schema/ledger.sql` is what the migrations make, so that a change of the schema is seen in the diff.
@Suite struct SchemaGoldenTests {
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
