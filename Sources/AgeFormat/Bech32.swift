/// The text form of age's keys (BIP 173), without its limit on the length.
enum Bech32 {
    private static let alphabet = Array("qpzry9x8gf2tvdw0s3jn54khce6mua7l".utf8)
    private static let values: [UInt8: UInt8] = Dictionary(
        zip(alphabet, 0..<32).map { ($0, UInt8($1)) }, uniquingKeysWith: { first, _ in first })

    /// In lower case.
    static func encode(_ prefix: String, _ bytes: [UInt8]) -> String {
        let data = regroup(bytes, from: 8, to: 5, pads: true) ?? []
        let checked = data + checksum(prefix, data)
        return prefix + "1" + String(decoding: checked.compactMap { digit(Int($0)) }, as: UTF8.self)
    }

    /// nil unless every character, the case, the padding and the checksum are right.
    static func decode(_ text: String) -> (prefix: String, bytes: [UInt8])? {
        let upper = text.uppercased()
        let lower = text.lowercased()
        guard text == upper || text == lower, let separator = lower.lastIndex(of: "1") else { return nil }
        let prefix = String(lower[..<separator])
        guard !prefix.isEmpty, prefix.utf8.allSatisfy({ (33...126).contains($0) }) else { return nil }
        var data: [UInt8] = []
        for character in lower[lower.index(after: separator)...].utf8 {
            guard let value = values[character] else { return nil }
            data.append(value)
        }
        guard data.count >= 6, polymod(expanded(prefix) + data) == 1,
            let bytes = regroup(Array(data.dropLast(6)), from: 5, to: 8, pads: false)
        else { return nil }
        return (prefix, bytes)
    }

    private static func digit(_ value: Int) -> UInt8? { alphabet.indices.contains(value) ? alphabet[value] : nil }

    private static func expanded(_ prefix: String) -> [UInt8] {
        prefix.utf8.map { $0 >> 5 } + [0] + prefix.utf8.map { $0 & 31 }
    }

    private static func checksum(_ prefix: String, _ data: [UInt8]) -> [UInt8] {
        let value = polymod(expanded(prefix) + data + [0, 0, 0, 0, 0, 0]) ^ 1
        return (0..<6).map { UInt8(truncatingIfNeeded: (value >> (5 * (5 - UInt32($0)))) & 31) }
    }

    private static func polymod(_ values: [UInt8]) -> UInt32 {
        let generator: [UInt32] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3]
        var check: UInt32 = 1
        for value in values {
            let top = check >> 25
            check = (check & 0x1ff_ffff) << 5 ^ UInt32(value)
            for (bit, term) in generator.enumerated() where (top >> UInt32(bit)) & 1 == 1 { check ^= term }
        }
        return check
    }

    /// nil when what is left over is more than padding, or is not zero.
    private static func regroup(_ values: [UInt8], from: UInt32, to: UInt32, pads: Bool) -> [UInt8]? {
        var (collected, bits): (UInt32, UInt32) = (0, 0)
        var result: [UInt8] = []
        let mask: UInt32 = (1 << to) - 1
        for value in values {
            collected = (collected << from | UInt32(value)) & 0xfff
            bits += from
            while bits >= to {
                bits -= to
                result.append(UInt8(truncatingIfNeeded: collected >> bits & mask))
            }
        }
        if pads {
            if bits > 0 { result.append(UInt8(truncatingIfNeeded: collected << (to - bits) & mask)) }
            return result
        }
        return bits < from && collected << (to - bits) & mask == 0 ? result : nil
    }
}
