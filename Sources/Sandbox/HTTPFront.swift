import HTTPTypes
import Hummingbird
import Logging
import Manifests
import NIOCore
import Shiplog

/// Takes HTTP apart for the machine and puts its answers together.
struct HTTPFront: HTTPResponder {
    struct Context: RequestContext {
        var coreContext: CoreRequestContextStorage
        let channel: any Channel

        init(source: ApplicationRequestContextSource) {
            coreContext = CoreRequestContextStorage(source: source)
            channel = source.channel
        }
    }

    let machine: Machine
    /// nil asks for none.
    let token: String?

    /// etcd's limit on a request is 1.5 MiB, the API server's on a body 3 MiB.
    static let maximumBody = 3 << 20

    func respond(to request: Request, context: Context) async throws -> Response {
        guard Self.isLocal(request.head.authority) else {
            return Self.response(
                APIResponse(StatusError(403, "Forbidden", "the Host header names no loopback address")))
        }
        let target = request.head.path ?? "/"
        let method = request.head.method.rawValue
        let path = target.prefix { $0 != "?" }
        if ["/healthz", "/livez", "/readyz"].contains(where: { path == $0 || path.hasPrefix($0 + "/") }) {
            return Self.response(APIResponse(text: "ok"))
        }
        guard isAuthorized(request.headers[.authorization]) else {
            return Self.response(APIResponse(StatusError(401, "Unauthorized", "Unauthorized")))
        }
        if let fault = await machine.fault(method, target) {
            if fault.persists { _ = await answer(request, method, target, context) }
            return try await play(fault.action, request, context)
        }
        return await answer(request, method, target, context)
    }

    // MARK: who may

    /// Only a loopback name in `Host` gets through: a web page cannot reach the sandbox by rebinding its own name.
    static func isLocal(_ authority: String?) -> Bool {
        guard let authority else { return false }
        var host = authority[...]
        if let at = host.lastIndex(of: "@") { host = host[host.index(after: at)...] }
        if host.hasPrefix("[") {
            guard let close = host.firstIndex(of: "]") else { return false }
            return host[host.index(after: host.startIndex)..<close] == "::1"
        }
        let name = host.prefix { $0 != ":" }
        return name == "127.0.0.1" || name.lowercased() == "localhost"
    }

    private func isAuthorized(_ header: String?) -> Bool {
        guard let token else { return true }
        guard let header else { return false }
        let parts = header.split(separator: " ", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return false }
        switch parts[0].lowercased() {
        case "bearer": return Self.isSame(parts[1], token)
        case "basic":
            // kubectl sends no bearer token over plain HTTP, but does send the credentials of the server's address.
            guard let plain = Kubeconfig.decodeBasic(parts[1]), let colon = plain.firstIndex(of: ":") else {
                return false
            }
            return Self.isSame(String(plain[plain.index(after: colon)...]), token)
        default: return false
        }
    }

    /// Takes the same time whatever differs.
    private static func isSame(_ left: String, _ right: String) -> Bool {
        let (first, second) = (Array(left.utf8), Array(right.utf8))
        guard first.count == second.count else { return false }
        return zip(first, second).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    // MARK: answers

    private func answer(_ request: Request, _ method: String, _ target: String, _ context: Context) async -> Response {
        do throws(StatusError) {
            var parsed = APIRequest(
                method: method, target: target, accept: request.headers[.accept] ?? "",
                contentType: request.headers[.contentType] ?? "", userAgent: request.headers[.userAgent] ?? "")
            if method == "GET" {
                if let watched = await watchTarget(&parsed) {
                    let session = try await machine.watch(parsed, watched)
                    return stream(session, request)
                }
            } else {
                parsed.body = try await body(request, parsed.contentType)
            }
            return Self.response(await machine.respond(parsed))
        } catch {
            return Self.response(APIResponse(error))
        }
    }

    /// The kind that a request watches; also by the old path `/api/v1/watch/…`.
    private func watchTarget(_ request: inout APIRequest) async -> APIRequest.Target? {
        if let index = request.path.firstIndex(of: "watch"), index == (request.path.first == "api" ? 2 : 3) {
            request.path.remove(at: index)
        } else if !request.isTrue("watch") {
            return nil
        }
        guard let target = await machine.target(of: request), target.subresource == nil else { return nil }
        return target
    }

    private func body(_ request: Request, _ contentType: String) async throws(StatusError) -> JSON? {
        let buffer: ByteBuffer
        do {
            buffer = try await request.body.collect(upTo: Self.maximumBody)
        } catch {
            throw StatusError(
                413, "RequestEntityTooLarge", "Request entity too large: limit is \(Self.maximumBody)")
        }
        let bytes = Array(buffer.readableBytesView)
        guard !bytes.isEmpty else { return nil }
        let isYAML = contentType == "application/yaml" || contentType == "application/apply-patch+yaml"
        let isJSON = contentType.isEmpty || contentType == "application/json" || contentType.hasSuffix("+json")
        guard isJSON || isYAML else {
            throw .unsupportedMediaType("application/json, application/yaml")
        }
        do throws(JSONError) {
            return try JSON(parsing: bytes)
        } catch {
            guard isYAML else { throw .badRequest("invalid JSON: \(error.description)") }
        }
        do throws(Failure) {
            let documents = try YAML.read(bytes, file: "body")
            guard documents.count == 1, let document = documents.first else {
                throw Failure("manifest.yaml-invalid", "the body holds \(documents.count) documents")
            }
            return document.json
        } catch {
            throw .badRequest("invalid YAML: \(error.message)")
        }
    }

    private static let warning = HTTPField.Name("Warning")

    private static func response(_ answer: APIResponse) -> Response {
        var headers: HTTPFields = [.contentType: answer.contentType, .cacheControl: "no-cache, private"]
        for warning in answer.warnings {
            let text = warning.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            let safe = String(String.UnicodeScalarView(text.unicodeScalars.filter { $0.value >= 32 && $0.value < 127 }))
            if let name = Self.warning { headers.append(HTTPField(name: name, value: "299 - \"\(safe)\"")) }
        }
        if let seconds = answer.retryAfterSeconds { headers[.retryAfter] = String(seconds) }
        let bytes = answer.text.map { Array($0.utf8) } ?? answer.body.canonicalBytes
        return Response(
            status: HTTPResponse.Status(code: answer.status), headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    // MARK: watches

    private static let bookmarkSeconds: Int64 = 60

    private func stream(_ session: WatchSession, _ request: Request) -> Response {
        let machine = machine
        let body = ResponseBody { writer in
            // A client that goes away ends the watch at once, not with the next event.
            try await request.body.consumeWithInboundCloseHandler { _ in
                let timer = Task { await Self.time(session, machine) }
                defer { timer.cancel() }
                do {
                    var buffer = ByteBuffer()
                    for item in session.first {
                        buffer.writeBytes(session.presentation.line(item))
                        if buffer.readableBytes > 1 << 16 {
                            try await writer.write(buffer)
                            buffer.clear()
                        }
                    }
                    // Also when there is nothing yet: the client waits for the head.
                    try await writer.write(buffer)
                    for await item in session.following {
                        try await writer.write(ByteBuffer(bytes: session.presentation.line(item)))
                    }
                } catch {
                    await machine.endWatch(session.id)
                    throw error
                }
                await machine.endWatch(session.id)
            } onInboundClosed: {
                Task { await machine.endWatch(session.id) }
            }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok, headers: [.contentType: "application/json", .cacheControl: "no-cache, private"], body: body)
    }

    /// Bookmarks each minute, and the end.
    private static func time(_ session: WatchSession, _ machine: Machine) async {
        var left = session.seconds
        while left > 0 {
            let step = session.sendsBookmarks ? min(left, bookmarkSeconds) : left
            do { try await Task.sleep(for: .seconds(step)) } catch { return }
            left -= step
            if left > 0 { await machine.bookmark(session.id) }
        }
        await machine.endWatch(session.id)
    }

    // MARK: faults

    private func play(_ action: SandboxFault.Action, _ request: Request, _ context: Context) async throws -> Response {
        switch action {
        case .status(let code, let reason, let retryAfter):
            var error = StatusError(code, reason, "the sandbox was told to answer so")
            error.retryAfterSeconds = retryAfter
            return Self.response(APIResponse(error))
        case .drop:
            try? await context.channel.close()
        case .hang:
            // A day is for ever here; the client's end of the connection or the server's ends it before.
            try? await request.body.consumeWithCancellationOnInboundClose { _ in
                try await Task.sleep(for: .seconds(86_400))
            }
        }
        throw CancellationError()
    }
}
