import Foundation
public import Shiplog

/// How many entries a log has, and the root of the tree over them: whoever keeps one can tell later whether the log still
/// begins with exactly those entries.
public struct TreeHead: Sendable, Hashable, CustomStringConvertible {
    /// Entries; 0 or more.
    public let size: Int64
    public let root: MerkleHash

    public init(size: Int64, root: MerkleHash) {
        self.size = size
        self.root = root
    }

    /// Reads `SIZE:ROOT`, the root in base64 as a C2SP checkpoint writes it (<https://c2sp.org/tlog-checkpoint>).
    /// - Throws: `ledger.tree-head-invalid`.
    public init(_ text: String) throws(Failure) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let digits = parts.first ?? ""
        guard parts.count == 2, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            digits == "0" || digits.first != "0", let size = Int64(digits),
            let bytes = Data(base64Encoded: String(parts[1])), bytes.base64EncodedString() == parts[1],
            let root = MerkleHash(bytes: bytes)
        else {
            throw Failure(
                "ledger.tree-head-invalid", "a tree head is a size, a colon and a root of 32 bytes in base64",
                remedy: "copy the line that `shiplog ledger verify` printed")
        }
        self.init(size: size, root: root)
    }

    /// In base64.
    public var rootText: String { root.base64 }
    public var document: JSON { ["size": .integer(size), "root": .string(rootText)] }
    public var description: String { "\(size):\(rootText)" }
}
