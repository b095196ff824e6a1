public import Shiplog

/// An HTTP client over libcurl: HTTP/1.1 and HTTP/2, pooled connections, verified TLS, bodies whole or line by line.
///
/// Copies share their connections. Streams run on a thread and on connections of their own, so that no number of them
/// holds up a request.
public struct HTTPClient: Sendable {
    private let requests: CurlLoop
    private let streams: CurlLoop

    /// The process's own: two threads, started on first use, kept for good.
    public static let shared = HTTPClient()

    /// A client with connections and two threads of its own, until the last copy is gone.
    /// - Parameter connectionsPerHost: for requests; HTTP/2 carries many at once on each.
    public init(connectionsPerHost: Int = 16) {
        requests = CurlLoop(.init(running: 128, outstanding: 4096, connectionsPerHost: max(1, connectionsPerHost)))
        // One connection a stream; the bound keeps a runaway from using up the process's descriptors.
        streams = CurlLoop(.init(running: 512, outstanding: 1024, connectionsPerHost: 512))
    }

    /// Sends a request and answers whatever status the server gives.
    /// - Throws: `http.timeout`, `http.unreachable`, `http.tls`, `http.too-large`, `http.busy`, `http.cancelled`,
    ///   `http.request-invalid`.
    public func send(_ request: HTTPRequest) async throws(Failure) -> HTTPResponse {
        do throws(TransportError) {
            return try await perform(request)
        } catch {
            throw error.failure(request)
        }
    }

    /// Sends a request and hands over the body of a successful answer line by line (server-sent events, JSON lines),
    /// waiting for each delivery to return; a slow reader slows the sender. Lines come without their line ends.
    ///
    /// Answers when the server ends the stream, when `deliver` answers false, or at once with the body when the status
    /// is not 2xx. `request.timeoutMilliseconds` bounds the whole stream.
    /// - Throws: as `send`; `http.unreachable` when the connection breaks.
    public func lines(
        _ request: HTTPRequest, deliver: @Sendable (_ line: [UInt8]) async -> Bool
    ) async throws(Failure) -> HTTPResponse {
        do throws(TransportError) {
            return try await stream(request, deliver: deliver)
        } catch {
            throw error.failure(request)
        }
    }

    /// Sends a request and hands over the body of a successful answer in pieces of any size, as `lines` does with lines.
    /// - Throws: as `lines`.
    public func pieces(
        _ request: HTTPRequest, deliver: @Sendable (_ piece: [UInt8]) async -> Bool
    ) async throws(Failure) -> HTTPResponse {
        do throws(TransportError) {
            return try await streams.run(request, isInLines: false, deliver: deliver).get()
        } catch {
            throw error.failure(request)
        }
    }

    func perform(_ request: HTTPRequest) async throws(TransportError) -> HTTPResponse {
        try await requests.run(request).get()
    }

    func stream(
        _ request: HTTPRequest, deliver: (_ line: [UInt8]) async -> Bool
    ) async throws(TransportError) -> HTTPResponse {
        try await streams.run(request, deliver: deliver).get()
    }

    func flow(
        _ request: HTTPRequest, deliver: (_ piece: [UInt8]) async -> Bool
    ) async throws(TransportError) -> HTTPResponse {
        try await streams.run(request, isInLines: false, deliver: deliver).get()
    }
}
