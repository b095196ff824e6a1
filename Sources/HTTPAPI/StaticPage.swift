import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import Shiplog

/// The page in the browser: files read once at the start, so that no request ever names a path of the disk.
struct StaticPage: Sendable {
    private struct File: Sendable {
        let bytes: [UInt8]
        /// A gzip of it that lay beside it, when it is shorter.
        let gzip: [UInt8]?
        let type: String
        let tag: String
    }

    /// By the path they are served at: `/ui/main.js`. `/` is the page itself.
    private let files: [String: File]

    static let maximumBytes = 16 << 20
    static let maximumFiles = 1000

    /// Nothing inline, nothing of anybody else's, no script that makes markup of text.
    static let policy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
        "font-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
        "require-trusted-types-for 'script'", "trusted-types 'none'"
    ].joined(separator: "; ")
    /// For everything that is no page: should a browser ever take it for one, it can do nothing.
    static let dataPolicy = "default-src 'none'; frame-ancestors 'none'"

    /// - Parameter directory: with `index.html` and `ui/`; nil for no page.
    /// - Throws: `server.web-missing`, `server.web-too-large`.
    init(_ directory: String?) throws(Failure) {
        guard let directory else {
            files = [:]
            return
        }
        guard let index = Self.read(directory + "/index.html") else {
            throw Failure(
                "server.web-missing", "there is no index.html in \(directory)",
                remedy: "name the directory of the page with --web, or leave it away to serve the API alone")
        }
        var files = ["/": Self.file(index, gzip: nil, "index.html")]
        var size = index.count
        let root = directory + "/ui"
        // Links are not followed: what is served lies in the directory.
        for path in (FileManager.default.enumerator(atPath: root)?.allObjects ?? []).compactMap({ $0 as? String }) {
            let name = root + "/" + path
            guard !path.hasSuffix(".gz"), !path.split(separator: "/").contains(where: { $0.hasPrefix(".") }),
                Self.isRegular(name), let bytes = Self.read(name)
            else { continue }
            let gzip = Self.isRegular(name + ".gz") ? Self.read(name + ".gz") : nil
            size += bytes.count + (gzip?.count ?? 0)
            guard size <= Self.maximumBytes, files.count < Self.maximumFiles else {
                throw Failure("server.web-too-large", "\(directory) holds more than a page's files")
            }
            files["/ui/" + path] = Self.file(bytes, gzip: gzip, path)
        }
        self.files = files
    }

    private static func read(_ path: String) -> [UInt8]? { FileManager.default.contents(atPath: path).map(Array.init) }

    private static func isRegular(_ path: String) -> Bool {
        let type = (try? FileManager.default.attributesOfItem(atPath: path))?[.type] as? FileAttributeType
        return type == .typeRegular
    }

    private static func file(_ bytes: [UInt8], gzip: [UInt8]?, _ name: String) -> File {
        File(
            bytes: bytes, gzip: gzip.flatMap { $0.count < bytes.count ? $0 : nil }, type: type(of: name),
            tag: "\"" + Array(SHA256.hash(data: bytes).prefix(16)).hex + "\"")
    }

    private static func type(of name: String) -> String {
        switch name.split(separator: ".").last.map(String.init) ?? "" {
        case "html": "text/html; charset=utf-8"
        case "js", "mjs": "text/javascript; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "svg": "image/svg+xml"
        case "json", "map", "webmanifest": "application/json"
        case "png": "image/png"
        case "ico": "image/x-icon"
        case "woff2": "font/woff2"
        default: "application/octet-stream"
        }
    }

    // MARK: - Answering

    /// A file below `/ui/`, or the page itself for whatever address of its own a browser asks for.
    func answer(_ request: Request, path: String) throws(Problem) -> Response {
        guard request.method == .get || request.method == .head else {
            throw Problem(
                .methodNotAllowed, "request.method-not-allowed", "the page can only be read",
                headers: [.allow: "GET, HEAD"])
        }
        guard let page = files["/"] else {
            guard path == "/" else { throw .notFound("such address") }
            return .text(
                "Shiplog answers at \(RouteTable.base). The page's files were not given to this server (--web).\n")
        }
        if path.hasPrefix("/ui/") {
            guard let file = files[path] else { throw .notFound("such file") }
            return Self.response(file, request)
        }
        // Programs that ask for what is not there must not take the page for an answer.
        let accepts = (request.headers[.accept] ?? "").lowercased()
        guard path == "/" || path == "/index.html" || accepts.contains("text/html") else {
            throw .notFound("such address")
        }
        return Self.response(page, request)
    }

    private static func response(_ file: File, _ request: Request) -> Response {
        let known = request.headers[.ifNoneMatch]
        let wantsGzip = (request.headers[.acceptEncoding] ?? "").split(separator: ",").contains {
            $0.split(separator: ";").first?.trimming() == "gzip" && !$0.contains("q=0")
        }
        let gzip = wantsGzip ? file.gzip : nil
        var response = Response.bytes(gzip ?? file.bytes, type: file.type).unless(file.tag, known: known)
        if gzip != nil, response.status == .ok { response.headers[.contentEncoding] = "gzip" }
        if file.gzip != nil { response.headers[.vary] = "Accept-Encoding" }
        // Always asked again and nearly always unchanged: a new version is seen at once.
        response.headers[.cacheControl] = "no-cache"
        return response
    }

    /// Headers that every answer carries.
    func protect(_ response: inout Response, isSecure: Bool) {
        let isPage = response.headers[.contentType]?.hasPrefix("text/html") == true
        // Headers of a 304 replace those of the copy that a browser has (RFC 9111 §4.3.4): the page would lose its policy.
        if response.status != .notModified {
            response.headers[.contentSecurityPolicy] = isPage ? Self.policy : Self.dataPolicy
        }
        response.headers[.xContentTypeOptions] = "nosniff"
        response.headers[.referrerPolicy] = "no-referrer"
        response.headers[.openerPolicy] = "same-origin"
        response.headers[.resourcePolicy] = "same-origin"
        response.headers[.permissionsPolicy] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        if isSecure { response.headers[.strictTransportSecurity] = "max-age=31536000" }
        if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
    }
}
