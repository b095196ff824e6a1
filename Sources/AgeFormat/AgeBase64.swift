import Foundation

/// Base 64 as age writes it: without padding, and only the one spelling that an encoder makes.
enum AgeBase64 {
    static func encode(_ bytes: some Sequence<UInt8>) -> String {
        String(Data(bytes).base64EncodedString().prefix { $0 != "=" })
    }

    static func decode(_ text: some StringProtocol) -> [UInt8]? {
        guard !text.contains("="), text.utf8.count % 4 != 1 else { return nil }
        let padded = text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        guard let data = Data(base64Encoded: padded) else { return nil }
        // Bits that a last character has too many may be anything to Foundation.
        return encode(data) == String(text) ? Array(data) : nil
    }
}
