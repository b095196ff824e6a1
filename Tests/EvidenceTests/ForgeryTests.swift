import Foundation
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing
import TransparencyLog

@testable import Evidence

/// Whoever changes a pack is found out, the manifest made anew included.
@Suite("A forged pack") struct ForgeryTests {
    /// What a forger who knows the format does, and the entry that gives it away; nil where it is the pack as a whole.
    struct Forgery: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let sequence: Int64?
        let change: @Sendable (inout Unpacked) throws -> Void
    }

    static let forgeries: [Forgery] = [
        Forgery(testDescription: "an entry is missing", sequence: 9) { pack in
            var lines = pack.lines("entries.jsonl")
            lines.remove(at: 8)
            pack.setLines("entries.jsonl", lines)
        },
        Forgery(testDescription: "an entry is missing with its leaf", sequence: nil) { pack in
            var lines = pack.lines("entries.jsonl")
            lines.removeLast()
            pack.setLines("entries.jsonl", lines)
            pack["leaves.bin"].removeLast(32)
        },
        Forgery(testDescription: "an entry was added", sequence: nil) { pack in
            let lines = pack.lines("entries.jsonl")
            pack.setLines("entries.jsonl", lines + [lines[0]])
        },
        Forgery(testDescription: "two entries changed places", sequence: 4) { pack in
            var lines = pack.lines("entries.jsonl")
            lines.swapAt(3, 4)
            pack.setLines("entries.jsonl", lines)
        },
        Forgery(testDescription: "two entries changed places with their leaves", sequence: 4) { pack in
            var lines = pack.lines("entries.jsonl")
            lines.swapAt(3, 4)
            pack.setLines("entries.jsonl", lines)
            for byte in 0..<32 { pack["leaves.bin"].swapAt(96 + byte, 128 + byte) }
        },
        Forgery(testDescription: "an entry says something else", sequence: 5) { pack in
            var lines = pack.lines("entries.jsonl")
            lines[4] = lines[4].replacingOccurrences(of: "default", with: "defend!")
            pack.setLines("entries.jsonl", lines)
        },
        Forgery(testDescription: "an entry says something else, and so does its leaf", sequence: nil) { pack in
            var lines = pack.lines("entries.jsonl")
            // One that is no match, so that nothing but the root can tell.
            let place = lines.firstIndex { $0.contains("sameAs") } ?? 0
            lines[place] = lines[place].replacingOccurrences(of: "poll", with: "pull")
            pack.setLines("entries.jsonl", lines)
            pack["leaves.bin"].replaceSubrange(
                (place * 32)..<(place * 32 + 32), with: MerkleHash.leaf(Array(lines[place].utf8)).bytes)
        },
        Forgery(testDescription: "a match was left out of the question's answer", sequence: 3) { pack in
            try pack.edit("query.json") { query in
                query["matched"] = [[1, 2], [4, 6]]
                query["matches"] = ["count": 5, "first": 1, "last": 6]
            }
        },
        Forgery(testDescription: "something that does not fit is said to match", sequence: 8) { pack in
            try pack.edit("query.json") { query in
                query["matched"] = [[1, 30]]
                query["matches"] = ["count": 30, "first": 1, "last": 30]
            }
        },
        Forgery(testDescription: "a match is said to be gone", sequence: 7) { pack in
            var lines = pack.lines("entries.jsonl")
            lines[6] = #"{"leaf":"\#(pack["leaves.bin"][192..<224].base64)","sequence":7}"#
            pack.setLines("entries.jsonl", lines)
            try pack.edit("query.json") { query in
                query["gone"] = [[7, 7]]
                query.set(1, at: ["range", "gone"])
            }
        },
        Forgery(testDescription: "a cell of the table was changed", sequence: 4) { pack in
            var rows = String(decoding: pack["entries.csv"], as: UTF8.self).components(separatedBy: "\r\n")
            rows[4] = rows[4].replacingOccurrences(of: "sync", with: "sank")
            pack["entries.csv"] = Array(rows.joined(separator: "\r\n").utf8)
        },
        Forgery(testDescription: "a body says something else", sequence: 2) { pack in
            var lines = pack.lines("bodies.jsonl")
            lines[0] = lines[0].replacingOccurrences(of: #""content":""#, with: #""content":"AAAA"#)
            pack.setLines("bodies.jsonl", lines)
        },
        Forgery(testDescription: "a body is missing", sequence: 2) { pack in
            pack.setLines("bodies.jsonl", Array(pack.lines("bodies.jsonl").dropFirst()))
        },
        Forgery(testDescription: "the question is another", sequence: 1) { pack in
            try pack.edit("query.json") { $0["filter"] = ["actor": "nobody"] }
        },
        Forgery(testDescription: "the question is one that nobody knows", sequence: nil) { pack in
            try pack.edit("query.json") { $0["filter"] = ["color": "red"] }
        },
        Forgery(testDescription: "the checkpoint is over another tree", sequence: nil) { pack in
            let text = String(decoding: pack["checkpoint"], as: UTF8.self)
            var lines = text.components(separatedBy: "\n")
            lines[2] = MerkleHash.leaf([7]).base64
            pack["checkpoint"] = Array(lines.joined(separator: "\n").utf8)
        },
        Forgery(testDescription: "the keys are somebody else's", sequence: nil) { pack in
            try pack.edit("keys.json") { keys in
                let name = keys["epochs"]?.array?.first?["origin"]?.string ?? ""
                let key = NoteSigner(name: name)?.verifier.description ?? ""
                keys["epochs"] = [["origin": .string(name), "keys": [.string(key)]]]
            }
        },
        Forgery(testDescription: "a body is said to be erased by an entry that did not", sequence: 30) { pack in
            pack.sayErased(by: 30)
        },
        Forgery(testDescription: "a body is said to be erased by an entry in front of it", sequence: 2) { pack in
            pack.sayErased(by: 1)
        },
        Forgery(testDescription: "a body is said to be erased by its own entry", sequence: 2) { pack in
            pack.sayErased(by: 2)
        },
        Forgery(testDescription: "a body is said to be erased by an entry that there is not", sequence: 2) { pack in
            pack.sayErased(by: 1_000_000)
        },
        Forgery(testDescription: "a body is said to be erased by what is no integer", sequence: 2) { pack in
            pack.sayErased(by: "30")
        },
        Forgery(testDescription: "a body is said to be erased by nothing", sequence: 2) { pack in
            pack.sayErased(by: .null)
        },
        Forgery(testDescription: "the origin is another log's", sequence: nil) { pack in
            try pack.edit("query.json") { $0["origin"] = "other.example/log" }
        },
        Forgery(testDescription: "the ledger is another", sequence: nil) { pack in
            try pack.edit("query.json") { $0["ledger"] = "other" }
        },
        Forgery(testDescription: "an entry is said to record the export, and is another", sequence: 5) { pack in
            try pack.edit("query.json") { $0.set(5, at: ["made", "event"]) }
        },
        Forgery(testDescription: "the question has a member that nobody knows", sequence: nil) { pack in
            try pack.edit("query.json") { $0["color"] = "red" }
        },
        Forgery(testDescription: "the range begins with a number that is no integer", sequence: nil) { pack in
            pack.replace("\"first\": 1,", "\"first\": 1.0,", in: "query.json")
        },
        Forgery(testDescription: "a cell of the table is quoted without need", sequence: 1) { pack in
            pack.replace("\r\n1,", "\r\n\"1\",", in: "entries.csv")
        },
        Forgery(testDescription: "a file was added", sequence: nil) { $0.files.append(("more.txt", [1])) },
        Forgery(testDescription: "a file is missing", sequence: nil) { pack in
            pack.files.removeAll { $0.name == "bodies.jsonl" }
        }
    ]

    @Test("is found out", arguments: forgeries) func forged(_ forgery: Forgery) async throws {
        let fixture = try await PackFixture.make()
        try await fixture.fill()
        var pack = try Unpacked(try await fixture.pack())
        try forgery.change(&pack)
        pack.sign()
        let path = try pack.write(to: fixture.folder.path + "/forged.zip")
        let report = try EvidenceVerifier.verify(path)
        let finding = try #require(report.finding, "\(report.document.prettyString)")
        #expect(finding.sequence == forgery.sequence, "\(finding)")
        let (status, text) = try verifyPy(path)
        #expect(status == 8, "\(text)")
        if let sequence = forgery.sequence { #expect(text.hasPrefix("BAD: #\(sequence) "), "\(text)") }
        await fixture.test.close()
    }

    @Test("with a range that leaves out what could fit is found out", arguments: [true, false])
    func edges(isBeginning: Bool) async throws {
        let fixture = try await PackFixture.make()
        try await fixture.fill()
        // The range is shorter than the question; everything else is as it should be.
        var pack = try Unpacked(try await fixture.pack(isBeginning ? .init(first: 9) : .init(last: 90)))
        try pack.edit("query.json") { $0["asked"] = [:] }
        pack.sign()
        let path = try pack.write(to: fixture.folder.path + "/forged.zip")
        #expect(try EvidenceVerifier.verify(path).finding?.sequence == (isBeginning ? 9 : 90))
        #expect(try verifyPy(path).status == 8)
        await fixture.test.close()
    }

    @Test("with a byte that is another is found out, in whatever file it is") func flips() async throws {
        let fixture = try await PackFixture.make()
        try await fixture.fill()
        let whole = try Unpacked(try await fixture.pack())
        let path = fixture.folder.path + "/flipped.zip"
        for (place, file) in whole.files.enumerated() {
            for sample in 0..<12 {
                let position = min(file.bytes.count - 1, file.bytes.count * sample / 11)
                var flipped = whole
                flipped.files[place].bytes[position] ^= 1 << UInt8(sample % 7)
                let report = try EvidenceVerifier.verify(try flipped.write(to: path))
                #expect(!report.isSound, "\(file.name) at \(position)")
                if sample % 4 == 1 { #expect(try verifyPy(path).status == 8, "\(file.name) at \(position)") }
            }
        }
        await fixture.test.close()
    }

    @Test("with anything in front of the zip file, behind it, or between its members is found out")
    func aroundTheZip() async throws {
        let fixture = try await PackFixture.make()
        try await fixture.fill()
        let whole = try #require(FileManager.default.contents(atPath: try await fixture.pack()))
        let junk = Data("JUNK".utf8)
        // A directory behind junk could still be found from the end by who looks for it.
        var commented = whole
        commented[commented.endIndex - 2] = 4
        for forged in [junk + whole, whole + junk, commented + junk] {
            #expect(try isRefused(forged, fixture))
        }
        await fixture.test.close()
    }

    @Test("with a bit that is another in a header, in packed data or behind them is found out")
    func bitsOfTheZip() async throws {
        let fixture = try await PackFixture.make()
        try await fixture.fill()
        let whole = try #require(FileManager.default.contents(atPath: try await fixture.pack()))
        // The local header of README.txt: its mark, flags, method, time, checksum, sizes, lengths and name.
        for place in [0, 6, 8, 11, 14, 18, 22, 26, 28, 30, 35] {
            #expect(try isRefused(flipped(whole, place), fixture), "header at \(place)")
        }
        for sample in 1..<24 {
            let place = whole.count * sample / 24
            let forged = flipped(whole, place)
            // Either both refuse it, or neither.
            let path = try write(forged, fixture)
            let isSound = try EvidenceVerifier.verify(path).isSound
            #expect(try verifyPy(path).status == (isSound ? 0 : 8), "at \(place)")
        }
        await fixture.test.close()
    }

    private func flipped(_ data: Data, _ place: Int) -> Data {
        var bytes = Array(data)
        bytes[place] ^= 1 << UInt8(place % 8)
        return Data(bytes)
    }

    private func write(_ data: Data, _ fixture: PackFixture) throws -> String {
        let path = fixture.folder.path + "/forged.zip"
        try data.write(to: URL(fileURLWithPath: path))
        return path
    }

    /// Whether both verifiers refuse it.
    private func isRefused(_ data: Data, _ fixture: PackFixture) throws -> Bool {
        let path = try write(data, fixture)
        let status = try verifyPy(path).status
        return !(try EvidenceVerifier.verify(path)).isSound && status == 8
    }

    @Test(
        "names an origin that ends with the ledger's uid, an epoch behind it",
        arguments: [
            ("ledger.example/abc", true), ("a/b/abc/2-wxyz", true), ("a/abc/12-wxyz", true), ("a/abc/1-wxyz", false),
            ("a/abc/x", false), ("a/abcd", false), ("a/abc/2-w/3-x", false), ("a/abc/+2", false), ("abc/", false)
        ])
    func origins(origin: String, isOne: Bool) {
        #expect(PackQuestion.isOrigin(origin, of: "abc") == isOne)
        #expect(!PackQuestion.isOrigin(origin, of: ""))
    }

    @Test("of a log whose owner edited a row and signed it anew is found out by a checkpoint from before")
    func resigned() async throws {
        let fixture = try await PackFixture.make()
        try await fixture.fill()
        let kept = try #require(try await fixture.keeper.publish())
        var pack = try Unpacked(try await fixture.pack())
        var lines = pack.lines("entries.jsonl")
        let place = try #require(lines.firstIndex { $0.contains("sameAs") })
        lines[place] = lines[place].replacingOccurrences(of: "poll", with: "pull")
        pack.setLines("entries.jsonl", lines)
        var tree = MerkleRange()
        for line in lines { tree.append(.leaf(Array(line.utf8))) }
        pack["leaves.bin"] = lines.flatMap { MerkleHash.leaf(Array($0.utf8)).bytes }
        let head = try #require(tree.head)
        let signer = try #require(NoteSigner(name: kept.origin))
        pack["checkpoint"] = try Checkpoint(origin: kept.origin, head, signers: [signer]).note.bytes
        try pack.edit("keys.json") { keys in
            keys["epochs"] = [["origin": .string(kept.origin), "keys": [.string(signer.verifier.description)]]]
        }
        try pack.edit("proofs.json") { $0["root"] = .string(head.root.base64) }
        pack.sign()
        let path = try pack.write(to: fixture.folder.path + "/resigned.zip")
        // By itself it vouches for itself, and says so.
        let own = try EvidenceVerifier.verify(path)
        #expect(own.isSound)
        #expect(own.notes.contains { $0.contains("the pack itself names") })
        #expect(!(try EvidenceVerifier.verify(path, kept: [KeptHead(kept.head)])).isSound)
        #expect(!(try EvidenceVerifier.verify(path, keys: fixture.keeper.epoch?.keys ?? [])).isSound)
        await fixture.test.close()
    }
}

extension Unpacked {
    /// Puts an erasure in place of the first body, which is the entry #2's.
    fileprivate mutating func sayErased(by event: JSON) {
        var lines = self.lines("bodies.jsonl")
        guard let first = lines.first, var body = try? JSON(parsing: Array(first.utf8)) else { return }
        body["content"] = nil
        body["salt"] = nil
        body["erasedBy"] = event
        lines[0] = body.canonicalString
        setLines("bodies.jsonl", lines)
    }

    fileprivate mutating func replace(_ text: String, _ other: String, in name: String) {
        self[name] = Array(String(decoding: self[name], as: UTF8.self).replacingOccurrences(of: text, with: other).utf8)
    }
}
