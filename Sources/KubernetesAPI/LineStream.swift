import Synchronization

/// Lines on their way from the transfer's thread to the one task that reads them.
///
/// Bounded: at 256 lines or 1 MiB the transfer is paused, so that a slow reader slows the sender through TCP; a single
/// line may grow to `maximumLineBytes`.
final class LineStream: Sendable {
    enum Acceptance { case taken, full, lineTooLong }
    enum Step: Sendable { case line([UInt8]), end(Result<HTTPResponse, TransportError>) }

    private struct State {
        var lines: ArraySlice<[UInt8]> = []
        var bytes = 0
        /// What came after the last line feed.
        var partial: [UInt8] = []
        var isPaused = false
        var end: Result<HTTPResponse, TransportError>?
        var reader: CheckedContinuation<Void, Never>?
    }

    private static let highWater = (lines: 256, bytes: 1 << 20)
    private let state = Mutex(State())
    /// nil hands on the bytes as they come, whatever is in them.
    private let maximumLineBytes: Int?

    init(maximumLineBytes: Int?) { self.maximumLineBytes = maximumLineBytes }

    // MARK: The transfer's side

    /// Takes all bytes or, when full, none: libcurl brings the same ones again once the transfer goes on.
    func accept(_ bytes: UnsafeBufferPointer<UInt8>) -> Acceptance {
        let (acceptance, reader) = state.withLock { state -> (Acceptance, CheckedContinuation<Void, Never>?) in
            if state.lines.count >= Self.highWater.lines || state.bytes >= Self.highWater.bytes {
                state.isPaused = true
                return (.full, nil)
            }
            guard let maximumLineBytes else {
                state.bytes += bytes.count
                state.lines.append(Array(bytes))
                return (.taken, state.reader.take())
            }
            var rest = bytes[...]
            while let feed = rest.firstIndex(of: 0x0A) {
                state.partial.append(contentsOf: rest[rest.startIndex..<feed])
                if state.partial.last == 0x0D { state.partial.removeLast() }
                guard state.partial.count <= maximumLineBytes else { return (.lineTooLong, nil) }
                state.bytes += state.partial.count
                state.lines.append(state.partial)
                state.partial = []
                rest = rest[(feed + 1)...]
            }
            state.partial.append(contentsOf: rest)
            guard state.partial.count <= maximumLineBytes else { return (.lineTooLong, nil) }
            return (.taken, state.lines.isEmpty ? nil : state.reader.take())
        }
        reader?.resume()
        return acceptance
    }

    func finish(_ result: Result<HTTPResponse, TransportError>) {
        let reader = state.withLock { state in
            if state.end == nil { state.end = result }
            return state.reader.take()
        }
        reader?.resume()
    }

    // MARK: The reader's side

    /// The next line or how it ended. One task at a time.
    /// - Parameter resume: called when a paused transfer may go on.
    func next(resume: () -> Void) async -> Step {
        while true {
            if let step = take(resume: resume) { return step }
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if !state.lines.isEmpty || state.end != nil { return true }
                    state.reader = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        }
    }

    private func take(resume: () -> Void) -> Step? {
        let (step, wasPaused) = state.withLock { state -> (Step?, Bool) in
            // Cancelled: what is still buffered is nobody's any more.
            if case .failure(let error) = state.end, error.kind == .cancelled { return (.end(.failure(error)), false) }
            if let line = state.lines.popFirst() {
                state.bytes -= line.count
                let isLow = state.lines.count < Self.highWater.lines / 2 && state.bytes < Self.highWater.bytes / 2
                let goOn = state.isPaused && isLow
                if goOn { state.isPaused = false }
                return (.line(line), goOn)
            }
            guard let end = state.end else { return (nil, false) }
            if case .success(let response) = end, response.isSuccess, !state.partial.isEmpty {
                return (
                    .end(
                        .failure(
                            TransportError(
                                .connection, "the stream ended in the middle of a line", mayHaveArrived: true))), false
                )
            }
            return (.end(end), false)
        }
        if wasPaused { resume() }
        return step
    }
}
