import Shiplog

/// Writes a zip file from front to back, in the memory of one piece, to wherever the pieces go.
///
/// Sizes and checksums stand behind each member (a data descriptor) and in the directory at the end, because nobody knows
/// them before. The format: <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>.
struct ZipWriter {
    private struct Member {
        let name: [UInt8]
        /// Room for sizes past 4 GiB, as its local header promised.
        let isLarge: Bool
        let offset: UInt64
        var checksum = Checksum()
        var size: UInt64 = 0
        var compressed: UInt64 = 0
        var version: UInt16 { isLarge ? 45 : 20 }
    }

    private static let limit = UInt64(UInt32.max)
    /// Unix, with the newest version that is needed anywhere.
    private static let madeBy: UInt16 = 3 << 8 | 45
    /// Sizes stand behind the data.
    private static let flags: UInt16 = 1 << 3

    private let time: UInt16
    private let date: UInt16
    private let fast = Deflater(level: 1)
    private let copying = Deflater(level: 0)
    private var members: [Member] = []
    private var isCopying = false
    private var written: UInt64 = 0
    private var pending: [UInt8] = []

    /// - Parameter time: what the members say of when they were made; zip has no years before 1980 and after 2107.
    init(at time: Timestamp) {
        let digits = Array(time.description.utf8)
        func number(_ place: Range<Int>) -> UInt16 {
            guard place.upperBound <= digits.count else { return 0 }
            return digits[place].reduce(0) { $0 &* 10 &+ UInt16($1 & 15) }
        }
        let year = min(127, max(0, Int(number(0..<4)) - 1980))
        date = UInt16(year) << 9 | max(1, number(5..<7)) << 5 | max(1, number(8..<10))
        self.time = number(11..<13) << 11 | number(14..<16) << 5 | number(17..<19) / 2
    }

    /// How much waits to be taken.
    var pendingCount: Int { pending.count }

    /// What was made since the last time.
    mutating func take() -> [UInt8] {
        defer { pending = [] }
        written += UInt64(pending.count)
        return pending
    }

    // MARK: - Members

    /// - Parameters:
    ///   - name: ASCII.
    ///   - isLarge: whether it may come to 4 GiB or more.
    ///   - isCompressible: false copies it.
    mutating func begin(_ name: String, isLarge: Bool = false, isCompressible: Bool = true) {
        let member = Member(name: Array(name.utf8), isLarge: isLarge, offset: written + UInt64(pending.count))
        isCopying = !isCompressible
        var header: [UInt8] = []
        header.add(UInt32(0x0403_4B50))
        header.add(member.version)
        header.add(Self.flags)
        header.add(UInt16(8))
        header.add(time)
        header.add(date)
        header.add(UInt32(0))
        // With the extra field of zip64 the descriptor's sizes have eight bytes.
        header.add(isLarge ? UInt32.max : 0)
        header.add(isLarge ? UInt32.max : 0)
        header.add(UInt16(truncatingIfNeeded: member.name.count))
        header.add(UInt16(isLarge ? 20 : 0))
        header += member.name
        if isLarge {
            header.add(UInt16(1))
            header.add(UInt16(16))
            header.add(UInt64(0))
            header.add(UInt64(0))
        }
        emit(header)
        members.append(member)
    }

    /// - Throws: `evidence.zip-failed`, also for a member that grew past what was promised.
    mutating func add(_ bytes: [UInt8]) throws(Failure) { try add(bytes, isLast: false) }

    mutating func end() throws(Failure) {
        try add([], isLast: true)
        guard let member = members.last else { return }
        var descriptor: [UInt8] = []
        descriptor.add(UInt32(0x0807_4B50))
        descriptor.add(member.checksum.value)
        if member.isLarge {
            descriptor.add(member.compressed)
            descriptor.add(member.size)
        } else {
            descriptor.add(UInt32(truncatingIfNeeded: member.compressed))
            descriptor.add(UInt32(truncatingIfNeeded: member.size))
        }
        emit(descriptor)
    }

    private mutating func add(_ bytes: [UInt8], isLast: Bool) throws(Failure) {
        guard let index = members.indices.last else { return }
        let before = pending.count
        try (isCopying ? copying : fast).add(bytes, isLast: isLast, to: &pending)
        members[index].compressed += UInt64(pending.count - before)
        members[index].size += UInt64(bytes.count)
        members[index].checksum.add(bytes)
        guard members[index].isLarge || max(members[index].size, members[index].compressed) < Self.limit else {
            throw Failure("evidence.zip-failed", "a part of the pack came to more than 4 GiB")
        }
    }

    private mutating func emit(_ bytes: [UInt8]) { pending += bytes }

    // MARK: - The directory

    /// The end of the file; nothing comes after it.
    mutating func finish() {
        let start = written + UInt64(pending.count)
        for member in members { emit(entry(of: member)) }
        let size = written + UInt64(pending.count) - start
        let isLarge = max(start, size) >= Self.limit
        if isLarge {
            var end: [UInt8] = []
            end.add(UInt32(0x0606_4B50))
            end.add(UInt64(44))
            end.add(Self.madeBy)
            end.add(UInt16(45))
            end.add(UInt32(0))
            end.add(UInt32(0))
            end.add(UInt64(members.count))
            end.add(UInt64(members.count))
            end.add(size)
            end.add(start)
            // Where that stands.
            end.add(UInt32(0x0706_4B50))
            end.add(UInt32(0))
            end.add(start + size)
            end.add(UInt32(1))
            emit(end)
        }
        var end: [UInt8] = []
        end.add(UInt32(0x0605_4B50))
        end.add(UInt32(0))
        end.add(UInt16(truncatingIfNeeded: members.count))
        end.add(UInt16(truncatingIfNeeded: members.count))
        end.add(isLarge ? UInt32.max : UInt32(truncatingIfNeeded: size))
        end.add(isLarge ? UInt32.max : UInt32(truncatingIfNeeded: start))
        end.add(UInt16(0))
        emit(end)
    }

    private func entry(of member: Member) -> [UInt8] {
        let isLarge = max(member.size, member.compressed, member.offset) >= Self.limit
        var entry: [UInt8] = []
        entry.add(UInt32(0x0201_4B50))
        entry.add(Self.madeBy)
        entry.add(isLarge ? 45 : member.version)
        entry.add(Self.flags)
        entry.add(UInt16(8))
        entry.add(time)
        entry.add(date)
        entry.add(member.checksum.value)
        entry.add(isLarge ? UInt32.max : UInt32(truncatingIfNeeded: member.compressed))
        entry.add(isLarge ? UInt32.max : UInt32(truncatingIfNeeded: member.size))
        entry.add(UInt16(truncatingIfNeeded: member.name.count))
        entry.add(UInt16(isLarge ? 28 : 0))
        entry.add(UInt16(0))
        entry.add(UInt16(0))
        entry.add(UInt16(0))
        // A plain file that its owner may write.
        entry.add(UInt32(0o100644) << 16)
        entry.add(isLarge ? UInt32.max : UInt32(truncatingIfNeeded: member.offset))
        entry += member.name
        if isLarge {
            entry.add(UInt16(1))
            entry.add(UInt16(24))
            entry.add(member.size)
            entry.add(member.compressed)
            entry.add(member.offset)
        }
        return entry
    }
}

extension [UInt8] {
    /// The number's bytes, the smallest first.
    fileprivate mutating func add(_ number: some FixedWidthInteger) {
        for shift in stride(from: 0, to: number.bitWidth, by: 8) {
            append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }
}
