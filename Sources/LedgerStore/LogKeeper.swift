public import Shiplog
import Synchronization
public import TransparencyLog

/// Signs the log: knows its epoch and keys, and publishes a checkpoint after each commit, at most one a second.
///
/// The order is what makes it trustworthy: a tree is signed when it is durable, the checkpoint is durable outside the
/// database before anybody is shown it, and at the start the ledger is held to it. So no two checkpoints of an origin
/// ever contradict each other, whatever copy of the database is put in place.
public actor LogKeeper {
    /// A person who takes a fork for good, and why.
    public struct ForkAcceptance: Sendable {
        public let actor: Actor
        public let reason: String

        public init(actor: Actor, reason: String) {
            self.actor = actor
            self.reason = reason
        }
    }

    /// Seen without waiting.
    private struct Seen: Sendable {
        var epochs: [Epoch]
        var published: Checkpoint?
        var cosigned: Checkpoint?
        var failure: Failure?
        var attestations: [Attestation] = []
    }

    public nonisolated let ledger: Ledger
    private nonisolated let file: CheckpointFile
    private nonisolated let keyFiles: SigningKeyFiles
    private nonisolated let seen: Mutex<Seen>
    /// Oldest first: more than one only until a rotation is covered by a checkpoint that both have signed.
    private var signers: [NoteSigner]
    private var isRotating = false
    private var listeners: [Int: AsyncStream<Checkpoint>.Continuation] = [:]
    private var nextListener = 0

    /// Milliseconds between two checkpoints.
    public static let interval: Int64 = 500

    /// Finds out which epoch it is, holds the ledger to its last checkpoint, and signs the present tree.
    ///
    /// - Parameters:
    ///   - folder: where checkpoints are kept; it must exist.
    ///   - origin: what the origin of a new epoch begins with; the ledger's uid is added.
    ///   - acceptance: begins a new epoch when the ledger is not what was signed.
    /// - Throws: `ledger.rolled-back`, `ledger.forked`, `log.checkpoint-missing`, `log.checkpoint-foreign`,
    ///   `log.key-missing`, `log.no-fork` for an acceptance without a fork, `log.checkpoint-unwritable`.
    public static func start(
        _ ledger: Ledger, folder: String, origin base: String, acceptance: ForkAcceptance? = nil
    ) async throws(Failure) -> LogKeeper {
        let file = CheckpointFile(folder: folder, uid: ledger.uid)
        let keyFiles = SigningKeyFiles(folder: ledger.directory.keys)
        var epochs = try await ledger.epochs()
        let last = try file.read()
        let fork = try await LogFork.find(ledger, epochs, last, lastEnded: file.lastEnded)
        switch (fork, acceptance) {
        case (let fork?, nil): throw fork.failure
        case (nil, _?):
            throw Failure(
                "log.no-fork", "there is no fork to accept: the ledger is the one that was signed",
                remedy: "start without --accept-fork")
        case (let fork?, let acceptance?):
            let ended = max(
                epochs.last?.number ?? 0, last.flatMap { Origin($0.origin, ledger.uid)?.epoch } ?? 0, file.lastEnded)
            if let last { try file.write(last, to: file.path(ofEpoch: ended)) }
            try await begin(
                ledger, ended + 1, base, keyFiles, fork: fork, actor: acceptance.actor, reason: acceptance.reason)
            epochs = try await ledger.epochs()
        case (nil, nil):
            if epochs.isEmpty {
                try await begin(ledger, 1, base, keyFiles, fork: nil, actor: .controller, reason: nil)
                epochs = try await ledger.epochs()
            }
        }
        guard let epoch = epochs.last else { throw .corrupt("the log has no epoch") }
        let keeper = LogKeeper(ledger, file, keyFiles, epochs, try signers(of: epoch, keyFiles), last)
        try await keeper.publish()
        return keeper
    }

    private static func begin(
        _ ledger: Ledger, _ number: Int64, _ base: String, _ keyFiles: SigningKeyFiles, fork: LogFork?, actor: Actor,
        reason: String?
    ) async throws(Failure) {
        let origin = Origin(base: base, uid: ledger.uid, epoch: number)
        guard let signer = NoteSigner(name: origin.text) else {
            throw Failure(
                "log.origin-invalid", "\(origin.text) cannot name a log",
                remedy: "give log.origin as a host and path without blanks and plus signs")
        }
        // The key first: an epoch whose key was never written could never sign.
        try keyFiles.store(signer)
        // And it stays when the entry cannot be written: that it failed does not tell whether it is durable.
        try await ledger.startEpoch(
            number, origin: origin.text, key: signer.verifier, fork: fork, actor: actor, reason: reason)
    }

    /// The current key, and older ones whose rotation no checkpoint of both covers yet.
    private static func signers(of epoch: Epoch, _ keyFiles: SigningKeyFiles) throws(Failure) -> [NoteSigner] {
        var signers: [NoteSigner] = []
        for key in epoch.keys {
            if let signer = try keyFiles.signer(for: key) {
                signers.append(signer)
            } else if key == epoch.keys.last {
                throw Failure(
                    "log.key-missing", "the key that signs the log is missing: \(keyFiles.path(key))",
                    remedy: "restore it from a backup; a checkpoint cannot be signed without it")
            }
        }
        return signers
    }

    private init(
        _ ledger: Ledger, _ file: CheckpointFile, _ keyFiles: SigningKeyFiles, _ epochs: [Epoch],
        _ signers: [NoteSigner], _ last: Checkpoint?
    ) {
        self.ledger = ledger
        self.file = file
        self.keyFiles = keyFiles
        self.signers = signers
        // What was signed before a restart is still the newest that anybody was shown.
        let published = last.flatMap { $0.origin == epochs.last?.origin ? $0 : nil }
        seen = Mutex(Seen(epochs: epochs, published: published))
    }

    // MARK: - For everybody

    public nonisolated var epochs: [Epoch] { seen.withLock(\.epochs) }
    public nonisolated var epoch: Epoch? { seen.withLock { $0.epochs.last } }
    /// The newest checkpoint that is durable outside the database, with witnesses' signatures once they came.
    public nonisolated var published: Checkpoint? { seen.withLock(\.published) }
    /// The newest checkpoint that a witness has signed since the start: where much happens, the published one is a moment
    /// younger than any signature could be.
    public nonisolated var cosigned: Checkpoint? { seen.withLock(\.cosigned) }
    /// Why no newer checkpoint could be published.
    public nonisolated var failure: Failure? { seen.withLock(\.failure) }
    /// Whether a person still has to look at what was restored: nothing is changed until then.
    public nonisolated var isUnconfirmed: Bool { epoch?.isUnconfirmed ?? false }

    /// How each witness and anchor stands to the log.
    public nonisolated var attestations: [Attestation] { seen.withLock(\.attestations) }
    /// Whether the log has nobody's word but its own: no witness that is configured has signed a checkpoint of this epoch,
    /// no anchor has taken one.
    public nonisolated var isSelfAttested: Bool { !attestations.contains { $0.size != nil } }

    public nonisolated func report(_ attestation: Attestation) {
        seen.withLock { seen in
            if let index = seen.attestations.firstIndex(where: { $0.name == attestation.name }) {
                seen.attestations[index] = attestation
            } else {
                seen.attestations.append(attestation)
            }
        }
    }

    /// Returns when a person has taken the restored state for good; at once when nothing was restored.
    public nonisolated func waitUntilConfirmed() async throws {
        // A person takes minutes; a second more is nothing to them.
        while isUnconfirmed { try await Task.sleep(for: .seconds(1)) }
    }

    /// Publishes after each commit until cancelled or the ledger is closed.
    public func run(onFailure: @Sendable (Failure) -> Void = { _ in }) async {
        for await _ in ledger.changes() {
            repeat {
                do throws(Failure) {
                    try await publish()
                    seen.withLock { $0.failure = nil }
                } catch {
                    // Said once, and tried again until it works: a log that rests must not stay unsigned.
                    if seen.withLock({ $0.failure?.code != error.code }) { onFailure(error) }
                    seen.withLock { $0.failure = error }
                }
                try? await Task.sleep(for: .milliseconds(Self.interval))
            } while failure != nil && !Task.isCancelled
            if Task.isCancelled { break }
        }
        for listener in listeners.values { listener.finish() }
        listeners = [:]
    }

    /// Every published checkpoint from now on; a slow listener sees the newest only.
    public func checkpoints() -> AsyncStream<Checkpoint> {
        let (stream, continuation) = AsyncStream.makeStream(of: Checkpoint.self, bufferingPolicy: .bufferingNewest(1))
        nextListener += 1
        let id = nextListener
        listeners[id] = continuation
        continuation.onTermination = { _ in Task { await self.forget(id) } }
        if let published { continuation.yield(published) }
        return stream
    }

    private func forget(_ id: Int) { listeners[id] = nil }

    /// Signs the present tree, unless it is the one that was published.
    @discardableResult
    public func publish() async throws(Failure) -> Checkpoint? {
        let head = try await ledger.treeHead()
        // Nothing waits from here on: two calls cannot get into each other's way.
        guard let epoch = seen.withLock({ $0.epochs.last }) else { return nil }
        let before = published
        if let before, before.head.size > head.size || (before.head.size == head.size && signers.count == 1) {
            return before
        }
        let checkpoint = try Checkpoint(origin: epoch.origin, head, signers: signers)
        try file.write(checkpoint)
        seen.withLock { $0.published = checkpoint }
        retire(epoch, coveredTo: head.size)
        for listener in listeners.values { listener.yield(checkpoint) }
        return checkpoint
    }

    /// A key goes when a checkpoint that it and its successor signed covers the rotation.
    private func retire(_ epoch: Epoch, coveredTo size: Int64) {
        guard signers.count > 1, epoch.keys.last == signers.last?.verifier, let rotation = epoch.rotations.last,
            rotation.value <= size
        else { return }
        for signer in signers.dropLast() { keyFiles.remove(signer.verifier) }
        signers.removeFirst(signers.count - 1)
    }

    /// Adds witnesses' signatures, which the caller has checked, to a checkpoint, and to the published one if it is still
    /// that.
    public func add(cosignatures lines: String, to checkpoint: Checkpoint) throws(Failure) {
        var cosigned = checkpoint
        if let known = self.cosigned, known.origin == checkpoint.origin, known.head == checkpoint.head {
            cosigned = known
        }
        try cosigned.note.add(lines: lines)
        seen.withLock { seen in
            let isOlder = seen.cosigned.map { $0.origin == cosigned.origin && $0.head.size > cosigned.head.size }
            if isOlder != true { seen.cosigned = cosigned }
        }
        guard var current = published, current.origin == checkpoint.origin, current.head == checkpoint.head else {
            return
        }
        try current.note.add(lines: lines)
        try file.write(current)
        seen.withLock { $0.published = current }
    }

    // MARK: - Acts

    /// Replaces the signing key. The next checkpoint carries both signatures: who trusts the old key learns the new one
    /// from the log that it vouches for. The old key is then destroyed.
    /// - Returns: the new key.
    public func rotate(actor: Actor, reason: String?) async throws(Failure) -> NoteVerifier {
        guard let epoch, !isRotating, signers.count == 1, let old = signers.last,
            let new = NoteSigner(name: epoch.origin)
        else {
            throw Failure(
                "log.rotation-open", "another rotation is not over yet", remedy: "try again in a second",
                next: .retry(afterMilliseconds: 1000))
        }
        // Taken at once, so that no second rotation begins while this one waits for the writer.
        isRotating = true
        defer { isRotating = false }
        // The file stays whatever comes: a write that failed may have been durable, and then this key signs from now on.
        try keyFiles.store(new)
        try await ledger.recordRotation(
            epoch.number, from: old.verifier, to: new.verifier, actor: actor, reason: reason)
        try await reload()
        signers.append(new)
        try await publish()
        return new.verifier
    }

    /// A person has looked at the applications and pins that were restored.
    @discardableResult
    public func confirm(actor: Actor, reason: String?) async throws(Failure) -> SequenceNumber {
        guard let epoch, epoch.isUnconfirmed else {
            throw Failure("log.confirmed", "there is nothing to confirm: no restored copy waits for anybody")
        }
        let sequence = try await ledger.recordConfirmation(epoch.number, actor: actor, reason: reason)
        try await reload()
        return sequence
    }

    private func reload() async throws(Failure) {
        let epochs = try await ledger.epochs()
        seen.withLock { $0.epochs = epochs }
    }
}

extension Ledger {
    /// The checkpoint that was signed last, as it stands in its folder; nil when there is none.
    /// - Parameter folder: nil for the one in the data directory.
    public func checkpoint(in folder: String? = nil) throws(Failure) -> Checkpoint? {
        try CheckpointFile(folder: folder ?? directory.checkpoints, uid: uid).read()
    }
}

/// `BASE/UID` for the first epoch, `BASE/UID/NUMBER-RANDOM` for those after it: should the same copy be put back twice, and
/// nobody know of the first time any more, the two are still not one log.
struct Origin: Sendable, Hashable {
    let text: String
    let epoch: Int64

    init(base: String, uid: String, epoch: Int64) {
        text = "\(base)/\(uid)" + (epoch == 1 ? "" : "/\(epoch)-\(Names.random(8))")
        self.epoch = epoch
    }

    /// nil for a log of another ledger.
    init?(_ text: String, _ uid: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let place = parts.lastIndex(where: { $0 == uid }) else { return nil }
        switch parts.count - place {
        case 1: epoch = 1
        case 2:
            guard let number = Int64(parts[place + 1].prefix { $0 != "-" }), 2...1 << 32 ~= number else { return nil }
            epoch = number
        default: return nil
        }
        self.text = text
    }
}

extension LogFork {
    /// nil when the ledger is what the last checkpoint says, or goes on from there.
    /// - Throws: `log.checkpoint-foreign`.
    static func find(
        _ ledger: Ledger, _ epochs: [Epoch], _ last: Checkpoint?, lastEnded: Int64
    ) async throws(Failure) -> LogFork? {
        let head = try await ledger.treeHead()
        guard let last else {
            // The first checkpoint follows the first epoch's event at once: only a crash between them leaves it out.
            if let epoch = epochs.last, head.size > epoch.startedBy.value {
                return LogFork(kind: .unknown, checkpoint: nil)
            }
            // A copy from before the log was signed, in a folder that has seen it signed.
            return epochs.isEmpty && lastEnded > 0 ? LogFork(kind: .unknown, checkpoint: nil) : nil
        }
        guard let origin = Origin(last.origin, ledger.uid) else {
            throw Failure(
                "log.checkpoint-foreign", "the checkpoint in the folder is of another log: \(last.origin)",
                remedy: "name the folder of this ledger's checkpoints (log.checkpoints)")
        }
        let known = epochs.first { $0.origin == last.origin }
        guard let known else { return LogFork(kind: .beforeEpoch(origin.epoch), checkpoint: last) }
        // Keys that came after the copy was made are not in it; their checkpoint is larger than the copy anyway.
        if (try? last.note.verify(known.keys)) == nil, last.head.size <= head.size {
            throw Failure(
                "log.checkpoint-foreign", "the checkpoint in the folder is signed by no key of this ledger",
                remedy: "somebody has changed the file: bring back the one that was signed")
        }
        // A crash between a new epoch's first entry and its first checkpoint leaves the old one's, which that entry names.
        // Anything else that brings an old epoch's checkpoint back brings an old copy of the folder.
        if let newest = epochs.last, known.number < newest.number {
            let named = newest.lastCheckpoint.flatMap { try? Checkpoint(parsing: $0.utf8) }
            let isCrash =
                named?.origin == last.origin && named?.head == last.head && head.size == newest.startedBy.value
            return isCrash ? nil : LogFork(kind: .unknown, checkpoint: nil)
        }
        guard last.head.size <= head.size else { return LogFork(kind: .older(size: head.size), checkpoint: last) }
        let then = try await ledger.treeHead(at: last.head.size)
        return then == last.head ? nil : LogFork(kind: .other, checkpoint: last)
    }
}
