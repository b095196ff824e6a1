import NIOCore
import Synchronization

/// Whether the server is on its way down: long answers end then, so that their connections can.
final class Closing: Sendable {
    private struct State {
        var isClosing = false
        var then: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())

    var isClosing: Bool { state.withLock(\.isClosing) }

    /// Does something once when the server goes down; at once when it already does.
    func whenClosing(_ act: @escaping @Sendable () -> Void) {
        let isNow = state.withLock { state in
            if !state.isClosing { state.then.append(act) }
            return state.isClosing
        }
        if isNow { act() }
    }

    func begin() {
        let acts = state.withLock { state -> [@Sendable () -> Void] in
            guard !state.isClosing else { return [] }
            state.isClosing = true
            defer { state.then = [] }
            return state.then
        }
        for act in acts { act() }
    }
}

/// Sits in every connection: closes one that does not get its first request said in time (a TLS handshake counts), and
/// hears of the server's graceful stop, which NIO announces to each connection.
final class ConnectionGuard: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny
    typealias InboundOut = NIOAny

    private let closing: Closing
    private let headTime: TimeAmount
    private var deadline: Scheduled<Void>?
    private var hasRead = false

    init(closing: Closing, headTime: Int64) {
        self.closing = closing
        self.headTime = .milliseconds(headTime)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: headTime) { channel.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if !hasRead {
            hasRead = true
            deadline?.cancel()
        }
        context.fireChannelRead(data)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { closing.begin() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }
}
