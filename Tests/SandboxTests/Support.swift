import Foundation
import Glibc
import Shiplog

@testable import Sandbox

/// A cluster without a server, on a clock that the test moves.
struct TestCluster {
    var state = ClusterState(seed: 7)
    var now = Timestamp(milliseconds: 1_700_000_000_000)

    init() {
        state.bootstrap(clock)
        settle(milliseconds: 0)
    }

    var clock: ControllerClock { ControllerClock(now: now, scale: 1) }

    /// Lets the controllers work for so long.
    mutating func settle(milliseconds: Int64) {
        let end = now.advanced(byMilliseconds: milliseconds)
        var rounds = 0
        while rounds < 100_000 {
            rounds += 1
            if state.runControllers(clock) || !state.work.isEmpty { continue }
            guard let due = state.work.nextDue, due <= end.milliseconds else { break }
            now = max(now, Timestamp(milliseconds: due))
        }
        now = max(now, end)
    }

    mutating func send(
        _ method: String, _ target: String, _ body: JSON? = nil, type: String = "application/json"
    ) throws(StatusError) -> APIResponse {
        try state.respond(
            APIRequest(method: method, target: target, contentType: type, userAgent: "test/1", body: body), now: now)
    }

    mutating func apply(
        _ target: String, _ body: JSON, manager: String = "shiplog", force: Bool = false
    ) throws(StatusError) -> JSON {
        try send(
            "PATCH", target + "?fieldManager=\(manager)&force=\(force)", body, type: "application/apply-patch+yaml"
        ).body
    }

    /// The error a request meets, nil when it succeeds.
    mutating func refusal(
        _ method: String, _ target: String, _ body: JSON? = nil, type: String = "application/json"
    ) -> StatusError? {
        do throws(StatusError) {
            _ = try send(method, target, body, type: type)
            return nil
        } catch {
            return error
        }
    }

    mutating func get(_ target: String) throws(StatusError) -> JSON { try send("GET", target).body }
}

let deployments = "/apis/apps/v1/namespaces/default/deployments"
let configMaps = "/api/v1/namespaces/default/configmaps"

func deployment(image: String = "web:1", replicas: Int64 = 2, deadline: Int64 = 10) -> JSON {
    [
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": "web"],
        "spec": [
            "replicas": .integer(replicas), "progressDeadlineSeconds": .integer(deadline),
            "selector": ["matchLabels": ["app": "web"]],
            "template": [
                "metadata": ["labels": ["app": "web"]],
                "spec": ["containers": [["name": "web", "image": .string(image)]]]
            ]
        ]
    ]
}

func configMap(_ data: [String: String], name: String = "settings") -> JSON {
    ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": .string(name)], "data": JSON(data)]
}

/// A sandbox on a free port for the length of a test.
func withSandbox<Value: Sendable>(
    _ options: SandboxOptions = SandboxOptions(requiresToken: false, timeScale: 0.01, seed: 1),
    _ body: @escaping @Sendable (SandboxServer, Int) async throws -> Value
) async throws -> Value {
    let server = try SandboxServer(options: options)
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingOldest(1))
    return try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask {
            try await server.run { port in continuation.yield(port) }
            return nil
        }
        group.addTask {
            for await port in ports { return try await body(server, port) }
            return nil
        }
        defer { group.cancelAll() }
        while let result = try await group.next() {
            if let value = result { return value }
        }
        throw CancellationError()
    }
}

/// A plain HTTP client on one socket: what it sends and gets is what is on the wire.
final class Wire: Sendable {
    private let descriptor: Int32

    init(port: Int, seconds: Int = 20) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var timeout = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw CancellationError() }
    }

    deinit { close(descriptor) }

    func send(
        _ method: String, _ path: String, headers: [String] = [], host: String = "127.0.0.1", body: String? = nil
    ) {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\n"
        for header in headers { text += header + "\r\n" }
        if let body { text += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n" }
        text += "\r\n" + (body ?? "")
        let bytes = Array(text.utf8)
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// What arrives until the condition holds, the other side closes, or the time is up. Blocks a thread of its own.
    func read(until isEnough: @escaping @Sendable (String) -> Bool = { _ in false }) async -> String {
        let descriptor = descriptor
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread { [self] in
                var collected: [UInt8] = []
                var chunk = [UInt8](repeating: 0, count: 65_536)
                while true {
                    let count = recv(descriptor, &chunk, chunk.count, 0)
                    if count <= 0 { break }
                    collected += chunk[..<count]
                    if isEnough(String(decoding: collected, as: UTF8.self)) { break }
                }
                withExtendedLifetime(self) {}
                continuation.resume(returning: String(decoding: collected, as: UTF8.self))
            }
        }
    }

    /// One request on a connection of its own.
    static func exchange(
        _ port: Int, _ method: String, _ path: String, headers: [String] = [], host: String = "127.0.0.1",
        body: String? = nil
    ) async throws -> String {
        let wire = try Wire(port: port)
        wire.send(method, path, headers: headers + ["Connection: close"], host: host, body: body)
        return await wire.read()
    }
}

/// Polls until a condition holds; false when it never did.
func eventually(seconds: Double = 20, _ condition: () async throws -> Bool) async rethrows -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
        if try await condition() { return true }
        try? await Task.sleep(for: .milliseconds(10))
    }
    return false
}
