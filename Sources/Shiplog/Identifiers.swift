/// Git's name for a commit: 40 lower-case hexadecimal digits (SHA-1).
public struct CommitID: Sendable, Hashable, CustomStringConvertible {
    public let hex: String

    /// nil unless the text is 40 hexadecimal digits.
    public init?(_ text: String) {
        let lower = text.lowercased()
        guard lower.utf8.count == 40, lower.utf8.allSatisfy(isLowerHex) else { return nil }
        hex = lower
    }

    /// The first seven digits, as people quote it.
    public var short: String { String(hex.prefix(7)) }
    public var description: String { hex }
}

/// A SHA-256 digest, written `sha256:` and 64 lower-case hexadecimal digits.
public struct Digest: Sendable, Hashable, CustomStringConvertible {
    /// Exactly 32 bytes.
    public let bytes: [UInt8]

    /// nil unless there are 32 bytes.
    public init?(bytes: some Sequence<UInt8>) {
        let all = Array(bytes)
        guard all.count == 32 else { return nil }
        self.bytes = all
    }

    /// nil unless the text is `sha256:` and 64 hexadecimal digits.
    public init?(_ text: String) {
        guard text.hasPrefix("sha256:"), let bytes = [UInt8](hex: text.dropFirst(7)) else { return nil }
        self.init(bytes: bytes)
    }

    public var description: String { "sha256:" + bytes.hex }
    /// The first twelve digits, for people.
    public var short: String { String(bytes.hex.prefix(12)) }
}

/// A place in the ledger: 1, 2, 3, … without a gap; the only id of a revision or an event.
public struct SequenceNumber: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let value: Int64

    /// nil unless positive.
    public init?(_ value: Int64) {
        guard value > 0 else { return nil }
        self.value = value
    }

    /// Reads `48211` or `#48211`.
    public init?(_ text: String) {
        guard let value = Int64(text.hasPrefix("#") ? text.dropFirst() : text[...]) else { return nil }
        self.init(value)
    }

    public static func < (left: SequenceNumber, right: SequenceNumber) -> Bool { left.value < right.value }
    public var description: String { "#\(value)" }
}

/// An application's own id, made when it is first applied and never reused: history follows it, not the name.
public struct ApplicationUID: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let value: String

    /// nil unless 1…63 lower-case letters, digits and hyphens: it is also a label's value in the cluster.
    public init?(_ text: String) {
        let allowed = text.utf8.allSatisfy { isLowerHex($0) || (0x67...0x7A).contains($0) || $0 == UInt8(ascii: "-") }
        guard (1...63).contains(text.utf8.count), allowed, text.first != "-", text.last != "-" else { return nil }
        value = text
    }

    public static func < (left: ApplicationUID, right: ApplicationUID) -> Bool { left.value < right.value }
    public var description: String { value }
}

func isLowerHex(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
}

extension [UInt8] {
    /// Two lower-case hexadecimal digits a byte.
    public var hex: String {
        String(decoding: flatMap { [hexDigit($0 >> 4), hexDigit($0 & 15)] }, as: UTF8.self)
    }

    /// nil unless the text is pairs of hexadecimal digits.
    public init?(hex text: some StringProtocol) {
        let digits = Array(text.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        self = []
        reserveCapacity(digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = Character(Unicode.Scalar(digits[index])).hexDigitValue,
                let low = Character(Unicode.Scalar(digits[index + 1])).hexDigitValue
            else { return nil }
            append(UInt8(high << 4 | low))
        }
    }
}
