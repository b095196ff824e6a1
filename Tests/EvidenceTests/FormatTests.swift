import Foundation
import Shiplog
import Testing
import TransparencyLog

@testable import Evidence

/// The forms of entries for other programs: pure functions, each pinned by a file.
@Suite("Forms of entries") struct FormatTests {
    private static func golden(_ name: String) throws -> String {
        try String(contentsOf: HouseFolder.golden.appendingPathComponent(name), encoding: .utf8)
    }

    private static func entries() throws -> [ExportedEntry] {
        try golden("entries.jsonl").split(separator: "\n").map { line in
            let bytes = Array(line.utf8)
            let json = try JSON(parsing: bytes)
            return ExportedEntry(
                ledger: "0ledger", sequence: json["sequence"]?.integer ?? 0, bytes: bytes, json: json,
                leaf: .leaf(bytes))
        }
    }

    /// A change that is meant is taken over with `cp` from the path that the failure names.
    private func compare(_ text: String, _ name: String) throws {
        guard text != (try? Self.golden(name)) else { return }
        let path = NSTemporaryDirectory() + "shiplog-golden-" + name
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        Issue.record("Golden/\(name) differs from \(path)")
    }

    @Test("CSV") func csv() throws {
        let bytes = CSVFormat.header + (try Self.entries()).flatMap { CSVFormat.line($0) }
        try compare(String(decoding: bytes, as: UTF8.self), "entries.csv")
    }

    @Test("CloudEvents and CDEvents") func cloudEvents() throws {
        let lines = try Self.entries().map { CloudEventFormat.event($0).canonicalString + "\n" }
        try compare(lines.joined(), "cloudevents.jsonl")
        let types = try Self.entries().map { CloudEventFormat.event($0)["type"]?.string ?? "" }
        for word in ["deployed", "upgraded", "rolledback", "removed"] {
            #expect(types.contains("dev.cdevents.service.\(word).0.3.0"), "\(word)")
        }
        #expect(types.contains("dev.shiplog.token.created"))
        #expect(types.contains("dev.shiplog.sync"))
    }

    @Test("OCSF") func ocsf() throws {
        let events = try Self.entries().map { OCSFFormat.event($0) }
        try compare(events.map { $0.canonicalString + "\n" }.joined(), "ocsf.jsonl")
        for event in events {
            for name in ["activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"] {
                #expect(event[name] != nil, "\(name)")
            }
            let type = (event["class_uid"]?.integer ?? 0) * 100 + (event["activity_id"]?.integer ?? 0)
            #expect(event["type_uid"]?.integer == type)
            #expect(event.at("metadata", "product", "name") != nil && event.at("metadata", "version") != nil)
            switch event["class_uid"]?.integer {
            case 3002: #expect(event["user"] != nil && event["service"] != nil)
            case 6002: #expect(event.at("app", "name") != nil)
            case 6003:
                #expect(event.at("api", "operation") != nil && event["actor"] != nil && event["src_endpoint"] != nil)
            default: Issue.record("a class that is not ours: \(event)")
            }
        }
    }

    @Test(
        "a cell that a spreadsheet would run begins with an apostrophe",
        arguments: ["=1+1", "+1", "-1", "@x", "\tx", "\rx", " =1", "\u{A0}+1", "\u{3000}-1", "＝1", "＋1", "－1", "＠x"])
    func formula(text: String) {
        let json: JSON = [
            "kind": "sync", "sequence": 1, "source": ["commit": ["subject": .string(text)]]
        ]
        let line = CSVFormat.line(
            ExportedEntry(ledger: "", sequence: 1, bytes: [], json: json, leaf: .empty))
        #expect(String(decoding: line, as: UTF8.self).contains("\"'" + text + "\""))
    }

    @Test("a formula behind another separator gets an apostrophe too") func separators() {
        #expect(CSVFormat.guarded("fix;=1") == "fix;'=1")
        #expect(CSVFormat.guarded("fix; @x;y") == "fix;' @x;y")
        #expect(CSVFormat.guarded("fix\t-1") == "fix\t'-1")
        #expect(CSVFormat.guarded(";=1") == ";'=1")
        #expect(CSVFormat.guarded("a;b - c = d") == "a;b - c = d")
        #expect(CSVFormat.guarded("  plain") == "  plain")
    }
}
