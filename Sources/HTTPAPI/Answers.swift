import HTTPTypes
import Hummingbird
import NIOCore
import Shiplog

extension Response {
    /// Canonical JSON: the same value gives the same bytes.
    static func json(
        _ value: JSON, status: HTTPResponse.Status = .ok, type: String = "application/json; charset=utf-8"
    ) -> Response {
        bytes(value.canonicalBytes, type: type, status: status)
    }

    static func bytes(_ bytes: [UInt8], type: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    static func text(_ text: String, status: HTTPResponse.Status = .ok) -> Response {
        bytes(Array(text.utf8), type: "text/plain; charset=utf-8", status: status)
    }

    static var noContent: Response { Response(status: .noContent) }

    /// With a validator that `If-None-Match` and `If-Match` take, quotes included.
    func tagged(_ tag: String) -> Response {
        var copy = self
        copy.headers[.eTag] = tag
        return copy
    }

    /// A list that a poller asks for again and again: not modified when the validator is the asker's.
    func unless(_ tag: String, known header: String?) -> Response {
        guard let header, EntityTags(header).contains(tag) else { return tagged(tag) }
        return Response(status: .notModified, headers: [.eTag: tag])
    }
}

/// The value of `If-Match` or `If-None-Match`.
struct EntityTags {
    let any: Bool
    let tags: [String]

    init(_ header: String) {
        let parts = header.split(separator: ",").prefix(64).map { $0.trimming() }
        any = parts == ["*"]
        tags = parts
    }

    /// Weak comparison (RFC 9110 §8.8.3.2).
    func contains(_ tag: String) -> Bool {
        any || tags.contains { Self.opaque($0) == Self.opaque(tag) }
    }

    private static func opaque(_ tag: String) -> Substring { tag.hasPrefix("W/") ? tag.dropFirst(2) : tag[...] }
}

extension StringProtocol {
    /// Without blanks and tabs at both ends.
    func trimming() -> String {
        let start = firstIndex { $0 != " " && $0 != "\t" } ?? endIndex
        let end = lastIndex { $0 != " " && $0 != "\t" }.map { index(after: $0) } ?? start
        return start < end ? String(self[start..<end]) : ""
    }
}

/// One page of a list: `items`, where the next begins, and the newest sequence the answer knows.
struct PageAnswer {
    var items: [JSON]
    var nextCursor: String?
    var asOf: Int64

    var document: JSON {
        .members([
            "items": .array(items), "nextCursor": nextCursor.map { .string($0) }, "asOf": .integer(asOf)
        ])
    }
}
