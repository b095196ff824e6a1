import Crypto
import Foundation
public import KubernetesAPI
public import Shiplog
import TransparencyLog

/// A place that takes checkpoints as the body of a POST.
public struct HTTPAnchor: Sendable {
    let name: String
    let url: String
    /// Read anew each time: tokens are rotated under a running server.
    let token: (@Sendable () throws(Failure) -> SecretText)?
    let client: HTTPClient

    static let patience = 15_000
    /// Of an answer; a longer one is no receipt.
    static let mostBytes = 64 << 10
    /// Of an answer that is kept word by word.
    static let keptBytes = 4096

    public init(
        name: String, url: String, token: (@Sendable () throws(Failure) -> SecretText)? = nil,
        client: HTTPClient = .shared
    ) {
        self.name = name
        self.url = url
        self.token = token
        self.client = client
    }

    func take(_ checkpoint: Checkpoint) async throws(Failure) -> Receipt {
        let secret = try token?()
        var headers = [(name: "Content-Type", value: "text/plain; charset=utf-8")]
        if let secret { headers.append((name: "Authorization", value: "Bearer " + secret.revealed)) }
        var request = HTTPRequest("POST", url, headers: headers, body: checkpoint.note.bytes)
        request.timeoutMilliseconds = Self.patience
        request.maximumBodyBytes = Self.mostBytes
        request.mayBeRepeated = false
        let response = try await client.send(request)
        guard response.isSuccess else {
            let isTheirs = response.status == 429 || response.status >= 500
            throw Failure(
                "log.anchor-refused", "the anchor \(name) answered \(response.status)",
                remedy: "check its address and token", next: isTheirs ? .retry(afterMilliseconds: nil) : .person)
        }
        var receipt = Receipt(facts: [
            "status": .integer(Int64(response.status)),
            "answerDigest": .string("sha256:" + Array(SHA256.hash(data: response.body)).hex)
        ])
        if !response.body.isEmpty { receipt.detail = ["answer": .string(Self.kept(response.body, secret))] }
        return receipt
    }

    /// How another program may write a text: as it is, in base64 of both alphabets with and without its padding, and as a
    /// part of a URL, with as few or as many characters escaped as anybody escapes.
    private static func forms(of secret: String) -> [String] {
        let base64 = Data(secret.utf8).base64EncodedString()
        let other = base64.replacing("+", with: "-").replacing("/", with: "_")
        var forms = [secret, base64, other]
        forms += [base64, other].map { String($0.prefix { $0 != "=" }) }
        for allowed in [CharacterSet.urlQueryAllowed, .urlPathAllowed, .urlHostAllowed, .alphanumerics, unreserved] {
            for text in [secret, base64] {
                guard let escaped = text.addingPercentEncoding(withAllowedCharacters: allowed) else { continue }
                forms += [escaped, escaped.replacing("%20", with: "+"), lowercased(escaped)]
            }
        }
        // The longest first: a shorter one may be a part of it.
        return Set(forms).sorted { ($0.utf8.count, $0) > ($1.utf8.count, $1) }
    }

    /// RFC 3986, 2.3.
    private static let unreserved = CharacterSet(
        charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

    /// `%2F` as `%2f`, and nothing else.
    private static func lowercased(_ escaped: String) -> String {
        escaped.replacing(#/%[0-9A-F]{2}/#) { $0.output.lowercased() }
    }

    /// As much of an answer as is kept, without the token if the other side repeats it.
    static func kept(_ body: [UInt8], _ secret: SecretText?) -> String {
        var text = String(decoding: body, as: UTF8.self)
        if let secret = secret?.revealed, !secret.isEmpty {
            for form in forms(of: secret) { text = text.replacing(form, with: "[token]") }
        }
        // Cut behind the last whole character that fits.
        var kept = ""
        var count = 0
        for scalar in text.unicodeScalars {
            count += UTF8.width(scalar)
            if count > keptBytes { break }
            kept.unicodeScalars.append(scalar)
        }
        return kept
    }
}
