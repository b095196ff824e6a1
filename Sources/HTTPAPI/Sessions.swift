import Crypto
import Shiplog
import Synchronization

/// Sessions of browsers: a cookie of 256 random bits stands for a token that was shown once.
///
/// In memory only: a restart signs everybody out. The token itself stays here, so that each request asks the ledger
/// whether it still holds; a token that was revoked or has expired ends its sessions at once.
final class Sessions: Sendable {
    private struct Session {
        let token: SecretText
        let opened: Int
        let endsAt: Timestamp
    }

    private struct State {
        // By the cookie's hash: what is looked up is not what was sent.
        var sessions: [Shiplog.Digest: Session] = [:]
        var counter = 0
    }

    private let capacity: Int
    private let length: Int64
    private let state = Mutex(State())

    init(capacity: Int, length: Int64) {
        self.capacity = max(1, capacity)
        self.length = max(1, length)
    }

    /// Opens a session.
    /// - Returns: the cookie's value and the seconds it lasts.
    func open(_ token: SecretText, until end: Timestamp?, at now: Timestamp) -> (cookie: String, seconds: Int64) {
        let cookie = SymmetricKey(size: .bits256).withUnsafeBytes { Array($0).hex }
        var endsAt = now.advanced(byMilliseconds: length)
        if let end, end < endsAt { endsAt = end }
        state.withLock { state in
            state.sessions = state.sessions.filter { $0.value.endsAt > now }
            while state.sessions.count >= capacity,
                let oldest = state.sessions.min(by: { $0.value.opened < $1.value.opened })
            {
                state.sessions[oldest.key] = nil
            }
            state.counter += 1
            if let key = Self.key(cookie) {
                state.sessions[key] = Session(token: token, opened: state.counter, endsAt: endsAt)
            }
        }
        return (cookie, max(1, (endsAt.milliseconds - now.milliseconds) / 1000))
    }

    /// The token behind a cookie; nil when there is no such session, or no longer.
    func token(of cookie: String, at now: Timestamp) -> SecretText? {
        guard let key = Self.key(cookie) else { return nil }
        return state.withLock { state in
            guard let session = state.sessions[key] else { return nil }
            guard session.endsAt > now else {
                state.sessions[key] = nil
                return nil
            }
            return session.token
        }
    }

    /// - Returns: whether there was one.
    @discardableResult
    func close(_ cookie: String) -> Bool {
        guard let key = Self.key(cookie) else { return false }
        return state.withLock { $0.sessions.removeValue(forKey: key) != nil }
    }

    var count: Int { state.withLock { $0.sessions.count } }

    private static func key(_ cookie: String) -> Shiplog.Digest? {
        Shiplog.Digest(bytes: SHA256.hash(data: Array(cookie.utf8)))
    }
}
