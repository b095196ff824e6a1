import Crypto
import Foundation

/// A node of the tree: 32 bytes of SHA-256, kept in four words so that a tree of millions of them allocates nothing.
public struct MerkleHash: Sendable, Hashable {
    private var words: (UInt64, UInt64, UInt64, UInt64)

    /// nil unless there are 32 bytes.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        words = (0, 0, 0, 0)
        Swift.withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: bytes) }
    }

    private init(_ digest: SHA256.Digest) {
        words = (0, 0, 0, 0)
        Swift.withUnsafeMutableBytes(of: &words) { target in
            digest.withUnsafeBytes { target.copyMemory(from: $0) }
        }
    }

    /// The hash of a tree without leaves: SHA-256 of nothing (RFC 6962 §2.1).
    public static let empty = MerkleHash(SHA256().finalize())

    /// A leaf's hash, SHA-256(0x00 || entry): the byte in front keeps a leaf from being taken for an inner node.
    public static func leaf(_ entry: some Collection<UInt8>) -> MerkleHash {
        entry.withContiguousStorageIfAvailable { leaf(UnsafeRawBufferPointer($0)) }
            ?? Array(entry).withUnsafeBytes { leaf($0) }
    }

    /// A leaf's hash, of an entry in place.
    public static func leaf(_ entry: UnsafeRawBufferPointer) -> MerkleHash {
        var hash = SHA256()
        let prefix: UInt8 = 0
        Swift.withUnsafeBytes(of: prefix) { hash.update(bufferPointer: $0) }
        hash.update(bufferPointer: entry)
        return MerkleHash(hash.finalize())
    }

    /// An inner node's hash, SHA-256(0x01 || left || right).
    public static func node(_ left: MerkleHash, _ right: MerkleHash) -> MerkleHash {
        withUnsafeTemporaryAllocation(byteCount: 65, alignment: 8) { buffer in
            buffer[0] = 1
            left.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: buffer[1..<33]).copyMemory(from: $0) }
            right.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: buffer[33..<65]).copyMemory(from: $0) }
            var hash = SHA256()
            hash.update(bufferPointer: UnsafeRawBufferPointer(buffer))
            return MerkleHash(hash.finalize())
        }
    }

    public func withUnsafeBytes<Value>(_ body: (UnsafeRawBufferPointer) -> Value) -> Value {
        Swift.withUnsafeBytes(of: words) { body($0) }
    }

    public var bytes: [UInt8] { withUnsafeBytes { Array($0) } }

    /// As checkpoints, proofs and documents write it.
    public var base64: String { Data(bytes).base64EncodedString() }

    /// nil for what is not base64 of 32 bytes.
    public init?(base64 text: String) {
        guard let data = Data(base64Encoded: text) else { return nil }
        self.init(bytes: data)
    }

    public static func == (left: MerkleHash, right: MerkleHash) -> Bool { left.words == right.words }
    public func hash(into hasher: inout Hasher) { withUnsafeBytes { hasher.combine(bytes: $0) } }
}
