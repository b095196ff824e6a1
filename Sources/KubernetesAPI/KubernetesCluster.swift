public import Shiplog
import Synchronization

/// A live Kubernetes cluster over HTTPS.
///
/// What may be repeated without harm is tried again on connection failures, 429 and 5xx, within `options.retry`.
/// Besides the codes at the end of `Cluster.swift` it throws `cluster.cancelled`, `cluster.tls`,
/// `cluster.answer-invalid`, `cluster.answer-too-large`, `cluster.name-invalid`, `cluster.kind-unknown`,
/// `cluster.credential-invalid`, `cluster.credential-plugin` and `file.unreadable`.
public final class KubernetesCluster: Cluster {
    public struct Options: Sendable {
        /// Of one try; a list has four times as long, and is given up when nothing arrives for this long.
        public var requestTimeoutMilliseconds = 30_000
        public var connectTimeoutMilliseconds = 10_000
        public var retry = RetryPolicy()
        /// Objects a page of a list.
        public var pageSize = 500
        public var maximumPageBytes = 256 << 20
        /// Of all pages of one list together.
        public var maximumListBytes = 1 << 30
        /// For how long discovery's answer is taken as current, unless asked to refresh.
        public var catalogAgeMilliseconds: Int64 = 600_000
        /// How long a watch lasts before the server is to end it; drawn at random, so that they do not all end at once.
        public var watchSeconds = 300...600
        /// nil for none.
        public var requestsPerSecond: Double? = 1000
        /// Called with each `Warning` header of an answer that is not about a Secret.
        public var onWarning: (@Sendable (String) -> Void)?

        public init() {}
    }

    public let name: String
    public var server: String { connection.server }

    let connection: ClusterConnection
    let options: Options
    private let client: HTTPClient
    private let credentials: CredentialSource
    private let limit: RateLimit?
    private let counters = Mutex(RequestMetrics())
    let schemas = Mutex(SchemaMemory())
    let discovered = Mutex<(catalog: KindCatalog, at: ContinuousClock.Instant)?>(nil)

    /// - Parameter name: the one in the configuration, for messages.
    public init(
        name: String, connection: ClusterConnection, options: Options = Options(), client: HTTPClient = .shared
    ) {
        self.name = name
        self.connection = connection
        self.options = options
        self.client = client
        credentials = CredentialSource(connection.credential)
        limit = options.requestsPerSecond.map(RateLimit.init(perSecond:))
    }

    /// What has been asked and answered since the start.
    public var metrics: RequestMetrics { counters.withLock { $0 } }

    public func identity() async throws(Failure) -> String {
        let call = Call(.get, "read the cluster's identity", path: "/api/v1/namespaces/kube-system")
        let object = try await json(call)
        guard let uid = object.at("metadata", "uid")?.string, !uid.isEmpty else {
            throw invalidAnswer(call, "the namespace kube-system has no UID")
        }
        return uid
    }
}

extension KubernetesCluster {
    /// One request, before retries and credentials.
    struct Call: Sendable {
        enum Verb: String { case get, list, watch, apply, create, update, patch, delete, discover }

        let verb: Verb
        /// For messages: `apply apps/Deployment default/web`.
        let act: String
        var method = "GET"
        var path: String
        var query: [(String, String)] = []
        var contentType: String?
        var body: [UInt8]?
        var accept = "application/json"
        /// Whether the server may see it twice without harm.
        var mayBeRepeated = true
        /// Whether what the server says may hold a Secret's values.
        var isSecret = false

        init(_ verb: Verb, _ act: String, path: String) {
            self.verb = verb
            self.act = act
            self.path = path
        }
    }

    enum Answer { case success(HTTPResponse), refused(APIStatus) }

    /// Sends it, again if need be. Refusals are answered; only what never got an answer throws.
    func answer(_ call: Call) async throws(Failure) -> Answer {
        let start = ContinuousClock.now
        var failed = 0
        var hasRenewed = false
        while true {
            let result = await attempt(call)
            failed += 1
            let asked: Int64?
            let outcome: Result<Answer, Failure>
            switch result {
            case .success(let response) where response.isSuccess:
                report(response, call)
                return .success(response)
            case .success(let response):
                let status = APIStatus(response)
                if status.code == 401, !hasRenewed, await credentials.refused() {
                    hasRenewed = true
                    continue
                }
                guard mayRetry(status, call) else { return .refused(status) }
                (outcome, asked) = (.success(.refused(status)), status.retryAfter)
            case .failure(.transport(let error)):
                guard mayRetry(error, call) else { throw failure(error, call) }
                (outcome, asked) = (.failure(failure(error, call)), nil)
            case .failure(.credential(let failure)): throw failure.during("cluster \(name)")
            }
            let spent = Int64((ContinuousClock.now - start) / .milliseconds(1))
            guard
                let wait = options.retry.wait(
                    failed: failed, asked: asked, spent: spent, fraction: Double.random(in: 0...1))
            else { return try outcome.get() }
            try await pause(milliseconds: wait, call)
            counters.withLock { $0.retries += 1 }
        }
    }

    private enum AttemptError: Error {
        case transport(TransportError)
        case credential(Failure)
    }

    private func attempt(_ call: Call) async -> Result<HTTPResponse, AttemptError> {
        do throws(Failure) {
            if let wait = limit?.reserve(), wait > .zero {
                try await pause(milliseconds: Int64(wait / .milliseconds(1)), call)
            }
            let request = try await request(call)
            let start = ContinuousClock.now
            do throws(TransportError) {
                let response = try await client.perform(request)
                count(call, response.status, since: start)
                return .success(response)
            } catch {
                count(call, 0, since: start)
                return .failure(.transport(error))
            }
        } catch {
            return .failure(.credential(error))
        }
    }

    /// Opens a stream of lines, without retries: whoever watches lists again first.
    func stream(
        _ call: Call, timeoutMilliseconds: Int, deliver: (_ line: [UInt8]) async -> Bool
    ) async throws(Failure) -> Answer {
        var request = try await request(call)
        request.timeoutMilliseconds = timeoutMilliseconds
        request.silenceMilliseconds = nil
        let opened = request
        return try await once(call) { () async throws(TransportError) in
            try await self.client.stream(opened, deliver: deliver)
        }
    }

    /// Opens a stream of bytes as they come, without retries.
    func pieces(
        _ call: Call, timeoutMilliseconds: Int, deliver: (_ piece: [UInt8]) async -> Bool
    ) async throws(Failure) -> Answer {
        var request = try await request(call)
        request.timeoutMilliseconds = timeoutMilliseconds
        let opened = request
        return try await once(call) { () async throws(TransportError) in
            try await self.client.flow(opened, deliver: deliver)
        }
    }

    /// What a request is answered that is not sent again.
    private func once(
        _ call: Call, _ send: () async throws(TransportError) -> HTTPResponse
    ) async throws(Failure) -> Answer {
        do throws(TransportError) {
            let response = try await send()
            count(call, response.status, since: nil)
            if response.isSuccess { return .success(response) }
            if response.status == 401 { _ = await credentials.refused() }
            return .refused(APIStatus(response))
        } catch {
            count(call, 0, since: nil)
            throw failure(error, call)
        }
    }

    private func request(_ call: Call) async throws(Failure) -> HTTPRequest {
        let identity = try await credentials.identity()
        var url = connection.server + call.path
        for (index, (key, value)) in call.query.enumerated() {
            url += (index == 0 ? "?" : "&") + key + "=" + value.percentEncoded
        }
        var headers = [(name: "Accept", value: call.accept), (name: "User-Agent", value: "shiplog")]
        if let type = call.contentType { headers.append(("Content-Type", type)) }
        if let token = identity.token { headers.append(("Authorization", "Bearer " + token.revealed)) }
        var tls = connection.tls
        if let certificate = identity.certificate { (tls.certificate, tls.key) = (certificate, identity.key) }
        var request = HTTPRequest(call.method, url, headers: headers, body: call.body, tls: tls)
        request.proxy = connection.proxy
        request.connectTimeoutMilliseconds = options.connectTimeoutMilliseconds
        request.timeoutMilliseconds = options.requestTimeoutMilliseconds
        if call.verb == .list {
            request.timeoutMilliseconds = options.requestTimeoutMilliseconds * 4
            request.silenceMilliseconds = options.requestTimeoutMilliseconds
        }
        request.maximumBodyBytes = options.maximumPageBytes
        request.mayBeRepeated = call.mayBeRepeated
        return request
    }

    private func mayRetry(_ status: APIStatus, _ call: Call) -> Bool {
        switch status.code {
        case 429: true
        case 500, 502, 503, 504: call.mayBeRepeated
        // The server's own optimistic writes ran into each other; a resourceVersion of ours would not allow it.
        case 409: call.verb == .apply && status.reason == "Conflict" && !status.isFieldConflict && call.mayBeRepeated
        default: false
        }
    }

    private func mayRetry(_ error: TransportError, _ call: Call) -> Bool {
        switch error.kind {
        case .connection, .timedOut: call.mayBeRepeated || !error.mayHaveArrived
        case .busy: true
        case .cancelled, .tls, .tooLarge, .invalidRequest: false
        }
    }

    private func pause(milliseconds: Int64, _ call: Call) async throws(Failure) {
        do {
            try await Task.sleep(for: .milliseconds(milliseconds))
        } catch {
            throw failure(.cancelled, call)
        }
    }

    private func count(_ call: Call, _ status: Int, since start: ContinuousClock.Instant?) {
        let spent = start.map { Int64((ContinuousClock.now - $0) / .milliseconds(1)) } ?? 0
        counters.withLock { metrics in
            metrics.requests[RequestMetrics.Key(verb: call.verb.rawValue, status: status), default: 0] += 1
            metrics.milliseconds += spent
        }
    }

    private func report(_ response: HTTPResponse, _ call: Call) {
        guard let onWarning = options.onWarning, !call.isSecret else { return }
        for (name, value) in response.headers where name == "warning" {
            // `299 - "text"` (RFC 7234 §5.5)
            let text = value.split(separator: "\"", maxSplits: 1).dropFirst().first.map(String.init) ?? value
            onWarning((text.hasSuffix("\"") ? String(text.dropLast()) : text).tamed())
        }
    }

    // MARK: Failures

    func failure(_ error: TransportError, _ call: Call) -> Failure {
        let message = "\(call.act) on cluster \(name): \(error.message)"
        let again = Failure.Next.retry(afterMilliseconds: nil)
        return switch error.kind {
        case .cancelled: Failure("cluster.cancelled", message, next: again)
        case .connection, .timedOut:
            Failure(.clusterUnreachable, message, remedy: "check that \(server) can be reached from here", next: again)
        case .tls:
            Failure(
                "cluster.tls", message, remedy: "check the authority, the names and the dates of the certificates",
                next: again)
        case .busy: Failure(.clusterBusy, message, next: .retry(afterMilliseconds: 1000))
        case .tooLarge: Failure("cluster.answer-too-large", message)
        case .invalidRequest: Failure(.clusterInvalid, message)
        }
    }

    func failure(_ status: APIStatus, _ call: Call) -> Failure { status.failure(call.act, isSecret: call.isSecret) }

    func invalidAnswer(_ call: Call, _ why: String) -> Failure {
        Failure(
            "cluster.answer-invalid", "\(call.act) on cluster \(name): \(why)",
            remedy: "check that \(server) is a Kubernetes API server", next: .retry(afterMilliseconds: nil))
    }

    // MARK: Answers

    /// The body of a success as JSON; a refusal throws.
    func json(_ call: Call) async throws(Failure) -> JSON {
        switch try await answer(call) {
        case .success(let response): return try parse(response, call)
        case .refused(let status): throw failure(status, call)
        }
    }

    func parse(_ response: HTTPResponse, _ call: Call) throws(Failure) -> JSON {
        do throws(JSONError) {
            return try JSON(parsing: response.body)
        } catch {
            throw invalidAnswer(call, "the answer is no JSON (\(error))")
        }
    }

    func object(_ json: JSON, _ call: Call) throws(Failure) -> Resource {
        do throws(Failure) {
            return try Resource(json)
        } catch {
            throw invalidAnswer(call, "the answer is no object (\(error.message))")
        }
    }
}
