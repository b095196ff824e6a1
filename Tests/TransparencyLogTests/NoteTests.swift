import Crypto
import Foundation
import Shiplog
import Testing
import TransparencyLog

/// Signed notes and checkpoints against what C2SP publishes, and against whoever would change them.
@Suite("Signed notes")
struct NoteTests {
    /// The example of <https://c2sp.org/signed-note>.
    static let key = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    static let note = """
        This is an example message.

        \u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=

        """

    @Test("the published example verifies with its key, and reads back what it was")
    func example() throws {
        let key = try NoteVerifier(Self.key)
        #expect(key.description == Self.key)
        let note = try SignedNote(parsing: Self.note.utf8)
        #expect(note.text == "This is an example message.\n")
        #expect(note.description == Self.note)
        let verified = try note.verify([key])
        #expect(verified.map(\.key) == [key])
    }

    @Test("one changed letter of the text or the signature is found")
    func changed() throws {
        let key = try NoteVerifier(Self.key)
        let text = try SignedNote(parsing: Self.note.replacingOccurrences(of: "message", with: "massage").utf8)
        #expect(throws: Failure.self) { try text.verify([key]) }
        let signature = try SignedNote(parsing: Self.note.replacingOccurrences(of: "Ybu", with: "Ybv").utf8)
        #expect(signature.description == Self.note)
        let other = try SignedNote(parsing: Self.note.replacingOccurrences(of: "aQM=", with: "aQQ=").utf8)
        #expect(throws: Failure.self) { try other.verify([key]) }
    }

    @Test("signatures of unknown keys count for nothing, beside a known one and alone")
    func unknown() throws {
        let stranger = try #require(NoteSigner(name: "stranger.example"))
        let note = try SignedNote(parsing: Self.note.utf8)
        #expect(throws: Failure.self) { try note.verify([stranger.verifier]) }
        var both = note
        both = try SignedNote(
            parsing: Array(note.description.utf8)
                + Array(
                    try SignedNote(signing: note.text, [stranger]).description.utf8.dropFirst(note.text.utf8.count + 1))
        )
        #expect(both.signatures.count == 2)
        #expect(try both.verify([try NoteVerifier(Self.key)]).count == 1)
        #expect(try both.verify([try NoteVerifier(Self.key), stranger.verifier]).count == 2)
    }

    @Test("a key's secret reads back, and what is no secret is refused")
    func secret() throws {
        let signer = try #require(NoteSigner(name: "shiplog.example/log"))
        let same = try NoteSigner(secret: signer.secret.revealed)
        #expect(same.verifier == signer.verifier)
        try SignedNote(signing: "x\n", [same]).verify([signer.verifier])
        for text in ["", "PRIVATE+KEY+a+b+c", signer.verifier.description, signer.secret.revealed + "A"] {
            #expect(throws: Failure.self) { try NoteSigner(secret: text) }
        }
        #expect(!"\(signer.secret)".contains(signer.secret.revealed.suffix(20)))
    }

    @Test(
        "whatever is no verifier key is refused",
        arguments: [
            "", "a+b+c", "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/bar+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3Q==",
            "exam ple+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "++", "+++++"
        ])
    func badKeys(text: String) {
        #expect(throws: Failure.self) { try NoteVerifier(text) }
    }

    @Test(
        "whatever is no note is refused",
        arguments: [
            "", "\n", "\n\n", "text\n", "text\n\n", "text\n\nno dash\n", "text\n\n\u{2014} name\n",
            "text\n\n\u{2014} name AAAA\n", "text\n\n\u{2014} na+me AAAAAAAA\n", "text\n\n\u{2014} name AAAAAAAA",
            "te\u{1}xt\n\n\u{2014} name AAAAAAAA\n", "text\n\n\u{2014} name AAAAAAAA extra\n",
            "text\r\n\n\u{2014} name AAAAAAAA\n", "text\n\n\u{2014}  AAAAAAAA\n"
        ])
    func badNotes(text: String) {
        #expect(throws: Failure.self) { try SignedNote(parsing: text.utf8) }
    }

    @Test("bytes that are no UTF-8, a note of two MiB and one of 101 signatures are refused")
    func bounds() throws {
        #expect(throws: Failure.self) { try SignedNote(parsing: [0xFF, 0x0A, 0x0A]) }
        #expect(throws: Failure.self) { try SignedNote(parsing: [UInt8](repeating: 0x0A, count: 2 << 20)) }
        let line = "\u{2014} name %@\n"
        let lines = (0..<101).map {
            line.replacingOccurrences(of: "%@", with: Data([0, 0, 0, 0, UInt8($0)]).base64EncodedString())
        }
        #expect(throws: Failure.self) { try SignedNote(parsing: ("text\n\n" + lines.joined()).utf8) }
        #expect(try SignedNote(parsing: ("text\n\n" + lines.dropLast().joined()).utf8).signatures.count == 100)
    }

    // MARK: Checkpoints

    @Test("a checkpoint says origin, size and root, and reads back")
    func checkpoint() throws {
        var range = MerkleRange()
        for leaf in MerkleTests.leaves { range.append(.leaf(leaf)) }
        let signer = try #require(NoteSigner(name: "shiplog.example/log"))
        let checkpoint = try Checkpoint(
            origin: "shiplog.example/log", try #require(range.head), signers: [signer])
        #expect(checkpoint.note.text == "shiplog.example/log\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n")
        let read = try Checkpoint(parsing: checkpoint.note.bytes)
        #expect(read == checkpoint)
        try read.note.verify([signer.verifier])
    }

    @Test("the published example of a checkpoint is read")
    func published() throws {
        let checkpoint = try Checkpoint(
            parsing: """
                example.com/behind-the-sofa
                20852163
                CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

                \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
                \u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==

                """.utf8)
        #expect(checkpoint.origin == "example.com/behind-the-sofa")
        #expect(checkpoint.head.size == 20_852_163)
        #expect(checkpoint.note.signatures.map(\.name) == ["example.com/behind-the-sofa", "witness.example.com/w1"])
        // The example's witness signed in March 2023.
        #expect(checkpoint.note.signatures.last?.cosignedAt == Timestamp(milliseconds: 1_679_315_147_000))
    }

    @Test("a witness's signature is over the text and its time")
    func cosignature() throws {
        let log = try #require(NoteSigner(name: "shiplog.example/log"))
        let witness = Curve25519.Signing.PrivateKey()
        let key = try #require(
            NoteVerifier(
                name: "witness.example", algorithm: .cosignature, publicKey: Array(witness.publicKey.rawRepresentation))
        )
        var checkpoint = try Checkpoint(
            origin: "shiplog.example/log", TreeHead(size: 0, root: .empty), signers: [log])
        func line(time: Int64, signed: Int64) throws -> String {
            let signature = try witness.signature(
                for: Array("cosignature/v1\ntime \(signed)\n".utf8) + Array(checkpoint.note.text.utf8))
            let seconds = withUnsafeBytes(of: time.bigEndian) { Array($0) }
            return "\u{2014} witness.example \(Data(key.id + seconds + Array(signature)).base64EncodedString())\n"
        }
        var wrong = checkpoint
        try wrong.note.add(lines: try line(time: 1001, signed: 1000))
        #expect(throws: Failure.self) { try wrong.note.verify([log.verifier, key]) }
        let good = try line(time: 1000, signed: 1000)
        try checkpoint.note.add(lines: good)
        try checkpoint.note.add(lines: good)
        #expect(checkpoint.note.signatures.count == 2, "the same signature twice is one")
        #expect(try checkpoint.note.verify([log.verifier, key]).count == 2)
        #expect(try NoteVerifier(key.description) == key)
    }

    @Test(
        "whatever is no checkpoint is refused",
        arguments: [
            "origin\n", "origin\n1\n", "origin\n01\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n",
            "origin\n-1\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n", "origin\n1\nAAAA\n",
            "\n1\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n",
            "origin\n1\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n\nmore\n"
        ])
    func badCheckpoints(text: String) {
        #expect(throws: Failure.self) { try Checkpoint(parsing: (text + "\n\u{2014} name AAAAAAAA\n").utf8) }
    }
}
