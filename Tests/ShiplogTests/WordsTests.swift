import Shiplog
import Testing

@Suite struct TimestampTests {
    @Test(
        "a moment is read from RFC 3339 and written in UTC with milliseconds",
        arguments: [
            ("2026-11-23T14:03:22.120Z", "2026-11-23T14:03:22.120Z"),
            ("2026-11-23T14:03:22Z", "2026-11-23T14:03:22.000Z"),
            ("2026-11-23t14:03:22.123456789+02:00", "2026-11-23T12:03:22.123Z"),
            ("2026-11-23 14:03", "2026-11-23T14:03:00.000Z"),
            ("2026-11-23", "2026-11-23T00:00:00.000Z"), ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
            ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
            ("2024-02-29T00:00:00-23:59", "2024-02-29T23:59:00.000Z"),
            ("2000-02-29", "2000-02-29T00:00:00.000Z"), ("0001-01-01", "0001-01-01T00:00:00.000Z"),
            ("9999-12-31T23:59:60Z", "9999-12-31T23:59:59.000Z"), ("2026-11-23T14:03:22.1Z", "2026-11-23T14:03:22.100Z")
        ])
    func read(_ text: String, _ written: String) {
        #expect(Timestamp(text)?.description == written)
    }

    @Test(
        "what is no moment is refused",
        arguments: [
            "", "now", "2026-13-01", "2026-00-01", "2026-02-29", "1900-02-29", "2026-11-31", "2026-11-23T24:00:00Z",
            "2026-11-23T10:60Z",
            "2026-11-23T10:00:61Z", "2026-11-23T10:00:00.Z", "2026-11-23T10:00:00+25:00", "2026-11-23T10:00:00+02",
            "26-11-23",
            "2026-11-23Z", "2026-11-23T10:00:00Zx", "0000-01-01", "2026-11-2３"
        ])
    func refused(_ text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test("every day of four centuries is written as it is read") func days() {
        var moment = Timestamp(milliseconds: -11_676_096_000_000)
        for _ in 0..<146_097 {
            let text = moment.description
            if Timestamp(text) != moment {
                Issue.record("\(text)")
                return
            }
            moment = moment.advanced(byMilliseconds: 86_400_000)
        }
        #expect(moment.description == "2000-01-01T00:00:00.000Z")
    }
}

@Suite struct IdentifierTests {
    @Test("a commit is forty hexadecimal digits, in lower case") func commit() throws {
        let id = try CommitID(String(repeating: "aB", count: 20)).get("")
        #expect(id.hex == String(repeating: "ab", count: 20))
        #expect(id.short == "abababa")
        for text in [
            "", "abc", String(repeating: "g", count: 40), String(repeating: "a", count: 41),
            String(repeating: "é", count: 20)
        ] {
            #expect(CommitID(text) == nil)
        }
    }

    @Test("a digest reads what it writes") func digest() throws {
        let digest = try Digest(bytes: (0..<32).map { UInt8($0) }).get("")
        #expect(Digest(digest.description) == digest)
        #expect(digest.description.hasPrefix("sha256:000102"))
        for text in ["", "sha256:", "sha256:00", digest.description + "00", String(digest.description.dropFirst(7))] {
            #expect(Digest(text) == nil)
        }
        #expect(Digest(bytes: [1, 2]) == nil)
    }

    @Test("a sequence number is positive, with or without its sign") func sequence() {
        #expect(SequenceNumber("#48211")?.value == 48211)
        #expect(SequenceNumber("48211")?.description == "#48211")
        for text in ["", "#", "0", "-1", "#-1", "##1", "1.0", "9223372036854775808"] {
            #expect(SequenceNumber(text) == nil)
        }
    }

    @Test("an application's uid can be a label's value") func uid() {
        #expect(ApplicationUID("shop-7f3k") != nil)
        for text in ["", "-a", "a-", "A", "a.b", "a_b", String(repeating: "a", count: 64), "é"] {
            #expect(ApplicationUID(text) == nil)
        }
    }

    @Test("a key reads the tracking form that it writes") func tracking() throws {
        for key in [
            ResourceKey(group: "apps", kind: "Deployment", namespace: "demo", name: "web"),
            ResourceKey(group: "", kind: "Namespace", namespace: "", name: "demo"),
            ResourceKey(
                group: "rbac.authorization.k8s.io", kind: "ClusterRole", namespace: "", name: "system:basic-user")
        ] { #expect(ResourceKey(trackingForm: key.trackingForm) == key) }
        for text in [
            "", ":", "/:/", "apps/Deployment", "Deployment:demo/web", "apps/:demo/web", "apps/Deployment:demo/"
        ] {
            #expect(ResourceKey(trackingForm: text) == nil)
        }
    }
}

@Suite struct RetryTests {
    @Test("the waits are Argo CD's: 5 s, twice as long each time, three minutes at most") func defaults() {
        let retry = Application.Retry(limit: 5)
        #expect((1...8).map { retry.delay(before: $0) } == [5, 10, 20, 40, 80, 160, 180, 180].map { $0 * 1000 })
    }

    @Test("no number of tries and no factor overflows") func extremes() {
        let wild = Application.Retry(limit: -1, initialMilliseconds: .max, factor: .max, maximumMilliseconds: .max)
        #expect(wild.delay(before: 1000) == .max)
        let still = Application.Retry(limit: 3, initialMilliseconds: 100, factor: 0, maximumMilliseconds: 1000)
        #expect(still.delay(before: 10_000) == 100)
        #expect(still.delay(before: 0) == 100)
        #expect(still.delay(before: .min) == 100)
    }
}
