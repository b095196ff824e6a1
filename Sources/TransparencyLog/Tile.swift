/// Which piece of a log is asked for, as <https://c2sp.org/tlog-tiles> names it: 256 hashes of a level, or 256 entries.
public struct Tile: Sendable, Hashable {
    /// 0 for leaves, L for roots of 256^L leaves, nil for the entries themselves.
    public let level: Int?
    /// From 0.
    public let index: Int64
    /// 1…256.
    public let width: Int

    /// Hashes or entries in a whole tile.
    public static let fullWidth = 256

    public init(level: Int?, index: Int64, width: Int = fullWidth) {
        self.level = level
        self.index = index
        self.width = width
    }

    /// What it holds of the level's row: of leaves, of entries, or of subtrees.
    public var positions: Range<Int64> { index * 256..<index * 256 + Int64(width) }

    /// Reads what stands behind `/log/tile/`, split at its slashes; nil for what no log serves.
    public init?(path: some BidirectionalCollection<String>) {
        guard let first = path.first, path.count <= 9 else { return nil }
        var rest = Array(path.dropFirst())
        if first == "entries" {
            level = nil
        } else {
            guard let number = Self.number(first, 0...63) else { return nil }
            level = Int(number)
        }
        guard let last = rest.last else { return nil }
        if rest.count >= 2, rest[rest.count - 2].hasSuffix(".p") {
            guard let width = Self.number(last, 1...255) else { return nil }
            self.width = Int(width)
            rest.removeLast()
            rest[rest.count - 1].removeLast(2)
        } else {
            width = Self.fullWidth
        }
        // Five groups are more than the 2^48 tiles that are ever asked for.
        guard rest.count <= 5 else { return nil }
        var index: Int64 = 0
        for (place, part) in rest.enumerated() {
            var digits = Substring(part)
            if place < rest.count - 1 {
                guard digits.popFirst() == "x" else { return nil }
            }
            guard digits.utf8.count == 3, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let value = Int64(digits)
            else { return nil }
            index = index * 1000 + value
        }
        // One spelling each: no group of zeroes in front.
        guard rest.count == 1 || rest[0] != "x000", index < 1 << 48 else { return nil }
        self.index = index
    }

    /// `0/x001/x234/067`, `entries/000.p/12`.
    public var path: String {
        var groups: [String] = []
        var rest = index
        repeat {
            let digits = String(rest % 1000)
            groups.append(String(repeating: "0", count: 3 - digits.count) + digits)
            rest /= 1000
        } while rest > 0
        let name = groups.enumerated().map { $0.offset == 0 ? $0.element : "x" + $0.element }.reversed()
        let place = (level.map(String.init) ?? "entries") + "/" + name.joined(separator: "/")
        return width == Self.fullWidth ? place : "\(place).p/\(width)"
    }

    private static func number(_ text: String, _ range: ClosedRange<Int64>) -> Int64? {
        guard text == "0" || text.first != "0", text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int64(text), range.contains(number)
        else { return nil }
        return number
    }

    /// The tiles of entries that a log of `size` entries has from the leaf `first` on.
    public static func entries(from first: Int64, size: Int64) -> LazyMapCollection<Range<Int64>, Tile> {
        let indices = first >= 0 && first < size ? first / 256..<(size - 1) / 256 + 1 : 0..<0
        // One at a time: a log may say that it has more than there is room for.
        return indices.lazy.map { Tile(level: nil, index: $0, width: Int(min(256, size - $0 * 256))) }
    }

    /// How many hashes or entries of the tile a log of that size has; 0…256.
    public func available(in size: Int64) -> Int {
        let shift = (level ?? 0) * 8
        guard shift < 63 else { return 0 }
        return Int(max(0, min(256, (size >> shift) - index * 256)))
    }
}

/// A bundle of entries: each behind its length in two bytes, the larger first.
public enum EntryBundle {
    /// Adds an entry; false, with nothing changed, for one longer than 65,535 bytes.
    @discardableResult
    public static func append(_ entry: some Collection<UInt8>, to bundle: inout [UInt8]) -> Bool {
        guard let length = UInt16(exactly: entry.count) else { return false }
        bundle.append(UInt8(length >> 8))
        bundle.append(UInt8(length & 0xFF))
        bundle += entry
        return true
    }

    /// The entries of a bundle; nil when it ends in the middle of one.
    public static func entries(of bundle: [UInt8]) -> [ArraySlice<UInt8>]? {
        var entries: [ArraySlice<UInt8>] = []
        var rest = bundle[...]
        while let high = rest.popFirst() {
            guard let low = rest.popFirst() else { return nil }
            let length = Int(high) << 8 | Int(low)
            guard rest.count >= length else { return nil }
            entries.append(rest.prefix(length))
            rest = rest.dropFirst(length)
        }
        return entries
    }
}
