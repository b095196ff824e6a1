import Shiplog
import Synchronization

/// One message of an event stream.
struct ServerEvent: Sendable, Equatable {
    var id: Int64?
    var name: String
    var data: JSON
}

/// Puts the lines of `text/event-stream` together (WHATWG HTML §9.2.6): what this server sends, and comments.
final class ServerEventReader: Sendable {
    private struct State {
        var id: Int64?
        var name = ""
        var data: [UInt8]?
    }

    private let state = Mutex(State())

    /// - Returns: the event that this line completes.
    func take(_ line: [UInt8]) -> ServerEvent? {
        state.withLock { state in
            guard !line.isEmpty else {
                defer { state = State() }
                guard let data = state.data, let json = try? JSON(parsing: data) else { return nil }
                return ServerEvent(id: state.id, name: state.name, data: json)
            }
            let parts = line.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count == 2 ? parts[1].drop { $0 == 0x20 } : []
            switch String(decoding: parts.first ?? [], as: UTF8.self) {
            case "id": state.id = Int64(String(decoding: value, as: UTF8.self))
            case "event": state.name = String(decoding: value, as: UTF8.self)
            case "data": state.data = (state.data.map { $0 + [0x0A] } ?? []) + value
            default: break
            }
            return nil
        }
    }
}
