import Shiplog

/// Checks in one pass, without building anything, that bytes are an entry in canonical form (RFC 8785), and picks out the
/// few members that verifying needs. What it cannot judge by bytes alone (fractions, names that are not ASCII) it leaves to
/// the slow way: parse and write again.
struct CanonicalScanner {
    /// What was picked out. Ranges are into the entry.
    struct Entry {
        var format: Int64 = 0
        var sequence: Int64 = 0
        var recordedAt: Int64?
        var sameAs: Int64?
        var attempt: Int64?
        var kind: Range<Int>?
        var application: Range<Int>?
        var hasPin = false
        /// Names and digests of bodies, in order of the names.
        var bodies: [(name: Range<Int>, digest: Range<Int>)] = []
    }

    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0
    private var isASCII = true
    private var needsSlowWay = false
    private var entry = Entry()

    private init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    /// nil when the bytes are no canonical JSON object.
    static func scan(_ bytes: UnsafeBufferPointer<UInt8>) -> Entry? {
        var scanner = CanonicalScanner(bytes)
        guard scanner.object(depth: 0), scanner.position == bytes.count else { return nil }
        if !scanner.isASCII, String(validating: bytes, as: UTF8.self) == nil { return nil }
        if scanner.needsSlowWay {
            guard let json = try? JSON(parsing: bytes), json.canonicalBytes.elementsEqual(bytes) else { return nil }
        }
        return scanner.entry
    }

    private var current: UInt8 { position < bytes.count ? bytes[position] : 0 }

    private mutating func pass(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        position += 1
        return true
    }

    private mutating func object(depth: Int, member: Member = .other) -> Bool {
        guard depth < 64, pass(0x7B) else { return false }
        if pass(0x7D) { return true }
        var previous: Range<Int>?
        while true {
            guard let name = string(isName: true), pass(0x3A) else { return false }
            if let previous, !precedes(previous, name) { return false }
            previous = name
            guard value(depth: depth + 1, member: self.member(name, in: member, depth: depth), name) else {
                return false
            }
            if pass(0x2C) { continue }
            return pass(0x7D)
        }
    }

    private mutating func array(depth: Int) -> Bool {
        guard depth < 64, pass(0x5B) else { return false }
        if pass(0x5D) { return true }
        while true {
            guard value(depth: depth + 1, member: .other, 0..<0) else { return false }
            if pass(0x2C) { continue }
            return pass(0x5D)
        }
    }

    /// Members whose values are wanted.
    private enum Member {
        case other, format, sequence, recordedAt, sameAs, attempt, kind, application, uid, bodies, body
    }

    private func member(_ name: Range<Int>, in parent: Member, depth: Int) -> Member {
        if parent == .bodies { return .body }
        if parent == .application { return equals(name, "uid") ? .uid : .other }
        guard depth == 0 else { return .other }
        switch bytes[name.lowerBound] {
        case UInt8(ascii: "f"): return equals(name, "format") ? .format : .other
        case UInt8(ascii: "s"):
            return equals(name, "sequence") ? .sequence : equals(name, "sameAs") ? .sameAs : .other
        case UInt8(ascii: "r"): return equals(name, "recordedAt") ? .recordedAt : .other
        case UInt8(ascii: "a"):
            return equals(name, "application") ? .application : equals(name, "attempt") ? .attempt : .other
        case UInt8(ascii: "k"): return equals(name, "kind") ? .kind : .other
        case UInt8(ascii: "b"): return equals(name, "bodies") ? .bodies : .other
        default: return .other
        }
    }

    private func equals(_ range: Range<Int>, _ word: StaticString) -> Bool {
        guard range.count == word.utf8CodeUnitCount else { return false }
        for index in 0..<range.count where bytes[range.lowerBound + index] != word.utf8Start[index] { return false }
        return true
    }

    /// Strictly before, by bytes; what is not plain ASCII is judged the slow way.
    private func precedes(_ left: Range<Int>, _ right: Range<Int>) -> Bool {
        let common = min(left.count, right.count)
        for index in 0..<common {
            let (first, second) = (bytes[left.lowerBound + index], bytes[right.lowerBound + index])
            if first != second { return first < second || needsSlowWay }
        }
        return left.count < right.count
    }

    private mutating func value(depth: Int, member: Member, _ name: Range<Int>) -> Bool {
        if depth == 1, member == .other, equals(name, "pin") { entry.hasPin = true }
        switch current {
        case UInt8(ascii: "{"): return object(depth: depth, member: member)
        case UInt8(ascii: "["): return array(depth: depth)
        case UInt8(ascii: "\""):
            guard let range = string(isName: false) else { return false }
            switch member {
            case .kind: entry.kind = range
            case .uid: entry.application = range
            case .body: entry.bodies.append((name, range))
            default: break
            }
            return true
        case UInt8(ascii: "t"): return word("true")
        case UInt8(ascii: "f"): return word("false")
        case UInt8(ascii: "n"): return word("null")
        default:
            guard let number = integer() else { return false }
            switch member {
            case .format: entry.format = number
            case .sequence: entry.sequence = number
            case .recordedAt: entry.recordedAt = number
            case .sameAs: entry.sameAs = number
            case .attempt: entry.attempt = number
            default: break
            }
            return true
        }
    }

    private mutating func word(_ word: StaticString) -> Bool {
        guard position + word.utf8CodeUnitCount <= bytes.count,
            equals(position..<(position + word.utf8CodeUnitCount), word)
        else { return false }
        position += word.utf8CodeUnitCount
        return true
    }

    /// The content's range. Only what must be escaped is, in its shortest form.
    private mutating func string(isName: Bool) -> Range<Int>? {
        guard pass(0x22) else { return nil }
        let start = position
        while position < bytes.count {
            let byte = bytes[position]
            if byte == 0x22 {
                position += 1
                return start..<(position - 1)
            }
            if byte < 0x20 { return nil }
            if byte == 0x5C {
                if isName { needsSlowWay = true }
                guard escape() else { return nil }
                continue
            }
            if byte >= 0x80 {
                isASCII = false
                if isName { needsSlowWay = true }
            }
            position += 1
        }
        return nil
    }

    private mutating func escape() -> Bool {
        position += 1
        switch current {
        case 0x22, 0x5C, UInt8(ascii: "b"), UInt8(ascii: "t"), UInt8(ascii: "n"), UInt8(ascii: "f"), UInt8(ascii: "r"):
            position += 1
            return true
        case UInt8(ascii: "u"):
            // Only control characters without a short form: \u0000…\u001f, lower-case.
            guard position + 5 <= bytes.count, equals((position + 1)..<(position + 3), "00") else { return false }
            let (high, low) = (bytes[position + 3], bytes[position + 4])
            guard high == 0x30 || high == 0x31 else { return false }
            guard (0x30...0x39).contains(low) || (0x61...0x66).contains(low) else { return false }
            if high == 0x30, [0x38, 0x39, 0x61, 0x63, 0x64].contains(low) { return false }
            position += 5
            return true
        default: return false
        }
    }

    /// An integer within ±2^53. A fraction or an exponent is left to the slow way.
    private mutating func integer() -> Int64? {
        let isNegative = pass(0x2D)
        let start = position
        var value: Int64 = 0
        while (0x30...0x39).contains(current), position - start < 17 {
            value = value * 10 + Int64(current - 0x30)
            position += 1
        }
        let count = position - start
        guard count > 0 else { return nil }
        if current == 0x2E || current == 0x65 || current == 0x45 || (0x30...0x39).contains(current) {
            needsSlowWay = true
            while (0x30...0x39).contains(current) || [0x2E, 0x65, 0x45, 0x2B, 0x2D].contains(current) { position += 1 }
            return 0
        }
        guard count == 1 || bytes[start] != 0x30, !(isNegative && value == 0), value <= 9_007_199_254_740_992 else {
            return nil
        }
        return isNegative ? -value : value
    }
}
