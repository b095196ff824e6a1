import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import Shiplog
import Testing

/// What came back: the head, and the body with its chunks joined.
struct Answer: Sendable {
    var status = 0
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []

    func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    var text: String { String(decoding: body, as: UTF8.self) }
    /// null for a body that is no JSON.
    var json: JSON { (try? JSON(parsing: body)) ?? .null }
    var code: String? { json["code"]?.string }
}

/// Speaks HTTP/1.1 over a connection of its own for each request, byte for byte as the test wants it.
struct Client: Sendable {
    let port: Int
    var tls: NIOSSLContext?
    /// Sent with every request unless it says something else.
    var token: String?

    func signed(_ token: String) -> Client {
        var copy = self
        copy.token = token
        return copy
    }

    @discardableResult
    func send(
        _ method: String, _ path: String, _ headers: [String: String] = [:], body: [UInt8]? = nil
    ) async throws -> Answer {
        try await exchange(head(method, path, headers, length: body?.count) + (body ?? []))
    }

    func get(_ path: String, _ headers: [String: String] = [:]) async throws -> Answer {
        try await send("GET", path, headers)
    }

    @discardableResult
    func post(_ path: String, _ json: JSON, _ headers: [String: String] = [:]) async throws -> Answer {
        try await send(
            "POST", path, ["Content-Type": "application/json"].merging(headers) { $1 }, body: json.canonicalBytes)
    }

    func head(_ method: String, _ path: String, _ headers: [String: String], length: Int?) -> [UInt8] {
        var all = ["Host": "127.0.0.1:\(port)", "Connection": "close"]
        if let token { all["Authorization"] = "Bearer " + token }
        if let length { all["Content-Length"] = String(length) }
        all.merge(headers) { $1 }
        let lines = all.filter { !$0.value.isEmpty }.map { "\($0.key): \($0.value)\r\n" }.sorted().joined()
        return Array("\(method) \(path) HTTP/1.1\r\n\(lines)\r\n".utf8)
    }

    /// Sends bytes and reads the one answer.
    func exchange(_ bytes: [UInt8]) async throws -> Answer {
        try await connect { connection in
            try await connection.write(bytes)
            return try await connection.answer()
        }
    }

    func connect<Value: Sendable>(_ body: (inout Connection) async throws -> Value) async throws -> Value {
        let tls = tls
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: "localhost"))
                    }
                    return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        // A server that never answers fails the test, and does not hang it.
        let deadline = channel.channel.eventLoop.scheduleTask(in: .seconds(30)) {
            channel.channel.close(promise: nil)
        }
        defer { deadline.cancel() }
        return try await channel.executeThenClose { inbound, outbound in
            var connection = Connection(input: inbound.makeAsyncIterator(), output: outbound)
            return try await body(&connection)
        }
    }
}

/// One connection: bytes out, answers and streams in.
struct Connection {
    var input: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    let output: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var buffer: [UInt8] = []

    init(
        input: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
        output: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        self.input = input
        self.output = output
    }

    func write(_ bytes: [UInt8]) async throws { try await output.write(ByteBuffer(bytes: bytes)) }
    func write(_ text: String) async throws { try await write(Array(text.utf8)) }

    struct Closed: Error {}

    private mutating func fill() async throws {
        guard let more = try await input.next() else { throw Closed() }
        buffer.append(contentsOf: more.readableBytesView)
    }

    private mutating func line() async throws -> String {
        while true {
            if let end = buffer.firstIndex(of: 0x0A) {
                let text = String(decoding: buffer[..<end], as: UTF8.self)
                buffer.removeFirst(end + 1)
                return text.hasSuffix("\r") ? String(text.dropLast()) : text
            }
            try await fill()
        }
    }

    private mutating func take(_ count: Int) async throws -> [UInt8] {
        while buffer.count < count { try await fill() }
        let bytes = Array(buffer[..<count])
        buffer.removeFirst(count)
        return bytes
    }

    mutating func head() async throws -> Answer {
        var answer = Answer()
        let words = try await line().split(separator: " ")
        answer.status = words.count > 1 ? Int(words[1]) ?? 0 : 0
        while true {
            let text = try await line()
            guard !text.isEmpty else { break }
            let halves = text.split(separator: ":", maxSplits: 1)
            answer.headers.append(
                (String(halves.first ?? ""), halves.count > 1 ? halves[1].trimmingCharacters(in: .whitespaces) : ""))
        }
        return answer
    }

    mutating func answer() async throws -> Answer {
        var answer = try await head()
        if answer.status == 100 { answer = try await head() }
        if answer.header("Transfer-Encoding") == "chunked" {
            while let chunk = try await chunk() { answer.body += chunk }
        } else if let length = answer.header("Content-Length").flatMap({ Int($0) }), answer.status != 304 {
            // What HEAD answers has a length and no body: the connection ends instead.
            do { answer.body = try await take(length) } catch is Closed { answer.body = [] }
        }
        return answer
    }

    /// nil for the last one.
    private mutating func chunk() async throws -> [UInt8]? {
        let size = Int(try await line().prefix { $0 != ";" }, radix: 16) ?? 0
        let bytes = try await take(size)
        _ = try await line()
        return size == 0 ? nil : bytes
    }

    /// Whether the server has ended the connection: reads whatever still comes.
    mutating func drain() async throws {
        while try await input.next() != nil {}
    }

    // MARK: - Event streams

    struct ServerEvent: Sendable {
        var id: Int64?
        var event = ""
        var data: JSON = .null
    }

    private var pending: [UInt8] = []

    /// The next event of a stream whose head was read; comments are passed over. nil at the stream's end.
    mutating func event() async throws -> ServerEvent? {
        while true {
            let separator = Array("\n\n".utf8)
            if let end = pending.firstRange(of: separator) {
                let text = String(decoding: pending[..<end.lowerBound], as: UTF8.self)
                pending.removeFirst(end.upperBound)
                var event = ServerEvent()
                for line in text.split(separator: "\n") {
                    if line.hasPrefix("id: ") { event.id = Int64(line.dropFirst(4)) }
                    if line.hasPrefix("event: ") { event.event = String(line.dropFirst(7)) }
                    if line.hasPrefix("data: ") {
                        event.data = try JSON(parsing: Array(line.dropFirst(6).utf8))
                    }
                }
                if event.event.isEmpty { continue }
                return event
            }
            guard let more = try await chunk() else { return nil }
            pending += more
        }
    }
}
