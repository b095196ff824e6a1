import Crypto
import Foundation
import Shiplog
import Testing
import TransparencyLog

/// The tree against RFC 6962's own definition, written down again here as the RFC has it, and against known roots.
@Suite("The Merkle tree")
struct MerkleTests {
    /// The leaves of the test vectors that certificate transparency's implementations share.
    static let leaves: [[UInt8]] = [
        [], [0x00], [0x10], [0x20, 0x21], [0x30, 0x31], [0x40, 0x41, 0x42, 0x43],
        [0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
        [0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f]
    ]

    /// Their roots at sizes 1 to 8.
    static let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    ]

    /// RFC 6962 §2.1, word for word: nothing is shared with the code under test.
    static func definition(_ entries: ArraySlice<[UInt8]>) -> [UInt8] {
        guard entries.count > 1 else {
            return Array(SHA256.hash(data: entries.first.map { [0] + $0 } ?? []))
        }
        var split = 1
        while split * 2 < entries.count { split *= 2 }
        let middle = entries.startIndex + split
        return Array(SHA256.hash(data: [1] + definition(entries[..<middle]) + definition(entries[middle...])))
    }

    static func hex(_ bytes: [UInt8]) -> String { bytes.map { String(format: "%02x", $0) }.joined() }

    @Test("has the roots of certificate transparency's test vectors")
    func vectors() throws {
        var range = MerkleRange()
        #expect(
            Self.hex(try #require(range.head).root.bytes)
                == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        for (leaf, root) in zip(Self.leaves, Self.roots) {
            range.append(.leaf(leaf))
            #expect(Self.hex(try #require(range.head).root.bytes) == root)
        }
        #expect(range.head?.size == 8)
    }

    @Test("is the RFC's definition at every size to 300")
    func everySize() throws {
        let entries = (0..<300).map { Array("entry \($0)".utf8) }
        var range = MerkleRange()
        for size in 1...300 {
            range.append(.leaf(entries[size - 1]))
            #expect(range.head?.root.bytes == Self.definition(entries[..<size]), "at size \(size)")
        }
    }

    @Test("is the same when two parts are hashed apart and joined, wherever it is cut")
    func joined() throws {
        let hashes = (0..<77).map { MerkleHash.leaf(Array("entry \($0)".utf8)) }
        var whole = MerkleRange()
        for hash in hashes { whole.append(hash) }
        for cut in 0...hashes.count {
            var left = MerkleRange()
            var right = MerkleRange(from: Int64(cut))
            for hash in hashes[..<cut] { left.append(hash) }
            for hash in hashes[cut...] { right.append(hash) }
            #expect(cut == 0 || right.head == nil)
            let meets = left.append(right)
            #expect(meets)
            #expect(left.head == whole.head, "cut at \(cut)")
        }
    }

    @Test("refuses to join parts that do not meet")
    func gap() {
        var left = MerkleRange()
        left.append(.leaf([1]))
        let before = left
        let meets = left.append(MerkleRange(from: 2))
        #expect(!meets)
        #expect(left == before)
    }

    @Test("any leaf that differs, is missing or stands elsewhere gives another root")
    func changes() throws {
        let hashes = (0..<20).map { MerkleHash.leaf(Array("entry \($0)".utf8)) }
        func head(_ hashes: [MerkleHash]) -> TreeHead? {
            var range = MerkleRange()
            for hash in hashes { range.append(hash) }
            return range.head
        }
        let honest = try #require(head(hashes))
        for index in hashes.indices {
            var changed = hashes
            changed[index] = .leaf([7])
            #expect(head(changed)?.root != honest.root)
            changed = hashes
            changed.remove(at: index)
            #expect(head(changed)?.root != honest.root)
            guard index > 0 else { continue }
            changed = hashes
            changed.swapAt(index - 1, index)
            #expect(head(changed)?.root != honest.root)
        }
    }

    @Test("a tree head reads back what it writes")
    func text() throws {
        var range = MerkleRange()
        for leaf in Self.leaves { range.append(.leaf(leaf)) }
        let head = try #require(range.head)
        #expect(head.description == "8:XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=")
        #expect(try TreeHead(head.description) == head)
    }

    @Test(
        "whatever is no tree head is refused",
        arguments: [
            "", ":", "8", "8:", "-1:XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=",
            "08:XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=", "8:XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg",
            "8:XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyh=", "8:XcnaeacGWamtVZy3Ad7Z",
            "99999999999999999999:XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=",
            "8:8:XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg="
        ])
    func refused(text: String) {
        #expect(throws: Failure.self) { try TreeHead(text) }
    }
}
