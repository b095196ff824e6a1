public import LedgerStore
public import Logging
public import Shiplog
import TransparencyLog

/// Whoever outside stands to the log.
public enum Party: Sendable {
    case witness(Witness)
    case http(HTTPAnchor)
    case git(GitAnchor)

    public var name: String {
        switch self {
        case .witness(let witness): witness.name
        case .http(let anchor): anchor.name
        case .git(let anchor): anchor.name
        }
    }

    var kind: Attestation.Kind {
        switch self {
        case .witness: .witness
        case .http: .http
        case .git: .git
        }
    }
}

/// Shows the newest checkpoint to witnesses and anchors, in rounds, and keeps their receipts in the log.
///
/// Nothing waits for them: one that is down, slow or wrong is reported and asked again in the next round.
/// Why it is so: docs/decisions/0017-eyes-from-outside.md.
public actor Attester {
    private struct Standing {
        /// The origin and the size of the tree it took last.
        var origin: String?
        var size: Int64 = 0
    }

    private let log: LogKeeper
    private let parties: [Party]
    private let interval: Int64
    private let now: @Sendable () -> Timestamp
    private let logger: Logger
    private var standings: [String: Standing] = [:]
    /// The newest entries that are receipts: they alone are no reason for a round, for each would make the next.
    private var receipts: [Int64] = []
    private var failures: [String: Failure.Code] = [:]

    private static let mostReceipts = 1024
    /// Receipts looked through at the start for each party's last one.
    private static let lookedThrough = 500

    /// - Parameter interval: milliseconds between two rounds.
    /// - Throws: `log.party-twice` for two of one name.
    public init(
        log: LogKeeper, parties: [Party], interval: Int64, now: @escaping @Sendable () -> Timestamp, logger: Logger
    ) throws(Failure) {
        var names: Set<String> = []
        for party in parties where !names.insert(party.name).inserted {
            throw Failure(
                "log.party-twice", "two witnesses or anchors are called \(party.name)", remedy: "name them apart")
        }
        self.log = log
        self.parties = parties
        self.interval = max(10, interval)
        self.now = now
        self.logger = logger
    }

    /// Goes on until cancelled.
    public func run() async {
        await restore()
        while !Task.isCancelled {
            await round()
            // Without parties this is but a place to wait until the end.
            do { try await Task.sleep(for: .milliseconds(interval)) } catch { return }
        }
    }

    /// What is known of each party before it is asked again.
    func restore() async {
        guard let epoch = log.epoch else { return }
        for party in parties { log.report(Attestation(party.name, party.kind)) }
        for kind in [Event.Kind.checkpointCosigned, .checkpointAnchored] {
            let query = EventQuery(kinds: [kind], limit: Self.lookedThrough)
            guard let stored = try? await log.ledger.events(query).items else { continue }
            for party in parties {
                let found = stored.lazy.compactMap { party.attestation(from: $0, epoch) }.first
                if let found { log.report(found) }
            }
        }
    }

    /// Asks everybody who has not taken the newest checkpoint, all at once.
    func round() async {
        guard let checkpoint = log.published, let epoch = log.epoch, checkpoint.origin == epoch.origin else { return }
        let due = parties.filter { isDue($0, checkpoint) }
        await withTaskGroup(of: Void.self) { group in
            for party in due { group.addTask { await self.ask(party, checkpoint, epoch.number) } }
        }
    }

    private func isDue(_ party: Party, _ checkpoint: Checkpoint) -> Bool {
        guard let standing = standings[party.name], standing.origin == checkpoint.origin else { return true }
        let own = receipts.count { $0 > standing.size && $0 <= checkpoint.head.size }
        return checkpoint.head.size - standing.size > Int64(own)
    }

    private func ask(_ party: Party, _ checkpoint: Checkpoint, _ epoch: Int64) async {
        do throws(Failure) {
            let receipt = try await take(party, checkpoint, epoch)
            standings[party.name] = Standing(origin: checkpoint.origin, size: checkpoint.head.size)
            let stored = try await log.ledger.record(party.event(receipt, for: checkpoint))
            receipts.append(stored.value)
            if receipts.count > Self.mostReceipts { receipts.removeFirst(receipts.count - Self.mostReceipts) }
            log.report(Attestation(party.name, party.kind, size: checkpoint.head.size, at: receipt.at ?? now()))
            if failures.removeValue(forKey: party.name) != nil {
                logger.notice("checkpoints are attested again", metadata: ["by": "\(party.name)"])
            }
        } catch {
            if Task.isCancelled { return }
            var attestation = log.attestations.first { $0.name == party.name } ?? Attestation(party.name, party.kind)
            attestation.failure = error
            log.report(attestation)
            // Said once, until it is something else.
            guard failures.updateValue(error.code, forKey: party.name) != error.code else { return }
            logger.warning(
                "a checkpoint was not attested",
                metadata: ["by": "\(party.name)", "code": "\(error.code)", "message": "\(error.message)"])
        }
    }

    private func take(_ party: Party, _ checkpoint: Checkpoint, _ epoch: Int64) async throws(Failure) -> Receipt {
        switch party {
        case .witness(let witness):
            let known = standings[party.name].flatMap { $0.origin == checkpoint.origin ? $0.size : nil } ?? 0
            let signature = try await witness.cosign(checkpoint, known: known, log.ledger)
            try await log.add(cosignatures: signature.description + "\n", to: checkpoint)
            return Receipt(signature: signature, at: signature.cosignedAt)
        case .http(let anchor): return try await anchor.take(checkpoint)
        case .git(let anchor): return try await anchor.take(checkpoint, ledger: log.ledger.uid, epoch: epoch)
        }
    }
}
