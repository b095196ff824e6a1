/// RFC 4648 §4, with padding: what `Secret.data` and `!!binary` hold.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: some Collection<UInt8>) -> String {
        var result: [UInt8] = []
        result.reserveCapacity((bytes.count + 2) / 3 * 4)
        var pending: UInt32 = 0
        var count = 0
        func digit(_ shift: UInt32) -> UInt8 { alphabet[Int(pending >> shift & 63)] }
        for byte in bytes {
            pending = pending << 8 | UInt32(byte)
            count += 1
            if count == 3 {
                result += [digit(18), digit(12), digit(6), digit(0)]
                (pending, count) = (0, 0)
            }
        }
        let pad = UInt8(ascii: "=")
        if count == 1 {
            pending <<= 16
            result += [digit(18), digit(12), pad, pad]
        } else if count == 2 {
            pending <<= 8
            result += [digit(18), digit(12), digit(6), pad]
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// nil unless the text is base64 with its padding and without white space.
    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        guard text.count.isMultiple(of: 4) else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(text.count / 4 * 3)
        var pending: UInt32 = 0
        var digits = 0
        var padding = 0
        for byte in text {
            let value: UInt8
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = byte - 65
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = byte - 71
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte + 4
            case UInt8(ascii: "+"): value = 62
            case UInt8(ascii: "/"): value = 63
            case UInt8(ascii: "=") where digits >= 2:
                padding += 1
                value = 0
            default: return nil
            }
            guard padding == 0 || byte == UInt8(ascii: "=") else { return nil }
            pending = pending << 6 | UInt32(value)
            digits += 1
            if digits == 4 {
                let three = [UInt8(pending >> 16 & 255), UInt8(pending >> 8 & 255), UInt8(pending & 255)]
                result += three.prefix(3 - padding)
                (pending, digits) = (0, 0)
                if padding > 0 { padding = 3 }
            }
        }
        return result
    }
}
