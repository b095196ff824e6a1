import HTTPTypes
import Hummingbird
import LedgerStore
import NIOCore
import Reconciling
import Shiplog
import Synchronization

/// What hangs below an application's objects in the cluster, and what is heard of it.
enum TreeHandlers {
    @Sendable static func tree(_ call: Call) async throws -> Response {
        let limit = Int(try call.query.number("limit", in: 1...2000, default: 500))
        let tree = try await call.controller.tree(of: call.application, limit: limit)
        return .json(tree.projection)
    }

    @Sendable static func events(_ call: Call) async throws -> Response {
        let (items, hasMore) = try await call.controller.clusterEvents(of: call.application, try question(call))
        return .json(["items": .array(items.map(event)), "hasMore": .bool(hasMore)])
    }

    private static func event(_ live: Resource) -> JSON {
        let object = live.object
        func given(_ path: String...) -> JSON? { object.at(path[...]).flatMap { $0.isNull ? nil : $0 } }
        func about(_ name: String) -> JSON { given("involvedObject", name) ?? "" }
        let group = GroupVersionKind(apiVersion: about("apiVersion").string ?? "", kind: "").group
        let resource: JSON = [
            "group": .string(group), "kind": about("kind"), "namespace": about("namespace"), "name": about("name")
        ]
        var members: [String: JSON] = ["resource": resource]
        for name in ["type", "reason", "message"] { members[name] = given(name) }
        let counts: [JSON?] = [given("count"), given("series", "count")]
        members["count"] = counts.lazy.compactMap { $0 }.first
        let firstSeen: [JSON?] = [given("firstTimestamp"), given("metadata", "creationTimestamp")]
        let lastSeen: [JSON?] = [given("lastTimestamp"), given("eventTime")]
        let sources: [JSON?] = [given("source", "component"), given("reportingComponent")]
        members["source"] = sources.lazy.compactMap { $0 }.first
        members["firstSeen"] = firstSeen.lazy.compactMap { $0 }.first
        members["lastSeen"] = lastSeen.lazy.compactMap { $0 }.first
        return .object(members)
    }

    private static func question(_ call: Call) throws(Problem) -> ResourceQuestion? {
        let kind = try call.query.one("kind")
        let name = try call.query.one("resource")
        guard let kind, let name else {
            guard kind == nil, name == nil else { throw .invalid("resource", "must be given together with kind") }
            return nil
        }
        return ResourceQuestion(
            kind: kind, name: name, group: call.query.pairs.last { $0.name == "group" }?.value,
            namespace: call.query.pairs.last { $0.name == "namespace" }?.value)
    }

    // MARK: - Logs

    /// What is followed ends by itself after so long; whoever goes on asks again.
    static let followMilliseconds = 1_800_000
    static let followBytes = 64 << 20

    /// A pod's log as it is: passed through in pieces, and neither kept nor logged.
    @Sendable static func logs(_ call: Call) async throws -> Response {
        let query = call.query
        let follow = try query.flag("follow")
        var asked = LogQuestion(
            container: try query.one("container"), previous: try query.flag("previous"), follow: follow)
        asked.tailLines = Int(try query.number("tailLines", in: 0...100_000, default: 1000))
        if try query.one("sinceSeconds") != nil {
            asked.sinceSeconds = Int(try query.number("sinceSeconds", in: 1...31_536_000, default: 1))
        }
        if follow {
            (asked.limitBytes, asked.timeoutMilliseconds) = (followBytes, followMilliseconds)
        }
        let place = try call.parts.logReaders.enter()
        let pod = try await call.controller.pod(of: call.application, try question(call))
        if call.request.method == .head { return .text("") }
        // The first piece, or why there is none, decides the answer's status.
        let flow = LogFlow(call: call, pod: pod, question: asked)
        let first = try await flow.begin()
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/plain; charset=utf-8", .cacheControl: "no-store", .accelBuffering: "no"
            ],
            body: ResponseBody { writer in
                defer { place.leave() }
                if let first { try await writer.write(ByteBuffer(bytes: first)) }
                while first != nil, let piece = await flow.next() {
                    if call.parts.closing.isClosing || !call.channel.isActive { break }
                    try await writer.write(ByteBuffer(bytes: piece))
                }
                flow.stop()
                try await writer.finish(nil)
            })
    }
}

/// A log on its way from the cluster to a client. One piece waits at most: a slow client slows the cluster.
private final class LogFlow: Sendable {
    private let pieces: LogPipe
    private let task: Task<Void, Never>

    init(call: Call, pod: ResourceKey, question: LogQuestion) {
        let pieces = LogPipe()
        self.pieces = pieces
        let (controller, name, channel) = (call.controller, call.application, call.channel)
        task = Task {
            do throws(Failure) {
                try await controller.log(of: name, pod: pod, question) { await pieces.put($0) }
                await pieces.finish(nil)
            } catch {
                await pieces.finish(error)
            }
        }
        // Whoever goes away while nothing is said would keep it open.
        channel.closeFuture.whenComplete { [task] _ in
            task.cancel()
            Task { await pieces.abandon() }
        }
    }

    /// nil for an empty log.
    func begin() async throws -> [UInt8]? { try await pieces.take() }

    /// A log that breaks off after its first piece ends there.
    func next() async -> [UInt8]? { try? await pieces.take() }

    func stop() {
        task.cancel()
        Task { [pieces] in await pieces.abandon() }
    }
}

/// Hands pieces from one task to another, one at a time.
private actor LogPipe {
    private var piece: [UInt8]?
    private var end: Result<Void, Failure>?
    private var isAbandoned = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    /// - Returns: false when nobody takes any more.
    func put(_ bytes: [UInt8]) async -> Bool {
        while piece != nil, !isAbandoned { await withCheckedContinuation { waiters.append($0) } }
        guard !isAbandoned else { return false }
        piece = bytes
        wake()
        return true
    }

    func finish(_ failure: Failure?) {
        end = failure.map { .failure($0) } ?? .success(())
        wake()
    }

    func abandon() {
        isAbandoned = true
        wake()
    }

    func take() async throws(Failure) -> [UInt8]? {
        while piece == nil, end == nil, !isAbandoned { await withCheckedContinuation { waiters.append($0) } }
        if let bytes = piece.take() {
            wake()
            return bytes
        }
        try end?.get()
        return nil
    }

    private func wake() {
        let woken = waiters
        waiters = []
        for waiter in woken { waiter.resume() }
    }
}

extension ResourceTree {
    var projection: JSON {
        .members([
            "items": .array(roots.map(\.projection)), "omitted": .integer(Int64(omitted)),
            "unread": .array(
                unread.map { one in
                    .members([
                        "group": .string(one.kind.group), "kind": .string(one.kind.kind),
                        "namespace": .string(one.namespace), "code": .string(one.failure.code.rawValue),
                        "message": .string(one.failure.message)
                    ])
                })
        ])
    }
}

extension ResourceTree.Node {
    var projection: JSON {
        .members([
            "group": .string(key.group), "kind": .string(key.kind), "namespace": .string(key.namespace),
            "name": .string(key.name), "apiVersion": .string(apiVersion), "uid": uid.map { .string($0) },
            "createdAt": createdAt.map { .string($0) }, "sync": sync.map { .string($0.rawValue) },
            "health": health.map { .string($0.rawValue) }, "message": message.map { .string($0) },
            "images": images.isEmpty ? nil : .array(images.map { .string($0) }),
            "hook": isHook ? true : nil, "deleting": isBeingDeleted ? true : nil,
            "children": children.isEmpty ? nil : .array(children.map(\.projection))
        ])
    }
}
