import Crypto
import Foundation
import Shiplog

/// Checks what a delivery shows as proof. Takes as long whichever byte differs and whichever secret matches.
struct WebhookProof: Sendable {
    /// Comparing keyed digests instead of the texts hides their lengths too.
    private let key = SymmetricKey(size: .bits256)

    /// GitLab sends the secret itself (`X-Gitlab-Token`).
    /// - Returns: for each secret, in order, whether it is the one that was shown. An empty one never is.
    func matches(_ shown: String?, _ secrets: [SecretText]) -> [Bool] {
        let given = HMAC<SHA256>.authenticationCode(for: Data((shown ?? "").utf8), using: key)
        let isEmpty = shown?.isEmpty ?? true
        return secrets.map { secret in
            let isSame = HMAC<SHA256>.isValidAuthenticationCode(
                given, authenticating: Data(secret.revealed.utf8), using: key)
            return isSame && !isEmpty && !secret.revealed.isEmpty
        }
    }

    /// GitHub sends `X-Hub-Signature-256: sha256=` and the HMAC-SHA256 of the body's bytes, in hexadecimal digits.
    static func isSigned(_ body: [UInt8], _ header: String?, _ secret: SecretText) -> Bool {
        guard let header, header.hasPrefix("sha256="), !secret.revealed.isEmpty,
            let signature = [UInt8](hex: header.dropFirst(7)), signature.count == 32
        else { return false }
        return HMAC<SHA256>.isValidAuthenticationCode(
            signature, authenticating: body, using: SymmetricKey(data: Data(secret.revealed.utf8)))
    }
}
