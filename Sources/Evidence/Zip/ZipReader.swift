import Foundation
import Shiplog

/// Reads a zip file by its directory. What it says is not trusted: sizes, places and checksums are all held to the file.
struct ZipReader {
    struct Member: Sendable, Hashable {
        let name: String
        let size: UInt64
        fileprivate let flags: UInt64
        fileprivate let method: UInt16
        fileprivate let moment: UInt64
        fileprivate let checksum: UInt32
        fileprivate let compressed: UInt64
        fileprivate let offset: UInt64

        fileprivate var hasDescriptor: Bool { flags & 8 != 0 }
    }

    let members: [Member]
    private let file: FileHandle
    /// Of the file, in bytes.
    let length: UInt64

    /// A pack has a dozen members.
    private static let maximumMembers: UInt64 = 64

    /// - Throws: `evidence.unreadable`, `evidence.zip-invalid`.
    init(path: String) throws(Failure) {
        do {
            file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            length = try file.seekToEnd()
        } catch {
            throw Failure(
                "evidence.unreadable", "\(path) cannot be read", remedy: "check that it is there and who may read it")
        }
        let (count, start, size) = try Self.directory(file, length)
        guard count <= Self.maximumMembers, size <= 1 << 20, start <= length, size <= length - start else {
            throw Self.invalid("its directory does not lie within it")
        }
        var bytes = Bytes(try Self.read(file, at: start, count: Int(size)))
        var members: [Member] = []
        for _ in 0..<count { members.append(try Self.member(&bytes)) }
        guard bytes.isAtEnd else { throw Self.invalid("its directory is damaged") }
        guard Set(members.map(\.name)).count == members.count else { throw Self.invalid("a name stands in it twice") }
        self.members = members
        // One behind the other from the first byte to the directory: nothing hides in front, between or behind.
        var place: UInt64 = 0
        for member in members {
            guard member.offset == place else { throw Self.invalid("a member is not where it should be") }
            place = try end(of: member)
        }
        guard place == start else { throw Self.invalid("something stands in front of its directory") }
    }

    static func invalid(_ what: String) -> Failure {
        Failure(
            "evidence.zip-invalid", "this is no whole zip file: \(what)",
            remedy: "fetch it again, and check that the command ended with 0")
    }

    private static func read(_ file: FileHandle, at offset: UInt64, count: Int) throws(Failure) -> [UInt8] {
        do {
            try file.seek(toOffset: offset)
            return Array(try file.read(upToCount: count) ?? Data())
        } catch {
            throw Failure("evidence.unreadable", "the file cannot be read any more")
        }
    }

    // MARK: - The directory

    /// How many members, and where the directory stands. The file ends right behind it: there is no comment.
    private static func directory(
        _ file: FileHandle, _ length: UInt64
    ) throws(Failure) -> (count: UInt64, start: UInt64, size: UInt64) {
        guard length >= 22 else { throw invalid("it is too short") }
        var end = Bytes(try read(file, at: length - 22, count: 22))
        guard try end.number(4) == 0x0605_4B50 else { throw invalid("its end is missing") }
        guard try end.number(4) == 0 else { throw invalid("it is one of several parts") }
        let (here, count, size, start) = (
            try end.number(2), try end.number(2), try end.number(4), try end.number(4)
        )
        guard here == count, try end.number(2) == 0 else { throw invalid("its end is damaged") }
        guard start == UInt64(UInt32.max) || size == UInt64(UInt32.max) else {
            guard start + size == length - 22 else { throw invalid("its directory does not end where its end begins") }
            return (count, start, size)
        }
        guard length >= 22 + 20 + 56 else { throw invalid("it is too short") }
        var locator = Bytes(try read(file, at: length - 42, count: 20))
        guard try locator.number(4) == 0x0706_4B50 else { throw invalid("its end is missing") }
        try locator.skip(4)
        let place = try locator.number(8)
        guard place == length - 98 else { throw invalid("its end is not where it should be") }
        var large = Bytes(try read(file, at: place, count: 56))
        guard try large.number(4) == 0x0606_4B50 else { throw invalid("its end is missing") }
        guard try large.number(8) == 44 else { throw invalid("its end is damaged") }
        try large.skip(12)
        let (largeHere, largeCount, largeSize, largeStart) = (
            try large.number(8), try large.number(8), try large.number(8), try large.number(8)
        )
        guard largeHere == largeCount, largeStart <= place, largeSize == place - largeStart else {
            throw invalid("its directory does not end where its end begins")
        }
        return (largeCount, largeStart, largeSize)
    }

    private static func member(_ bytes: inout Bytes) throws(Failure) -> Member {
        guard try bytes.number(4) == 0x0201_4B50 else { throw invalid("its directory is damaged") }
        try bytes.skip(4)
        let flags = try bytes.number(2)
        guard flags & 1 == 0 else { throw invalid("a member is encrypted") }
        // How hard it was compressed, a descriptor, and that the name is UTF-8: no other is known.
        guard flags & ~0x080E == 0 else { throw invalid("a member has flags that are not known") }
        let method = UInt16(truncatingIfNeeded: try bytes.number(2))
        guard method == 0 || method == 8 else { throw invalid("a member is compressed in an unknown way") }
        let moment = try bytes.number(4)
        let checksum = UInt32(truncatingIfNeeded: try bytes.number(4))
        var (compressed, size) = (try bytes.number(4), try bytes.number(4))
        let (name, extra, comment) = (try bytes.number(2), try bytes.number(2), try bytes.number(2))
        try bytes.skip(8)
        var offset = try bytes.number(4)
        guard let text = String(validating: try bytes.take(Int(name)), as: UTF8.self) else {
            throw invalid("a name is no text")
        }
        var field = try largeField(try bytes.take(Int(extra)))
        if size == UInt64(UInt32.max) { size = try field.number(8) }
        if compressed == UInt64(UInt32.max) { compressed = try field.number(8) }
        if offset == UInt64(UInt32.max) { offset = try field.number(8) }
        guard comment == 0 else { throw invalid("a member has a comment") }
        return Member(
            name: text, size: size, flags: flags, method: method, moment: moment, checksum: checksum,
            compressed: compressed, offset: offset)
    }

    /// What the extra field of zip64 has; empty where there is none. Others could give a member another name.
    private static func largeField(_ extra: ArraySlice<UInt8>) throws(Failure) -> Bytes {
        guard !extra.isEmpty else { return Bytes([UInt8]()) }
        var fields = Bytes(extra)
        let (id, count) = (try fields.number(2), try fields.number(2))
        let field = Bytes(try fields.take(Int(count)))
        guard id == 1, fields.isAtEnd else { throw invalid("a member has an extra field that is not known") }
        return field
    }

    // MARK: - Members

    /// Where a member's bytes begin, once its own header was found to say what the directory says.
    private func start(of member: Member) throws(Failure) -> (start: UInt64, isLarge: Bool) {
        var header = Bytes(try Self.read(file, at: min(member.offset, length), count: 30))
        guard try header.number(4) == 0x0403_4B50 else { throw Self.invalid("a member is not where it should be") }
        try header.skip(2)
        let (flags, method, moment) = (try header.number(2), try header.number(2), try header.number(4))
        let checksum = try header.number(4)
        var (compressed, size) = (try header.number(4), try header.number(4))
        let (nameLength, extraLength) = (try header.number(2), try header.number(2))
        var rest = Bytes(try Self.read(file, at: member.offset + 30, count: Int(nameLength + extraLength)))
        let name = try rest.take(Int(nameLength))
        let extra = try rest.take(Int(extraLength))
        var field = try Self.largeField(extra)
        if size == UInt64(UInt32.max) { size = try field.number(8) }
        if compressed == UInt64(UInt32.max) { compressed = try field.number(8) }
        // With a descriptor nobody knew them yet.
        let isSame =
            member.hasDescriptor
            ? checksum == 0 && compressed == 0 && size == 0
            : checksum == UInt64(member.checksum) && compressed == member.compressed && size == member.size
        guard isSame, flags == member.flags, method == UInt64(member.method), moment == member.moment,
            name.elementsEqual(member.name.utf8)
        else { throw Self.invalid("\(member.name) has a header that is not what the directory says") }
        let start = member.offset + 30 + nameLength + extraLength
        guard start <= length, member.compressed <= length - start else {
            throw Self.invalid("a member reaches past its end")
        }
        return (start, !extra.isEmpty)
    }

    /// Behind a member's bytes and its descriptor.
    private func end(of member: Member) throws(Failure) -> UInt64 {
        let (start, isLarge) = try self.start(of: member)
        let end = start + member.compressed
        guard member.hasDescriptor else { return end }
        let width = isLarge ? 8 : 4
        var descriptor = Bytes(try Self.read(file, at: end, count: 8 + 2 * width))
        guard try descriptor.number(4) == 0x0807_4B50, try descriptor.number(4) == UInt64(member.checksum),
            try descriptor.number(width) == member.compressed, try descriptor.number(width) == member.size
        else { throw Self.invalid("\(member.name) is not followed by what the directory says") }
        return end + UInt64(8 + 2 * width)
    }

    /// A member's bytes, piece by piece.
    func open(_ member: Member) throws(Failure) -> Contents {
        Contents(member, file, try start(of: member).start)
    }

    /// - Parameter limit: a larger one is refused.
    func whole(_ member: Member, limit: Int) throws(Failure) -> [UInt8] {
        guard member.size <= UInt64(limit) else { throw Self.invalid("\(member.name) is larger than it may be") }
        let contents = try open(member)
        var bytes: [UInt8] = []
        while let piece = try contents.next() { bytes += piece }
        return bytes
    }

    final class Contents {
        private let member: Member
        private let file: FileHandle
        private var position: UInt64
        private var left: UInt64
        private var produced: UInt64 = 0
        private var checksum = Checksum()
        private let inflater: Inflater?

        fileprivate init(_ member: Member, _ file: FileHandle, _ start: UInt64) {
            self.member = member
            self.file = file
            position = start
            left = member.compressed
            inflater = member.method == 8 ? Inflater() : nil
        }

        /// nil at the end, once size and checksum were found to be right.
        func next() throws(Failure) -> [UInt8]? {
            while true {
                let piece: [UInt8]
                if let inflater {
                    if inflater.isAtEnd { return try finish() }
                    if inflater.isHungry, left > 0 { inflater.feed(try take()) }
                    guard let output = inflater.next() else { throw damaged }
                    piece = output
                    guard !piece.isEmpty || inflater.isAtEnd || left > 0 else { throw damaged }
                } else {
                    if left == 0 { return try finish() }
                    piece = try take()
                }
                guard !piece.isEmpty else { continue }
                produced += UInt64(piece.count)
                guard produced <= member.size else { throw damaged }
                checksum.add(piece)
                return piece
            }
        }

        private func take() throws(Failure) -> [UInt8] {
            let bytes = try ZipReader.read(file, at: position, count: Int(min(left, 64 << 10)))
            guard !bytes.isEmpty else { throw damaged }
            position += UInt64(bytes.count)
            left -= UInt64(bytes.count)
            return bytes
        }

        private func finish() throws(Failure) -> [UInt8]? {
            // Neither before the member's end nor behind it: what is left over would be read by nobody.
            guard left == 0, inflater?.isHungry ?? true, produced == member.size, checksum.value == member.checksum
            else { throw damaged }
            return nil
        }

        private var damaged: Failure { ZipReader.invalid("\(member.name) is damaged") }
    }
}

/// Numbers and names out of bytes that may end too early.
private struct Bytes {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

    var isAtEnd: Bool { position >= bytes.count }

    mutating func take(_ count: Int) throws(Failure) -> ArraySlice<UInt8> {
        guard count >= 0, count <= bytes.count - position else { throw ZipReader.invalid("its directory is damaged") }
        defer { position += count }
        return bytes[position..<(position + count)]
    }

    mutating func skip(_ count: Int) throws(Failure) { _ = try take(count) }

    /// The smallest byte first.
    mutating func number(_ count: Int) throws(Failure) -> UInt64 {
        try take(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
