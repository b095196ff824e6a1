import Foundation
import Shiplog
import Testing

@Suite("Error codes")
struct ErrorCodeTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// Literals that look like codes and are names of other things.
    private static let others: Set<String> = [
        "application.yaml", "ledger.sqlite", "manifest.json", "manifest.sha256", "project.yaml",
        "sandbox.kubeconfig"
    ]

    /// The first words of all codes: a new one begins a section of docs/errors.md.
    private static let areas: Set<Substring> = [
        "age", "application", "attempt", "backup", "blame", "cluster", "command", "configuration", "data", "demo",
        "entry", "event", "evidence", "file", "fleet", "git", "history", "hook", "http", "kubeconfig", "ledger", "log",
        "manifest", "notification", "operation", "pin", "plan", "project", "registry", "request", "resource",
        "revision", "rollback", "sandbox", "server", "source", "state", "stream", "sync", "token", "tree", "webhook",
        "window"
    ]

    @Test("docs/errors.md lists the codes that the source has, each once, and no other")
    func complete() throws {
        let documented = try Self.matches(of: #/^\| `([a-z]+\.[a-z0-9-]+)` \|/#, in: "docs/errors.md")
        #expect(Set(documented).count == documented.count, "a code stands twice")
        let source = try Self.sourceCodes()
        #expect(source.count > 150)
        #expect(source.subtracting(documented).sorted() == [], "not in docs/errors.md")
        #expect(Set(documented).subtracting(source).sorted() == [], "not in Sources")
    }

    @Test("every failure that is made by a literal has an area that the list knows")
    func known() throws {
        let made = try Self.sourceFiles().flatMap { path in
            try Self.matches(
                of: #/(?:Failure|Problem|CommandError)\(\s*(?:\.\w+,\s*)?"([a-z]+\.[a-z0-9-]+)"/#, in: path)
        }
        #expect(made.count > 50)
        #expect(made.filter { !Self.areas.contains($0.prefix { $0 != "." }) } == [])
    }

    private static func sourceCodes() throws -> Set<String> {
        let events = Set(Event.Kind.allCases.map(\.rawValue))
        var result: Set<String> = []
        for path in try sourceFiles() {
            for code in try matches(of: #/"([a-z]+\.[a-z0-9]+(?:-[a-z0-9]+)*)"/#, in: path)
            where areas.contains(code.prefix { $0 != "." }) {
                // One word is both an event and a code.
                if others.contains(code) || (events.contains(code) && code != "request.refused") { continue }
                result.insert(code)
            }
        }
        return result
    }

    private static func sourceFiles() throws -> [String] {
        let all = try #require(FileManager.default.subpaths(atPath: root.appendingPathComponent("Sources").path))
        return all.filter { $0.hasSuffix(".swift") && !$0.hasPrefix("ShiplogTesting/") }.map { "Sources/" + $0 }
    }

    private static func matches(of pattern: Regex<(Substring, Substring)>, in path: String) throws -> [String] {
        let text = try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
        return text.matches(of: pattern.anchorsMatchLineEndings()).map { String($0.output.1) }
    }
}
