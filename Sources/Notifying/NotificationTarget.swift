public import KubernetesAPI
public import Shiplog

/// Where notifications go, and how hard it is tried.
public struct NotificationTarget: Sendable {
    /// Reads a secret, or an address that is one, anew each time: files are rotated under a running server.
    public typealias Secret = @Sendable () throws(Failure) -> SecretText

    public enum Address: Sendable {
        case plain(String)
        case secret(Secret)
    }

    public struct Patience: Sendable, Hashable {
        /// How often one notification is tried, the first time included; at least once.
        public var tries = 10
        /// Milliseconds before the second try; each further one waits twice as long.
        public var initial: Int64 = 1000
        public var maximum: Int64 = 300_000
        /// For one try.
        public var timeout = 10_000

        public init() {}

        /// The wait before try `number` (2, 3, …): half of it is chance, so that targets do not all come at once.
        func delay(before number: Int, chance: Double, asked: Int64?) -> Int64 {
            var delay = min(maximum, max(1, initial))
            // Never near an overflow: it stops at the maximum, which is a day at most.
            for _ in 0..<max(0, number - 2) where delay < maximum { delay = min(maximum, delay * 2) }
            let jittered = delay / 2 + Int64(Double(delay / 2) * min(1, max(0, chance)))
            return min(maximum, max(jittered, asked ?? 0))
        }
    }

    public let name: String
    public var address: Address
    /// Signs what is sent.
    public var key: Secret?
    /// Goes with it as a bearer token.
    public var token: Secret?
    public var rule: NotificationRule
    public var patience: Patience
    public var client: HTTPClient

    public init(
        name: String, address: Address, key: Secret? = nil, token: Secret? = nil, rule: NotificationRule = .init(),
        patience: Patience = .init(), client: HTTPClient = .shared
    ) {
        self.name = name
        self.address = address
        self.key = key
        self.token = token
        self.rule = rule
        self.patience = patience
        self.client = client
    }

    /// What may be shown of the address.
    var shownAddress: String? { if case .plain(let url) = address { url } else { nil } }

    /// What is wrong with a notification's delivery: an answer's status, or a failure of which only the code is kept, as
    /// its message may quote an address that is a secret.
    struct Miss: Error, Hashable {
        var code: Failure.Code
        var status: Int?
        /// Milliseconds that the target asks to be left alone for.
        var wait: Int64?
    }

    /// Sends one notification, once.
    /// - Returns: the status of the answer.
    func send(id: String, _ body: [UInt8], at time: Timestamp) async throws(Miss) -> Int {
        let response: HTTPResponse
        do throws(Failure) {
            let url =
                switch address {
                case .plain(let url): url
                case .secret(let read): try read().revealed
                }
            var headers = [(name: "Content-Type", value: "application/cloudevents+json; charset=utf-8")]
            headers += StandardWebhook.headers(id: id, at: time, body: body, key: try key?())
            if let token { headers.append((name: "Authorization", value: "Bearer " + (try token().revealed))) }
            var request = HTTPRequest("POST", url, headers: headers, body: body)
            request.timeoutMilliseconds = patience.timeout
            // What a target answers is of no interest: the status says it all.
            request.maximumBodyBytes = 64 << 10
            request.mayBeRepeated = false
            response = try await client.send(request)
        } catch {
            throw Miss(code: error.code)
        }
        guard response.isSuccess else {
            let asksToWait = response.status == 429 || response.status == 503
            let seconds = asksToWait ? response.header("retry-after").flatMap { Int64($0) } : nil
            throw Miss(
                code: "notification.refused", status: response.status,
                wait: seconds.map { min(86_400, max(0, $0)) * 1000 })
        }
        return response.status
    }
}
