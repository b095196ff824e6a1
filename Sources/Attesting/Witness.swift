import Foundation
public import KubernetesAPI
import LedgerStore
public import Shiplog
import TransparencyLog

/// Somebody who signs that a log only grows, asked over <https://c2sp.org/tlog-witness>.
public struct Witness: Sendable {
    /// The submission prefix, without a slash at its end.
    let url: String
    let key: NoteVerifier
    let client: HTTPClient

    /// Milliseconds that one answer may take.
    static let patience = 15_000
    /// Of an answer: a few signature lines.
    static let mostBytes = 64 << 10
    /// How often it is asked in one round: once for nothing, once with the size it said, once for who raced us.
    static let attempts = 3

    /// - Parameter key: the witness's verifier key; only one of cosignatures is a witness's.
    /// - Throws: `log.witness-key-invalid`, `log.key-invalid`.
    public init(url: String, key: String, client: HTTPClient = .shared) throws(Failure) {
        self.url = url
        self.key = try NoteVerifier(key)
        self.client = client
        guard self.key.algorithm == .cosignature else {
            throw Failure(
                "log.witness-key-invalid", "the key of the witness \(self.key.name) does not make cosignatures",
                remedy: "give the witness's own verifier key, whose algorithm byte is 4")
        }
    }

    var name: String { key.name }

    /// The body of an `add-checkpoint` request.
    static func body(_ checkpoint: Checkpoint, from old: Int64, _ proof: [MerkleHash]) -> [UInt8] {
        let lines = ["old \(old)"] + proof.map(\.base64)
        return Array((lines.joined(separator: "\n") + "\n\n").utf8) + checkpoint.note.bytes
    }

    /// What it answered.
    enum Answer: Sendable, Hashable {
        case signed(SignedNote.Signature)
        /// It has taken a tree of another size than it was told.
        case size(Int64)
    }

    /// Reads an answer; nothing in it is believed but a signature that verifies.
    func answer(_ response: HTTPResponse, for checkpoint: Checkpoint) throws(Failure) -> Answer {
        switch response.status {
        case 200: return .signed(try signature(response.body, checkpoint))
        case 409:
            let text = String(decoding: response.body, as: UTF8.self).filter { $0 != "\n" }
            guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let size = Int64(text) else {
                throw invalid("says that the size is another and not which")
            }
            return .size(size)
        case 403:
            throw Failure(
                "log.witness-refused", "the witness \(name) knows no key of this log that signed the checkpoint",
                remedy: "give its operator the key that `shiplog ledger key export` prints")
        case 404:
            throw Failure(
                "log.witness-unknown", "the witness \(name) does not know the log \(checkpoint.origin)",
                remedy: "give its operator the key that `shiplog ledger key export` prints, and check the address")
        case 422:
            throw Failure(
                "log.witness-inconsistent",
                "the witness \(name) has seen another log under the name \(checkpoint.origin)",
                remedy: "compare its checkpoint with `shiplog ledger verify --checkpoint`: one of the two was changed")
        case 429, 500...599:
            throw Failure(
                "log.witness-unavailable", "the witness \(name) answered \(response.status)",
                remedy: "it is asked again in the next round", next: .retry(afterMilliseconds: nil))
        default: throw invalid("answered \(response.status)")
        }
    }

    private func signature(_ body: [UInt8], _ checkpoint: Checkpoint) throws(Failure) -> SignedNote.Signature {
        guard body.last == UInt8(ascii: "\n"), let lines = String(validating: body, as: UTF8.self) else {
            throw invalid("answered with something else than signatures")
        }
        var note = checkpoint.note
        do throws(Failure) { try note.add(lines: lines) } catch {
            throw invalid("answered with something else than signatures")
        }
        // Those of keys that nobody configured are passed over.
        guard let verified = try? note.verify([key]).last?.signature,
            let time = verified.cosignedAt, time.milliseconds > 0
        else {
            throw Failure(
                "log.witness-signature-wrong", "the witness \(name) answered without a signature of its key over this",
                remedy: "check the key that the configuration gives for it")
        }
        return verified
    }

    private func invalid(_ what: String) -> Failure {
        Failure(
            "log.witness-answer-invalid", "the witness \(name) \(what)",
            remedy: "check that the address is the submission prefix of a witness",
            next: .retry(afterMilliseconds: nil))
    }

    /// Asks for a signature.
    /// - Parameter known: the size it took last, as far as we know.
    func cosign(
        _ checkpoint: Checkpoint, known: Int64, _ ledger: Ledger
    ) async throws(Failure) -> SignedNote.Signature {
        var old = known <= checkpoint.head.size ? known : 0
        for _ in 0..<Self.attempts {
            let proof = try await ledger.consistencyProof(from: old, to: checkpoint.head.size).proof
            var request = HTTPRequest(
                "POST", url + "/add-checkpoint", headers: [("Content-Type", "text/plain; charset=utf-8")],
                body: Self.body(checkpoint, from: old, proof))
            request.timeoutMilliseconds = Self.patience
            request.maximumBodyBytes = Self.mostBytes
            request.mayBeRepeated = false
            switch try answer(try await client.send(request), for: checkpoint) {
            case .signed(let signature): return signature
            case .size(let size):
                guard size <= checkpoint.head.size else {
                    throw Failure(
                        "log.witness-ahead",
                        "the witness \(name) has signed \(size) entries of \(checkpoint.origin); there are "
                            + "\(checkpoint.head.size)",
                        remedy: "this may be an older copy of the ledger, or another server writes as the same one")
                }
                guard size != old else { throw invalid("contradicts itself about the size") }
                old = size
            }
        }
        throw invalid("names another size each time")
    }
}
