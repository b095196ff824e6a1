import HTTPTypes
import Shiplog

/// Keeps pages of other sites from acting with a reader's session, or from reaching a server that only listens at home.
struct OriginRules: Sendable {
    let acceptedHosts: Set<String>?
    /// The origin people use when a proxy changes `Host` on the way.
    let baseHost: Host?

    init(_ settings: ServerSettings) {
        acceptedHosts = settings.acceptedHosts
        baseHost = settings.baseURL.flatMap { Host(ofURL: $0) }
    }

    /// DNS rebinding: a name of somebody else's that points here is refused.
    /// - Throws: `request.host-refused`.
    func checkHost(_ head: HTTPRequest) throws(Problem) {
        guard let acceptedHosts else { return }
        guard let host = head.authority.flatMap({ Host($0) }),
            acceptedHosts.contains(host.name) || Host.isLoopback(host.name)
        else {
            throw Problem(
                .misdirectedRequest, "request.host-refused", "this server does not answer to that Host",
                remedy: "use the address it prints at its start, or name the host under allowedHosts")
        }
    }

    /// Whether the request comes from a page of another site (`Sec-Fetch-Site`, or an `Origin` that is not ours).
    func isForeign(_ head: HTTPRequest) -> Bool {
        if let site = head.headerFields[.secFetchSite], site != "same-origin", site != "none" { return true }
        guard let origin = head.headerFields[.origin] else { return false }
        guard let from = Host(ofURL: origin) else { return true }
        guard let own = head.authority.flatMap({ Host($0) }) else { return true }
        return from != own && from != baseHost
    }

    /// Whether the request says where it comes from at all; browsers do with every request that changes something.
    func saysOrigin(_ head: HTTPRequest) -> Bool {
        head.headerFields[.secFetchSite] != nil || head.headerFields[.origin] != nil
    }

    static var refused: Problem {
        Problem(
            .forbidden, "request.cross-site", "the request comes from a page of another site",
            remedy: "use the page this server serves, or a token in the Authorization header")
    }
}

extension HTTPField.Name {
    static let xRequestID = names("X-Request-Id")
    static let xForwardedFor = names("X-Forwarded-For")
    static let secFetchSite = names("Sec-Fetch-Site")
    static let secFetchMode = names("Sec-Fetch-Mode")
    static let referrerPolicy = names("Referrer-Policy")
    static let permissionsPolicy = names("Permissions-Policy")
    static let openerPolicy = names("Cross-Origin-Opener-Policy")
    static let resourcePolicy = names("Cross-Origin-Resource-Policy")
    static let accelBuffering = names("X-Accel-Buffering")
    static let exportMatches = names("Shiplog-Matches")
    static let exportLast = names("Shiplog-Last")
    static let exportCheckpoint = names("Shiplog-Checkpoint")

    /// These are constants and tokens by RFC 9110, so the fallback is never used.
    private static func names(_ text: String) -> HTTPField.Name { HTTPField.Name(text) ?? .server }
}
