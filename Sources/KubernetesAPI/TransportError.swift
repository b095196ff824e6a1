import CCurl
import Shiplog

/// Why there is no answer.
struct TransportError: Error, Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case cancelled
        case timedOut
        case connection
        case tls
        case tooLarge
        case busy
        case invalidRequest
    }

    let kind: Kind
    /// A sentence without its full stop, free of header values and bodies.
    let message: String
    /// Whether the server may have seen the request, or a part of it.
    let mayHaveArrived: Bool

    init(_ kind: Kind, _ message: String, mayHaveArrived: Bool = false) {
        self.kind = kind
        self.message = message
        self.mayHaveArrived = mayHaveArrived
    }

    static let cancelled = TransportError(.cancelled, "the request was cancelled", mayHaveArrived: true)
    static let closed = TransportError(.connection, "the HTTP client has been shut down")

    /// From libcurl's result and the text it left for people.
    static func from(_ code: CURLcode, detail: String, mayHaveArrived: Bool) -> TransportError {
        let text = (detail.isEmpty ? String(cString: curl_easy_strerror(code)) : detail).tamed(300)
        let kind: Kind =
            switch code {
            case CURLE_OPERATION_TIMEDOUT: .timedOut
            case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
                CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS, CURLE_USE_SSL_FAILED:
                .tls
            case CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT, CURLE_UNKNOWN_OPTION, CURLE_BAD_FUNCTION_ARGUMENT:
                .invalidRequest
            default: .connection
            }
        return TransportError(kind, text, mayHaveArrived: mayHaveArrived)
    }

    /// As `http.…`, for users of `HTTPClient`.
    func failure(_ request: HTTPRequest) -> Failure {
        let place = (try? HTTPAddress(request.url))?.authority ?? "the server"
        return switch kind {
        case .cancelled:
            Failure("http.cancelled", "the request to \(place) was cancelled", next: .retry(afterMilliseconds: nil))
        case .timedOut:
            Failure(
                "http.timeout", "\(place) did not answer in time: \(message)", remedy: "check that the server is up",
                next: .retry(afterMilliseconds: nil))
        case .connection:
            Failure(
                "http.unreachable", "\(place) cannot be reached: \(message)",
                remedy: "check the address and that the server is up", next: .retry(afterMilliseconds: nil))
        case .tls:
            Failure(
                "http.tls", "no trusted connection to \(place): \(message)",
                remedy: "check the certificate, its names and the authority given for it")
        case .tooLarge: Failure("http.too-large", "the answer of \(place) is too large: \(message)")
        case .busy:
            Failure("http.busy", "\(message)", next: .retry(afterMilliseconds: 1000))
        case .invalidRequest: Failure("http.request-invalid", "the request cannot be sent: \(message)")
        }
    }
}
