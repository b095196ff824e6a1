import Glibc
import LedgerStore
import Logging
import Shiplog

/// Who writes to clusters on behalf of which ledger.
struct LeaseIdentity: Sendable, Hashable {
    /// This process's data directory on this machine since it was started. Whoever has it again after a crash is the same
    /// writer and need not wait: the directory's lock admits one process at a time. A copy elsewhere never has it.
    let holder: String
    let ledger: String
    let epoch: Int64
    let namespace: String

    var name: String { "shiplog-" + ledger.lowercased() }

    static func holder(ofDirectory path: String) -> String {
        var information = stat()
        let isThere = stat(path, &information) == 0
        var boot = [UInt8](repeating: 0, count: 8)
        let file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        let count = file >= 0 ? read(file, &boot, boot.count) : 0
        if file >= 0 { close(file) }
        guard isThere, count == boot.count else {
            // Without a name of its own it takes a new one, and waits after a crash.
            return "shiplog-" + String(UInt64.random(in: 0...(.max)), radix: 16)
        }
        let place = String(information.st_dev, radix: 16) + "-" + String(information.st_ino, radix: 16)
        return "shiplog-" + String(decoding: boot, as: UTF8.self) + "-" + place
    }
}

/// The log of a writer, which others of the same name have to continue.
struct LeaseLog: Sendable {
    /// As it is now, all of it durable.
    let head: @Sendable () async throws(Failure) -> LogHead
    /// As it was when it had that many entries; nil when it has fewer.
    let past: @Sendable (_ size: Int64) async throws(Failure) -> LogHead?
}

/// A `coordination.k8s.io/v1` Lease as it stands in a cluster.
struct LeaseRecord: Sendable, Hashable {
    static let kind = GroupVersionKind(group: "coordination.k8s.io", version: "v1", kind: "Lease")
    static let ledgerAnnotation = "shiplog.dev/ledger"
    static let epochAnnotation = "shiplog.dev/epoch"
    static let sizeAnnotation = "shiplog.dev/log-size"
    static let rootAnnotation = "shiplog.dev/log-root"

    /// Empty when it was given back.
    var holder: String
    var epoch: Int64
    /// What the writer's log was when it last said so; nil when it did not, or nothing that can be meant.
    var log: LogHead?
    /// Seconds, 1…3600.
    var duration: Int64
    /// What changes with each renewal; another's clock is not read, only whether it goes.
    var renewTime: String
    var version: String

    init(_ lease: Resource) {
        let spec = lease.object["spec"]
        holder = spec?["holderIdentity"]?.string ?? ""
        epoch = lease.annotations[Self.epochAnnotation].flatMap { Int64($0) } ?? 1
        let size = lease.annotations[Self.sizeAnnotation].flatMap { Int64($0) }
        if let size, size >= 0, let root = lease.annotations[Self.rootAnnotation] {
            log = LogHead(size: size, root: root)
        }
        duration = min(3600, max(1, spec?["leaseDurationSeconds"]?.integer ?? 60))
        renewTime = spec?["renewTime"]?.string ?? ""
        version = lease.resourceVersion ?? ""
    }

    enum Verdict: Sendable, Hashable {
        case mayTake
        /// Another writer has it, and has renewed it not too long ago.
        case held
        /// A writer of a later epoch has had it: what is here is an older copy of the ledger.
        case newerEpoch
        /// A writer of this epoch has had it whose log this one does not continue: what is here is an older copy of the
        /// ledger, whatever was written to it since.
        case otherLog
    }

    /// - Parameters:
    ///   - isContinued: whether the log here begins with the one that the record tells of.
    ///   - unchanged: milliseconds for which it was seen not to change, on our own clock; as client-go judges it.
    func verdict(for identity: LeaseIdentity, isContinued: Bool, unchanged: Int64) -> Verdict {
        if epoch > identity.epoch { return .newerEpoch }
        let isFree = holder.isEmpty || holder == identity.holder || unchanged >= duration * 1000
        guard isFree else { return .held }
        if epoch == identity.epoch, !isContinued { return .otherLog }
        return .mayTake
    }
}

/// The lease of one cluster: keeps a second server with the same ledger, a restored copy that runs elsewhere, from
/// writing to it.
actor ClusterLease {
    nonisolated let hold = LeaseHold()
    private let cluster: any Cluster
    private let identity: LeaseIdentity
    private let duration: Int64
    private let log: LeaseLog
    private let now: @Sendable () -> Timestamp
    private let logger: Logger
    /// Our log as it was last noted in the lease.
    private var noted: LogHead?
    /// Whether our log begins with the one that the record last seen tells of.
    private var isContinued = true
    /// Whether it was ours at any time: then there is a right to leases and a place for this one.
    private var wasHeld = false
    /// The last record of another's, and when it was first seen so.
    private var observed: (record: LeaseRecord, since: Int64)?
    /// How often another's name was found in it.
    private var losses = 0
    private var isRenewing = false
    private var isReleased = false

    private static let attempts = 4
    private static let waiverLasts: Int64 = 300_000
    private static let lossLasts: Int64 = 10_000

    /// - Parameters:
    ///   - duration: milliseconds; at least a second.
    init(
        _ cluster: any Cluster, _ identity: LeaseIdentity, duration: Int64,
        log: LeaseLog, now: @escaping @Sendable () -> Timestamp, logger: Logger
    ) {
        self.cluster = cluster
        self.identity = identity
        self.duration = max(1000, duration)
        self.log = log
        self.now = now
        self.logger = logger
    }

    /// Makes sure that this process may write now. Costs nothing while the lease is held.
    /// - Throws: `cluster.leased`, `cluster.lease-newer`; what kept the cluster from answering.
    func ensure() async throws(Failure) {
        if case .waived(_, _, let againAt) = hold.current, Monotonic.milliseconds < againAt { return }
        if case .held = hold.current, hold.isValid() { return }
        try await take()
    }

    /// Renews a lease that is held, when a third of its time is over or there are new entries to tell of.
    func keep() async {
        guard case .held(let end) = hold.current else { return }
        let isTime = end - Monotonic.milliseconds <= duration - max(300, duration / 3)
        if !isTime, (try? await log.head()) == noted { return }
        await renew()
    }

    /// Renews a lease that is held. What keeps the cluster from answering changes nothing until the lease runs out;
    /// another's name in it ends it at once.
    func renew() async {
        guard case .held = hold.current, !isReleased, !isRenewing else { return }
        isRenewing = true
        defer { isRenewing = false }
        do throws(Failure) {
            try await take()
        } catch {
            logger.warning("a lease was not renewed", metadata: ["cluster": "\(cluster.name)", "code": "\(error.code)"])
        }
    }

    /// Gives it back, so that whoever comes next need not wait.
    func release() async {
        isReleased = true
        guard case .held = hold.current else { return }
        hold.set(.none)
        for _ in 0..<Self.attempts {
            do throws(Failure) {
                let kind = try await kind()
                guard let lease = try await cluster.get(kind, namespace: identity.namespace, name: identity.name),
                    LeaseRecord(lease).holder == identity.holder
                else { return }
                var free = lease
                // What was written last of all is in no renewal.
                note((try? await log.head()) ?? noted, in: &free)
                free.set("", at: "spec", "holderIdentity")
                free.set(1, at: "spec", "leaseDurationSeconds")
                _ = try await cluster.replace(free, as: kind, WriteOptions())
                return
            } catch {
                // A renewal of ours that was on its way.
                if error.code == .clusterConflict { continue }
                logger.debug(
                    "a lease was not given back", metadata: ["cluster": "\(cluster.name)", "code": "\(error.code)"])
                return
            }
        }
    }

    private func kind() async throws(Failure) -> ServedKind {
        try await cluster.catalog(refresh: false).served(LeaseRecord.kind)
    }

    private func take() async throws(Failure) {
        let end = hold.end
        for _ in 0..<Self.attempts {
            guard !isReleased else { throw Self.stopping }
            let before = losses
            var isNew = false
            do throws(Failure) {
                let kind = try await kind()
                let found = try await cluster.get(kind, namespace: identity.namespace, name: identity.name)
                isNew = found == nil
                // After the record: a renewal of ours may have noted a longer log than there was before.
                let head = try await log.head()
                isContinued = try await continues(found.map(LeaseRecord.init), head)
                let wanted = try lease(from: found, head)
                // From before the write on: the server may have done it as early as that.
                let asked = Monotonic.milliseconds
                if isNew {
                    _ = try await cluster.create(wanted, as: kind, WriteOptions())
                } else {
                    _ = try await cluster.replace(wanted, as: kind, WriteOptions())
                }
                guard !isReleased else { throw Self.stopping }
                // Another was seen while the answer was on its way: which of the two is older, the next look tells.
                guard losses == before else { continue }
                hold.set(.held(until: max(hold.end, asked + duration)))
                wasHeld = true
                noted = head
                observed = nil
                return
            } catch {
                switch error.code {
                case .clusterConflict, .clusterAlreadyExists:
                    // Somebody was faster. Another worker of ours has moved the end; if none has, the next look tells.
                    if hold.end > end, hold.isValid() { return }
                case .clusterNotFound where !isNew:
                    // Deleted between the look and the write.
                    continue
                case .clusterForbidden, "cluster.kind-unknown", "cluster.version-not-served", .clusterNotFound:
                    try judge()
                    waive(error)
                    return
                default: throw error
                }
            }
        }
        throw leased(by: observed?.record.holder ?? "others who come and go")
    }

    /// Whether what was last seen may be taken over. If not, nothing is left of a time of our own.
    /// - Throws: `cluster.leased`, `cluster.lease-newer`.
    private func judge() throws(Failure) {
        guard let (record, since) = observed else { return }
        let verdict = record.verdict(for: identity, isContinued: isContinued, unchanged: Monotonic.milliseconds - since)
        guard verdict != .mayTake else { return }
        losses += 1
        hold.set(.none)
        let remedy =
            "stop this server: it runs on an older copy. If the later one is gone for good, delete the "
            + "Lease \(identity.namespace)/\(identity.name)"
        switch verdict {
        case .mayTake: return
        case .held: throw leased(by: record.holder)
        case .newerEpoch:
            throw Failure(
                "cluster.lease-newer",
                "the cluster \(cluster.name) was last written to from epoch \(record.epoch) of this ledger; "
                    + "this is epoch \(identity.epoch)", remedy: remedy)
        case .otherLog:
            throw Failure(
                "cluster.lease-ahead",
                "the cluster \(cluster.name) was last written to from this ledger when it had \(record.log?.size ?? 0) "
                    + "entries, and the log here does not begin with them", remedy: remedy)
        }
    }

    /// Whether our log begins with the one that a record tells of. A longer one is none of ours, and neither is one that
    /// went its own way and has grown longer meanwhile.
    private func continues(_ record: LeaseRecord?, _ head: LogHead) async throws(Failure) -> Bool {
        guard let record, record.epoch == identity.epoch, let told = record.log, told != noted else { return true }
        return told == head ? true : try await log.past(told.size) == told
    }

    private func note(_ head: LogHead?, in lease: inout Resource) {
        guard let head else { return }
        lease.set(.string(String(head.size)), at: "metadata", "annotations", LeaseRecord.sizeAnnotation)
        lease.set(.string(head.root), at: "metadata", "annotations", LeaseRecord.rootAnnotation)
    }

    /// The lease as it is to be written.
    /// - Throws: `cluster.leased`, `cluster.lease-newer` when it is not ours to take.
    private func lease(from found: Resource?, _ head: LogHead) throws(Failure) -> Resource {
        let record = found.map(LeaseRecord.init)
        if let record {
            if observed?.record != record { observed = (record, Monotonic.milliseconds) }
            try judge()
        } else {
            observed = nil
        }
        let time = Self.microTime(now())
        var lease: Resource
        if let found { lease = found } else { lease = try blank() }
        lease.set(.string(identity.ledger), at: "metadata", "annotations", LeaseRecord.ledgerAnnotation)
        lease.set(.string(String(identity.epoch)), at: "metadata", "annotations", LeaseRecord.epochAnnotation)
        note(head, in: &lease)
        lease.set(.string(identity.holder), at: "spec", "holderIdentity")
        lease.set(.integer(duration / 1000), at: "spec", "leaseDurationSeconds")
        lease.set(.string(time), at: "spec", "renewTime")
        if record?.holder != identity.holder {
            lease.set(.string(time), at: "spec", "acquireTime")
            let before = found?.object.at("spec", "leaseTransitions")?.integer
            lease.set(.integer(found == nil ? 0 : (before ?? 0) + 1), at: "spec", "leaseTransitions")
        }
        return lease
    }

    private func blank() throws(Failure) -> Resource {
        try Resource([
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": ["name": .string(identity.name), "namespace": .string(identity.namespace)]
        ])
    }

    private func waive(_ failure: Failure) {
        let why = Failure(
            "cluster.lease-unavailable",
            "nothing keeps a second server with this ledger from writing to \(cluster.name): \(failure.message)",
            remedy: "let Shiplog get, create and update leases.coordination.k8s.io in the namespace "
                + identity.namespace)
        var since = now()
        if case .waived(_, let before, _) = hold.current {
            since = before
        } else {
            logger.warning("\(why.message)", metadata: ["cluster": "\(cluster.name)", "code": "\(failure.code)"])
        }
        // Where there was one before, somebody has taken it away, and may give it back soon.
        let lasts = wasHeld ? Self.lossLasts : Self.waiverLasts
        hold.set(.waived(why, since: since, againAt: Monotonic.milliseconds + lasts))
    }

    private func leased(by holder: String) -> Failure {
        Failure(
            "cluster.leased", "another server with this ledger writes to the cluster \(cluster.name): \(holder)",
            remedy: "run one server a ledger; a copy of it takes over when the other has been silent for "
                + "\(duration / 1000) seconds, if it has all that the other wrote",
            next: .retry(afterMilliseconds: duration / 2))
    }

    private static let stopping = Failure(
        "operation.server-stopping", "the server is stopping", remedy: "ask again when it has started",
        next: .superseded)

    /// Kubernetes' MicroTime takes six decimals, no fewer.
    static func microTime(_ time: Timestamp) -> String {
        let text = time.description
        return text.hasSuffix("Z") ? text.dropLast() + "000Z" : text
    }
}
