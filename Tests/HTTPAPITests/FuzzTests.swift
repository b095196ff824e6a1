import Shiplog
import Testing

@testable import HTTPAPI

/// Whatever is sent, nothing traps: a trap ends the server.
@Suite("What strangers send") struct FuzzTests {
    /// SplitMix64, seeded: a failure can be run again.
    private struct Source: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return value ^ (value >> 31)
        }
    }

    private func value(_ source: inout Source, depth: Int = 0) -> JSON {
        switch Int.random(in: 0..<(depth > 3 ? 6 : 8), using: &source) {
        case 0: .null
        case 1: .bool(.random(using: &source))
        case 2: .integer([0, -1, 1, .max, .min].randomElement(using: &source) ?? 0)
        case 3: .number(1e300)
        case 4: .string(text(&source))
        case 5:
            .string(["refs/heads/", "refs/heads/main", "merge", "", "refs/tags/v1"].randomElement(using: &source) ?? "")
        case 6: .array((0..<Int.random(in: 0..<4, using: &source)).map { _ in value(&source, depth: depth + 1) })
        default: payload(&source, depth: depth + 1)
        }
    }

    private func payload(_ source: inout Source, depth: Int = 0) -> JSON {
        let names = [
            "ref", "project", "repository", "object_attributes", "action", "target_branch", "target", "git_http_url",
            "git_ssh_url", "clone_url", "ssh_url", "html_url", "default_branch", "master_branch", "web_url", "x"
        ]
        var members: [String: JSON] = [:]
        for _ in 0..<Int.random(in: 0..<6, using: &source) {
            members[names.randomElement(using: &source) ?? ""] = value(&source, depth: depth)
        }
        // Every other one gets past the first looks.
        if depth == 0, Bool.random(using: &source) {
            members["ref"] = "refs/heads/main"
            for name in ["project", "repository"] {
                var inner = payload(&source, depth: 1)
                inner["git_http_url"] = value(&source, depth: 4)
                inner["clone_url"] = .string(text(&source))
                members[name] = inner
            }
        }
        return .object(members)
    }

    private func text(_ source: inout Source) -> String {
        let parts = [
            "://", "@", ":", "/", "[", "]", "::1", ".git", "%", "%4", "%zz", "%00", "%e4", "+", "&", "=", "?", "#", "*",
            "W/", "\"", ",", " ", "\t", "a", "Ä", "\u{301}", "👩‍👩‍👧", "127.0.0.1", "65536", "-1", "..", "\r\n", "\0", ".",
            "localhost"
        ]
        return (0..<Int.random(in: 0..<12, using: &source))
            .map { _ in parts.randomElement(using: &source) ?? "" }.joined()
    }

    @Test("payloads of any shape are a hint or ignored", arguments: [1, 2, 3] as [UInt64])
    func payloads(seed: UInt64) {
        var source = Source(state: seed)
        let events = ["Push Hook", "Tag Push Hook", "Merge Request Hook", "System Hook", "push", "ping", "PUSH", ""]
        var hints = 0
        for _ in 0..<5000 {
            let event = events.randomElement(using: &source) ?? ""
            let json = payload(&source)
            for reading in [WebhookPayload.gitlab(event: event, json), WebhookPayload.github(event: event, json)] {
                guard case .hint(let hint) = reading else { continue }
                hints += 1
                #expect(!hint.repositories.isEmpty && hint.repositories.count <= WebhookPayload.repositoriesKept)
            }
        }
        #expect(hints > 0, "the payloads reach what they are for")
    }

    @Test("texts of any shape are read or refused", arguments: [1, 2, 3] as [UInt64])
    func texts(seed: UInt64) {
        var source = Source(state: seed)
        for _ in 0..<5000 {
            let text = text(&source)
            _ = Host(text)
            _ = Host(ofURL: text)
            _ = Host(ofURL: "https://" + text)
            _ = Host.isLoopback(text)
            _ = RepositoryAddress.comparable(text)
            _ = EntityTags(text).contains(self.text(&source))
            _ = AttemptLimiter.bucket(text)
            _ = text.trimming()
            _ = RouteTable.segments("/" + text)
            _ = PrometheusPage.escaped(text)
            let other = self.text(&source)
            #expect(
                Glob(text).matches(other)
                    == reference(Array(text.unicodeScalars)[...], Array(other.unicodeScalars)[...]))
            guard let query = try? Query(text + "&cursor=" + other + "&limit=" + other) else { continue }
            _ = try? Cursor.name(in: query)
            _ = try? Cursor.sequence(in: query)
            _ = try? query.limit()
            _ = try? query.time("cursor")
            _ = try? query.number("limit", in: 0...30, default: 0)
        }
    }

    /// The textbook's recursion, to compare the fast matcher with.
    private func reference(_ pattern: ArraySlice<Unicode.Scalar>, _ text: ArraySlice<Unicode.Scalar>) -> Bool {
        guard let first = pattern.first else { return text.isEmpty }
        if first == "*" {
            if reference(pattern.dropFirst(), text) { return true }
            return !text.isEmpty && reference(pattern, text.dropFirst())
        }
        guard let character = text.first, first == "?" || first == character else { return false }
        return reference(pattern.dropFirst(), text.dropFirst())
    }

    @Test("bodies of any bytes are JSON or a problem", arguments: [1, 2] as [UInt64]) func bodies(seed: UInt64) {
        var source = Source(state: seed)
        let whole = Array(payload(&source).canonicalBytes)
        for _ in 0..<5000 {
            var bytes = whole.isEmpty ? [0x7B] : whole
            for _ in 0..<3 {
                let index = Int.random(in: 0..<bytes.count, using: &source)
                bytes[index] = UInt8.random(in: .min ... .max, using: &source)
            }
            guard let json = try? Call.json(bytes) else { continue }
            let fields = BodyFields(json)
            _ = try? fields.allow(["ref"])
            _ = try? fields.string("ref")
            _ = try? fields.strings("project")
            _ = try? fields.sequence("x")
        }
    }

    @Test("addresses of one repository compare equal, of two never") func repositories() {
        let same = [
            "https://git.example.org/team/app.git", "https://user:secret@git.example.org/team/app",
            "ssh://git@git.example.org:2222/team/app.git", "git@git.example.org:team/app.git",
            "HTTPS://GIT.example.org/team/app/"
        ]
        #expect(Set(same.map(RepositoryAddress.comparable)) == ["git.example.org/team/app"])
        for other in ["https://git.example.org/team/app2.git", "https://evil.org/git.example.org/team/app"] {
            #expect(RepositoryAddress.comparable(other) != "git.example.org/team/app")
        }
    }

    @Test("a cursor belongs to its filters") func cursors() throws {
        let query = try Query("kind=sync&limit=5")
        let sequence = try #require(SequenceNumber(48_211))
        let text = Cursor.text(sequence: sequence, for: query)
        #expect(try Cursor.sequence(in: Query("kind=sync&limit=9&cursor=" + text)) == sequence)
        #expect(throws: Problem.self) { try Cursor.sequence(in: Query("kind=rollback&cursor=" + text)) }
        #expect(throws: Problem.self) { try Cursor.sequence(in: Query("cursor=" + text)) }
    }
}
