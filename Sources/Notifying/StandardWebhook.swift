import Crypto
import Foundation
import Shiplog

/// How a receiver knows that a notification is ours and new: <https://www.standardwebhooks.com>, symmetric signatures.
enum StandardWebhook {
    /// - Parameter key: as the scheme writes it (`whsec_` and base64), or any text, whose bytes are the key then.
    static func headers(
        id: String, at time: Timestamp, body: [UInt8], key: SecretText?
    ) -> [(name: String, value: String)] {
        let seconds = String(time.milliseconds / 1000)
        var headers = [(name: "webhook-id", value: id), (name: "webhook-timestamp", value: seconds)]
        guard let key else { return headers }
        var signature = HMAC<SHA256>(key: SymmetricKey(data: bytes(of: key)))
        signature.update(data: Data("\(id).\(seconds).".utf8))
        signature.update(data: body)
        headers.append(
            (name: "webhook-signature", value: "v1," + Data(signature.finalize()).base64EncodedString()))
        return headers
    }

    private static func bytes(of key: SecretText) -> Data {
        let text = key.revealed
        guard text.hasPrefix("whsec_"), let bytes = Data(base64Encoded: String(text.dropFirst(6))) else {
            return Data(text.utf8)
        }
        return bytes
    }
}
