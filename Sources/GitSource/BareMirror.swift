import FoundationEssentials
import Glibc
import Shiplog
import Synchronization

/// One repository's mirror: when it is fetched, by whom, and what is known of it. `MirrorUpdate` does the fetching.
final class BareMirror: Sendable {
    let url: RepositoryURL
    let store: MirrorStore
    /// Where it is; the name says nothing of the address.
    let path: String
    let lane: Lane
    private let sharing: Sharing<FetchResult>
    private let state = Mutex(State())

    private struct State {
        var refs: Refs?
        /// Counts fetches that brought something: readers look for new packs when it differs from theirs.
        var epoch = 0
        /// Set by a reader that found something missing: the next fetch makes the mirror anew.
        var suspicion: Failure?
        /// Asked for and not fetched yet: commits by name, and references that are neither branches nor tags.
        var wanted: Set<String> = []
        var progress: String?
        var isSwept = false
    }

    init(_ url: RepositoryURL, _ store: MirrorStore) throws(Failure) {
        self.url = url
        self.store = store
        let digest = try Libgit2.digest(url.identity)
        path = store.directory + "/" + digest
        lane = store.lanes.lane(for: digest)
        sharing = Sharing(cancelled: GitFailure.cancelled(url))
    }

    var progress: String? { state.withLock { $0.progress } }

    // MARK: Reading

    /// Runs a read on the mirror's lane. What looks like a broken mirror is remembered for the next fetch.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (OpenMirror) throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let epoch = state.withLock { $0.epoch }
        do throws(Failure) {
            return try await lane.read(path, epoch: epoch, body)
        } catch {
            guard error.code == Libgit2.broken || error.code == Libgit2.unusable else { throw error }
            guard exists else {
                throw Failure(
                    "git.not-fetched", "The repository \(url) was not fetched yet", remedy: "wait for its first fetch",
                    next: .retry(afterMilliseconds: nil))
            }
            if error.code == Libgit2.broken { state.withLock { $0.suspicion = error } }
            throw error
        }
    }

    var exists: Bool { access(path, F_OK) == 0 }

    /// The references as of the last fetch, an earlier process's included; fetched when there was none.
    func refs() async throws(Failure) -> Refs {
        if let refs = state.withLock({ $0.refs }) { return refs }
        guard exists else { return try await fetch().refs }
        do throws(Failure) {
            let refs = try await read { mirror throws(Failure) in try mirror.refs(mirror.rawRefs()) }
            // Left by a process that ended in its first clone.
            if refs.isEmpty { return try await fetch().refs }
            state.withLock { if $0.refs == nil { $0.refs = refs } }
            return refs
        } catch {
            guard error.code == Libgit2.broken else { throw error }
            return try await fetch().refs
        }
    }

    // MARK: Fetching

    /// Shares the next fetch.
    ///
    /// - Parameter wanting: a commit's full name or a reference's, to be brought as well if the server gives it.
    func fetch(wanting: String? = nil) async throws(Failure) -> FetchResult {
        if let wanting {
            let isTaken = state.withLock { state in
                guard state.wanted.count < 100 else { return false }
                state.wanted.insert(wanting)
                return true
            }
            guard isTaken else {
                throw Failure(
                    "git.busy", "Too many single commits of \(url) are asked for at once",
                    next: .retry(afterMilliseconds: nil))
            }
        }
        return try await sharing.join { start() }
    }

    private func start() {
        store.workers.submit {
            let isWantedAgain = self.sharing.run({ self.attempt() }, afterwards: { self.maintain() })
            if isWantedAgain { self.start() }
        }
    }

    private func attempt() -> Result<FetchResult, Failure> {
        let started = ContinuousClock.now
        store.counters.withLock { $0.running += 1 }
        let (suspicion, wanted, isSwept) = state.withLock { state in
            defer { state.wanted = [] }
            return (state.suspicion, state.wanted, state.isSwept)
        }
        let result: Result<FetchResult, Failure>
        do throws(Failure) {
            try store.prepare()
            if !isSwept {
                MirrorFiles.sweep(path)
                state.withLock { $0.isSwept = true }
            }
            let update = MirrorUpdate(
                mirror: self, wanted: wanted, shouldStop: { self.sharing.shouldStop }, progress: { self.report($0) })
            let known = state.withLock { ($0.refs, $0.epoch) }
            let outcome = try update.run(suspicion: suspicion, known: known.0, epoch: known.1)
            state.withLock { state in
                state.refs = outcome.refs
                if outcome.changed || outcome.rebuilt != nil || !wanted.isEmpty { state.epoch += 1 }
                if outcome.rebuilt != nil { state.suspicion = nil }
            }
            result = .success(outcome)
        } catch {
            // A child that was killed may have left locks behind.
            state.withLock { $0.isSwept = false }
            result = .failure(error)
        }
        state.withLock { $0.progress = nil }
        let took = ContinuousClock.now - started
        store.counters.withLock { counters in
            counters.running -= 1
            counters.checks += 1
            counters.time += took
            if case .failure = result { counters.failures += 1 }
            if case .success(let outcome) = result, outcome.rebuilt != nil { counters.rebuilds += 1 }
        }
        return result
    }

    /// Keeps the last line of Git's own progress, such as `Receiving objects:  45% (450/1000)`.
    private func report(_ bytes: [UInt8]) {
        let lines = bytes.split { $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\n") }
        let known = [
            "Receiving objects:", "Resolving deltas:", "remote: Counting objects:", "remote: Compressing objects:"
        ]
        for line in lines.reversed() {
            let text = String(decoding: line.prefix(200), as: UTF8.self)
            guard known.contains(where: { text.hasPrefix($0) }) else { continue }
            state.withLock { $0.progress = Libgit2.printable(text, limit: 100) }
            return
        }
    }

    /// Packs many small packs, one a fetch, into few: reading slows down with their number. Nothing is ever deleted.
    private func maintain() {
        guard MirrorFiles.packCount(path) > 24 else { return }
        for arguments in [["repack", "--geometric=2", "-d", "-l", "-q"], ["pack-refs", "--all"]] {
            var child = store.program.local(arguments, mirror: path)
            child.silence = child.total
            let outcome = child.run(shouldStop: { false })
            guard outcome.ending == .exited(0) else {
                state.withLock { $0.isSwept = false }
                break
            }
        }
        try? lane.exclusively(path) { () throws(Failure) in }
    }
}
