import Shiplog

/// POSIX ustar archives of plain files, as a stream in both directions. `tar` reads what this writes, and the other way
/// round.
enum Tar {
    static let block = 512
    static let end = [UInt8](repeating: 0, count: 2 * block)

    /// What stands in front of a file. A size from 8 GiB on is written in base 256, as GNU's and BSD's tar do.
    static func head(_ name: String, size: Int64, at time: Timestamp) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: block)
        func put(_ text: String, _ offset: Int) {
            for (index, byte) in text.utf8.enumerated() where offset + index < block { bytes[offset + index] = byte }
        }
        put(String(name.prefix(99)), 0)
        put("0000600", 100)
        put("0000000", 108)
        put("0000000", 116)
        if size < 1 << 33 {
            put(octal(size, 11), 124)
        } else {
            for index in 0..<8 { bytes[135 - index] = UInt8(truncatingIfNeeded: size >> (8 * Int64(index))) }
            bytes[124] = 0x80
        }
        put(octal(max(0, time.milliseconds / 1000), 11), 136)
        put("        ", 148)
        put("0", 156)
        put("ustar", 257)
        put("00", 263)
        put(octal(Int64(sum(bytes)), 6) + "\0 ", 148)
        return bytes
    }

    /// Zeros up to the next block.
    static func padding(after size: Int64) -> [UInt8] {
        [UInt8](repeating: 0, count: Int((Int64(block) - size % Int64(block)) % Int64(block)))
    }

    private static func octal(_ value: Int64, _ digits: Int) -> String {
        let text = String(value, radix: 8)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    fileprivate static func sum(_ head: [UInt8]) -> Int {
        head.enumerated().reduce(0) { $0 + ((148..<156).contains($1.offset) ? 32 : Int($1.element)) }
    }
}

/// Takes an archive apart as its bytes come in.
struct TarReader {
    enum Part {
        case file(name: String, size: Int64)
        case content(ArraySlice<UInt8>)
        case fileEnd
    }

    private enum State {
        case head
        case content(left: Int64, padding: Int)
        case padding(Int)
        /// How many blocks of zeros have been seen: two are the end.
        case end(Int)
    }

    private var state = State.head
    private var block: [UInt8] = []

    /// - Throws: `backup.damaged`, and what `take` throws.
    mutating func read(_ bytes: [UInt8], _ take: (Part) throws(Failure) -> Void) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            switch state {
            case .head, .end:
                let count = min(Tar.block - block.count, rest.count)
                block += rest.prefix(count)
                rest = rest.dropFirst(count)
                if block.count == Tar.block { try head(take) }
            case .content(let left, let padding):
                let count = Int(min(left, Int64(rest.count)))
                if count > 0 { try take(.content(rest.prefix(count))) }
                rest = rest.dropFirst(count)
                state = .content(left: left - Int64(count), padding: padding)
                if left == Int64(count) { try close(padding, take) }
            case .padding(let left):
                let count = min(left, rest.count)
                rest = rest.dropFirst(count)
                state = left == count ? .head : .padding(left - count)
            }
        }
    }

    /// - Throws: `backup.damaged` when the archive does not end here.
    func finish() throws(Failure) {
        guard case .end(let zeros) = state, zeros >= 2 else { throw Backup.damaged("its archive has no end") }
    }

    private mutating func close(_ padding: Int, _ take: (Part) throws(Failure) -> Void) throws(Failure) {
        try take(.fileEnd)
        state = padding == 0 ? .head : .padding(padding)
    }

    private mutating func head(_ take: (Part) throws(Failure) -> Void) throws(Failure) {
        let head = block
        block = []
        if head.allSatisfy({ $0 == 0 }) {
            if case .end(let zeros) = state { state = .end(min(zeros + 1, 2)) } else { state = .end(1) }
            return
        }
        guard case .head = state, Int64(Tar.sum(head)) == Self.number(head[148..<156]),
            let size = Self.number(head[124..<136]),
            size >= 0
        else { throw Backup.damaged("its archive is malformed") }
        let type = head[156]
        if type == UInt8(ascii: "5"), size == 0 { return }
        guard type == UInt8(ascii: "0") || type == 0 else {
            throw Backup.damaged("its archive holds what is no plain file")
        }
        let prefix = head[257..<262].elementsEqual("ustar".utf8) ? Self.text(head[345..<500]) : ""
        var name = (prefix.isEmpty ? "" : prefix + "/") + Self.text(head[0..<100])
        while name.hasPrefix("./") { name.removeFirst(2) }
        try take(.file(name: name, size: size))
        state = .content(left: size, padding: Tar.padding(after: size).count)
        if size == 0 { try close(0, take) }
    }

    private static func text(_ field: ArraySlice<UInt8>) -> String {
        String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
    }

    private static func number(_ field: ArraySlice<UInt8>) -> Int64? {
        guard let first = field.first else { return nil }
        if first == 0x80 {
            guard field.dropLast(8).dropFirst().allSatisfy({ $0 == 0 }) else { return nil }
            return Int64(exactly: field.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        }
        let digits = text(field).filter { $0 != " " }
        return digits.isEmpty ? 0 : Int64(digits, radix: 8)
    }
}
