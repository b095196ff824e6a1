import Foundation
public import Shiplog

/// A text with the signatures of one or more keys: <https://c2sp.org/signed-note>. What it says means nothing until a
/// signature of a key that the reader trusts was checked.
public struct SignedNote: Sendable, Hashable, CustomStringConvertible {
    public struct Signature: Sendable, Hashable, CustomStringConvertible {
        public let name: String
        /// Four bytes.
        public let keyID: [UInt8]
        /// Without the key id.
        public let bytes: [UInt8]

        /// The line in the note, without its end.
        public var description: String { "\u{2014} \(name) \(Data(keyID + bytes).base64EncodedString())" }

        /// When a witness says it saw the checkpoint; nil for what is no cosignature.
        public var cosignedAt: Timestamp? {
            guard let seconds = NoteVerifier.time(of: bytes), seconds < Int64.max / 1000 else { return nil }
            return Timestamp(milliseconds: seconds * 1000)
        }
    }

    /// With its last newline.
    public let text: String
    public private(set) var signatures: [Signature]

    /// Bytes and signatures that a note may have; witnesses' post-quantum signatures are near 5 kB each.
    public static let maximumBytes = 1 << 20
    public static let maximumSignatures = 100

    /// Signs a text that ends in a newline.
    /// - Throws: `log.note-invalid` for a text that no note may have, `log.signing-failed`.
    public init(signing text: String, _ signers: [NoteSigner]) throws(Failure) {
        guard text.hasSuffix("\n"), Self.isClean(text) else { throw Self.invalid }
        self.text = text
        signatures = []
        for signer in signers {
            signatures.append(
                Signature(
                    name: signer.verifier.name, keyID: signer.verifier.id, bytes: try signer.sign(Array(text.utf8))))
        }
    }

    /// - Throws: `log.note-invalid`.
    public init(parsing bytes: some Collection<UInt8>) throws(Failure) {
        guard bytes.count <= Self.maximumBytes, let whole = String(validating: bytes, as: UTF8.self),
            Self.isClean(whole), let split = whole.range(of: "\n\n", options: .backwards)
        else { throw Self.invalid }
        text = whole[..<split.lowerBound] + "\n"
        signatures = []
        let lines = whole[split.upperBound...]
        guard lines.hasSuffix("\n") else { throw Self.invalid }
        try add(lines: lines)
        guard !signatures.isEmpty else { throw Self.invalid }
    }

    /// Adds signature lines, such as a witness's answer.
    /// - Throws: `log.note-invalid` with nothing changed.
    public mutating func add(lines: some StringProtocol) throws(Failure) {
        var added: [Signature] = []
        for line in lines.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            let parts = line.split(separator: " ", omittingEmptySubsequences: false)
            guard parts.count == 3, parts[0] == "\u{2014}", NoteVerifier.isName(String(parts[1])),
                let data = Data(base64Encoded: String(parts[2])), data.count > 4
            else { throw Self.invalid }
            added.append(
                Signature(name: String(parts[1]), keyID: Array(data.prefix(4)), bytes: Array(data.dropFirst(4))))
        }
        guard signatures.count + added.count <= Self.maximumSignatures else { throw Self.invalid }
        for signature in added where !signatures.contains(signature) { signatures.append(signature) }
    }

    private static func isClean(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 >= 0x20 || $0 == 0x0A }
    }

    private static let invalid = Failure(
        "log.note-invalid", "this is no signed note: a text, an empty line, and a line for each signature",
        remedy: "give the file as it was served at /log/checkpoint")

    public var description: String { text + "\n" + signatures.map { $0.description + "\n" }.joined() }
    public var bytes: [UInt8] { Array(description.utf8) }

    /// The signatures of these keys, each checked.
    /// - Throws: `log.signature-wrong` when one that a known key is said to have made is not its, or when there is none.
    @discardableResult
    public func verify(_ keys: [NoteVerifier]) throws(Failure) -> [(key: NoteVerifier, signature: Signature)] {
        var verified: [(key: NoteVerifier, signature: Signature)] = []
        for signature in signatures {
            guard let key = keys.first(where: { $0.name == signature.name && $0.id == signature.keyID }) else {
                continue
            }
            guard key.verifies(signature.bytes, of: Array(text.utf8)) else {
                throw Failure("log.signature-wrong", "a signature of \(key.name) is not over this text")
            }
            verified.append((key, signature))
        }
        guard !verified.isEmpty else {
            throw Failure(
                "log.signature-wrong", "none of the signatures is of a key that is trusted",
                remedy: "give the log's verifier key with --key; `shiplog ledger key list` prints it")
        }
        return verified
    }
}
