import Foundation
import GitSource
import LedgerStore
import Logging
import Shiplog
import ShiplogTesting
import Testing

@testable import Reconciling

/// Two servers with one ledger, of which one is a copy.
@Suite("Leases") struct LeaseTests {
    private static func identity(_ holder: String = "a", epoch: Int64 = 1) -> LeaseIdentity {
        LeaseIdentity(holder: holder, ledger: "0f0e", epoch: epoch, namespace: "default")
    }

    private static func lease(
        _ cluster: FakeCluster, _ holder: String = "a", epoch: Int64 = 1, duration: Int64 = 1000,
        log: LeaseLog = log(7)
    ) -> ClusterLease {
        var logger = Logger(label: "lease")
        logger.logLevel = .critical
        return ClusterLease(
            cluster, identity(holder, epoch: epoch), duration: duration, log: log,
            now: { Timestamp(milliseconds: 1_700_000_000_000) }, logger: logger)
    }

    /// A log of which every beginning has a root of its own, and another in another history.
    private static func log(_ size: Int64, history: String = "h") -> LeaseLog {
        @Sendable func head(_ size: Int64) -> LogHead { LogHead(size: size, root: "\(history)\(size)") }
        return LeaseLog(head: { head(size) }, past: { $0 <= size ? head($0) : nil })
    }

    private static let key = ResourceKey(
        group: "coordination.k8s.io", kind: "Lease", namespace: "default", name: "shiplog-0f0e")

    private static func failure(of work: () async throws -> Void) async -> Failure? {
        do { try await work() } catch { return error as? Failure }
        return nil
    }

    private static func served() async -> FakeCluster {
        let cluster = FakeCluster()
        await cluster.serveLeases()
        return cluster
    }

    @Test("is another's until it was seen unchanged for its whole time, on our own clock") func verdicts() throws {
        let resource = try Resource([
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": ["name": "x", "annotations": ["shiplog.dev/epoch": "2"]],
            "spec": ["holderIdentity": "b", "leaseDurationSeconds": 60, "renewTime": "1999-01-01T00:00:00.000000Z"]
        ])
        let record = LeaseRecord(resource)
        #expect(record.verdict(for: Self.identity(epoch: 2), isContinued: true, unchanged: 0) == .held)
        #expect(record.verdict(for: Self.identity(epoch: 3), isContinued: true, unchanged: 59_999) == .held)
        #expect(record.verdict(for: Self.identity(epoch: 2), isContinued: true, unchanged: 60_000) == .mayTake)
        #expect(record.verdict(for: Self.identity("b", epoch: 2), isContinued: true, unchanged: 0) == .mayTake)
        #expect(record.verdict(for: Self.identity("b", epoch: 2), isContinued: false, unchanged: 0) == .otherLog)
        #expect(record.verdict(for: Self.identity(epoch: 2), isContinued: false, unchanged: 0) == .held)
        #expect(record.verdict(for: Self.identity(epoch: 1), isContinued: true, unchanged: 1_000_000) == .newerEpoch)
        var released = record
        released.holder = ""
        #expect(released.verdict(for: Self.identity(epoch: 2), isContinued: true, unchanged: 0) == .mayTake)
        #expect(ClusterLease.microTime(Timestamp(milliseconds: 5)) == "1970-01-01T00:00:00.005000Z")
    }

    @Test("is not for an older copy of the ledger, though nobody has it any more") func shorterLogs() async throws {
        let cluster = await Self.served()
        let first = Self.lease(cluster, log: Self.log(40))
        try await first.ensure()
        #expect(await cluster.object(Self.key)?.annotations["shiplog.dev/log-size"] == "40")
        await first.release()
        let older = await Self.failure { try await Self.lease(cluster, "b", log: Self.log(39)).ensure() }
        #expect(older?.code == "cluster.lease-ahead" && older?.message.contains("40 entries") == true)
        #expect(older?.remedy?.contains("default/shiplog-0f0e") == true)
        // The same process on a file that was put back is none the less on an older copy, and what that has written by
        // itself since makes it no newer one: as long or longer, it is another history.
        for log in [Self.log(39), Self.log(40, history: "x"), Self.log(99, history: "x")] {
            let failure = await Self.failure { try await Self.lease(cluster, log: log).ensure() }
            #expect(failure?.code == "cluster.lease-ahead")
        }
        let longer = Self.lease(cluster, "d", log: Self.log(41))
        try await longer.ensure()
        await longer.release()
        let shorter = await Self.failure { try await Self.lease(cluster, log: Self.log(40)).ensure() }
        #expect(shorter?.code == "cluster.lease-ahead")
        // A new epoch begins anew, and of two of one number one writes.
        try await Self.lease(cluster, "e", epoch: 2, log: Self.log(12)).ensure()
        #expect(await cluster.object(Self.key)?.annotations["shiplog.dev/log-size"] == "12")
        await cluster.edit(Self.key) { $0.set("", at: "spec", "holderIdentity") }
        let twin = await Self.failure {
            try await Self.lease(cluster, "f", epoch: 2, log: Self.log(90, history: "x")).ensure()
        }
        #expect(twin?.code == "cluster.lease-ahead")
        // What somebody has written over it says nothing.
        for rubbish in ["", "-5", "1e3", "99999999999999999999", "many"] {
            await cluster.edit(Self.key) {
                $0.set(.string(rubbish), at: "metadata", "annotations", LeaseRecord.sizeAnnotation)
                $0.set("", at: "spec", "holderIdentity")
            }
            let next = Self.lease(cluster, "g", epoch: 2, log: Self.log(12))
            try await next.ensure()
            await next.release()
        }
    }

    @Test("says who, since when and of which epoch, and costs nothing while it is held") func shape() async throws {
        let cluster = await Self.served()
        let lease = Self.lease(cluster, epoch: 3, duration: 60_000)
        try await lease.ensure()
        try await lease.ensure()
        let stored = try #require(await cluster.object(Self.key))
        #expect(
            stored.annotations == [
                "shiplog.dev/ledger": "0f0e", "shiplog.dev/epoch": "3", "shiplog.dev/log-size": "7",
                "shiplog.dev/log-root": "h7"
            ])
        let spec = try #require(stored.object["spec"])
        #expect(spec["holderIdentity"] == "a" && spec["leaseDurationSeconds"] == 60 && spec["leaseTransitions"] == 0)
        #expect(spec["renewTime"] == "2023-11-14T22:13:20.000000Z" && spec["acquireTime"] == spec["renewTime"])
        #expect(await cluster.writes == ["create \(Self.key)"])
        #expect(lease.hold.isValid())
        await lease.release()
        #expect(await cluster.object(Self.key)?.object.at("spec", "holderIdentity") == "")
        #expect(!lease.hold.isValid())
    }

    @Test("goes to the next at once when it is given back, and after its time when it is not") func takeover()
        async throws
    {
        let cluster = await Self.served()
        let (first, second) = (Self.lease(cluster, "a"), Self.lease(cluster, "b"))
        try await first.ensure()
        #expect(await Self.failure { try await second.ensure() }?.code == "cluster.leased")
        // Renewed: what was seen before counts no more.
        try await Task.sleep(for: .milliseconds(700))
        await first.renew()
        try await Task.sleep(for: .milliseconds(700))
        #expect(await Self.failure { try await second.ensure() }?.code == "cluster.leased")
        try await Task.sleep(for: .milliseconds(1100))
        #expect(!first.hold.isValid())
        try await second.ensure()
        #expect(await Self.failure { try await first.ensure() }?.code == "cluster.leased")
        #expect(await cluster.object(Self.key)?.object.at("spec", "leaseTransitions") == 1)
        await second.release()
        try await first.ensure()
        #expect(first.hold.isValid() && !second.hold.isValid())
    }

    @Test("an earlier epoch never takes over from a later one, a later one after the time") func epochs() async throws {
        let cluster = await Self.served()
        let (old, new) = (Self.lease(cluster, "a", epoch: 1), Self.lease(cluster, "b", epoch: 2))
        try await old.ensure()
        #expect(await Self.failure { try await new.ensure() }?.code == "cluster.leased")
        try await Task.sleep(for: .milliseconds(1100))
        try await new.ensure()
        await new.release()
        let failure = try #require(await Self.failure { try await old.ensure() })
        #expect(failure.code == "cluster.lease-newer" && !failure.isTransient)
    }

    @Test("a renewal that fails ends nothing before the lease runs out") func renewalFails() async throws {
        let cluster = await Self.served()
        let lease = Self.lease(cluster)
        try await lease.ensure()
        for _ in 0..<2 { await cluster.fail(.get, .failedNotPersisted(Failure(.clusterUnreachable, "gone"))) }
        await lease.renew()
        #expect(lease.hold.isValid())
        try lease.hold.check()
        try await Task.sleep(for: .milliseconds(1100))
        #expect(!lease.hold.isValid())
        #expect(await Self.failure { try lease.hold.check() }?.code == "cluster.lease-lost")
        #expect(await Self.failure { try await lease.ensure() }?.code == .clusterUnreachable)
        try await lease.ensure()
        #expect(lease.hold.isValid())
    }

    @Test("workers that ask at once share it") func manyWorkers() async throws {
        let cluster = await Self.served()
        let lease = Self.lease(cluster, duration: 60_000)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<16 { group.addTask { try await lease.ensure() } }
            try await group.waitForAll()
        }
        #expect(lease.hold.isValid())
    }

    @Test("a cluster that gives no leases is written to all the same, and every look says so", arguments: [true, false])
    func unavailable(isServed: Bool) async throws {
        let world = try World()
        defer { world.remove() }
        if isServed { await world.cluster.serveLeases() }
        try world.commit(["a.yaml": World.configMap("a", "1")])
        try await world.run { running in
            let name = "shiplog-" + running.ledger.uid
            await world.cluster.fail(.get, named: name, .failedNotPersisted(Failure(.clusterForbidden, "no")))
            try await running.put(world.application())
            try await running.wait("the object") { await running.value(of: "a") == "1" }
            try await running.wait("the condition") {
                await running.controller.status(of: "app")?.conditions.contains {
                    $0.code == "cluster.lease-unavailable"
                } == true
            }
        }
    }

    // MARK: - Two servers

    /// A server on a directory of its own, with the world's repository and cluster.
    private final class Site: Sendable {
        let ledger: Ledger
        let controller: Controller
        private let loop: Task<Void, any Error>

        init(_ world: World, _ directory: String, epoch: Int64 = 1) async throws {
            var settings = world.settings
            settings.leaseDuration = 3000
            settings.epoch = epoch
            ledger = try await Ledger.open(
                DataDirectory(directory), mode: .sandbox, access: .serve, now: { world.clock.now })
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            let controller = Controller(
                ledger: ledger, repositories: Repositories(directory: directory + "/repositories"),
                clusters: Clusters([], inCluster: world.cluster), settings: settings, now: { world.clock.now },
                logger: logger)
            self.controller = controller
            loop = Task { try await controller.run() }
        }

        func stop(gracefully: Bool) async {
            if gracefully { await controller.drain() }
            loop.cancel()
            _ = await loop.result
            await ledger.close()
        }

        func sync() async throws -> Reconciling.Operation {
            let operation = try await controller.sync("app", SyncRequest(), actor: World.person)
            return try #require(await controller.operation(operation.id, waitingMilliseconds: 20_000))
        }

        func refresh() async throws {
            let operation = try await controller.refresh("app", hard: false, actor: World.person)
            _ = await controller.operation(operation.id, waitingMilliseconds: 20_000)
        }

        func hasCondition(_ code: Failure.Code) async -> Bool {
            await controller.status(of: "app")?.conditions.contains { $0.code == code } == true
        }
    }

    private static func until(_ what: String, _ holds: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while try await !holds() {
            try #require(ContinuousClock.now < deadline, "waited for \(what) in vain")
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private static func value(_ world: World) async -> String? {
        await world.cluster.object(
            ResourceKey(group: "", kind: "ConfigMap", namespace: "demo", name: "a"))?.object.at("data", "value")?.string
    }

    @Test(
        "of a ledger and its copy exactly one applies, and the other takes over only when a person lets it",
        arguments: [true, false])
    func twoServers(gracefully: Bool) async throws {
        let world = try World()
        defer { world.remove() }
        await world.cluster.serveLeases()
        try world.commit(["a.yaml": World.configMap("a", "1")])
        let original = world.directory + "/data"
        var first = try await Site(world, original)
        _ = try await first.controller.put(
            world.application(), actor: World.person, ifChangedBy: nil, expectAbsent: false)
        try await Self.until("the first value") { await Self.value(world) == "1" }
        try await Self.until("the end of its sync") { try await first.ledger.openAttempts().isEmpty }
        // A crash, a copy of what is on the disk, and both are started.
        await first.stop(gracefully: false)
        let copy = world.directory + "/copy"
        try FileManager.default.copyItem(atPath: original, toPath: copy)
        // The same directory on the same machine: its writer comes back and need not wait.
        first = try await Site(world, original)
        try world.commit(["a.yaml": World.configMap("a", "2")])
        try await first.refresh()
        try await Self.until("the second value") { await Self.value(world) == "2" }
        // What the copy knows of Git is old as well: it would go back to that.
        var second = try await Site(world, copy)
        try await Self.until("the copy wants to write") { await second.hasCondition("cluster.leased") }
        #expect(await Self.value(world) == "2")
        try await second.refresh()
        try await Self.until("the copy looks") { await second.controller.status(of: "app")?.sync == .synced }
        await world.cluster.resetCounts()

        try world.commit(["a.yaml": World.configMap("a", "3")])
        try await second.refresh()
        try await Self.until("the copy says why not") { await second.hasCondition("cluster.leased") }
        #expect(await second.controller.status(of: "app")?.sync == .outOfSync)
        guard case .refused(let failure) = try await second.sync().state else {
            Issue.record("the copy's sync was not refused")
            return
        }
        #expect(failure.code == "cluster.leased" && failure.isTransient)
        #expect(await Self.value(world) == "2")
        try await first.refresh()
        try await Self.until("the third value") { await Self.value(world) == "3" }
        let writes = await world.cluster.writes.filter { $0.contains("ConfigMap") }
        #expect(writes.count == 1, "\(writes)")
        #expect(try await second.ledger.openAttempts().isEmpty)

        let lease = ResourceKey(
            group: "coordination.k8s.io", kind: "Lease", namespace: "default",
            name: "shiplog-" + second.ledger.uid.lowercased())
        if !gracefully {
            // What it wrote within the last two seconds before a crash is on no record.
            let written = try await first.ledger.head()?.value ?? 0
            try await Self.until("the renewal that notes the length") {
                let noted = await world.cluster.object(lease)?.annotations[LeaseRecord.sizeAnnotation]
                return (noted.flatMap { Int64($0) } ?? 0) >= written
            }
        }
        let stopped = ContinuousClock.now
        await first.stop(gracefully: gracefully)
        try world.commit(["a.yaml": World.configMap("a", "4")])
        try await second.refresh()
        // What the original has written is not in the copy, however long it has run and whatever it wrote meanwhile.
        try await Self.until("the copy says that it is old") { await second.hasCondition("cluster.lease-ahead") }
        #expect(await Self.value(world) == "3")
        let waited = ContinuousClock.now - stopped
        if !gracefully { #expect(waited > .milliseconds(1900), "\(waited)") }
        // Started anew, with all that it has written meanwhile, it is no newer.
        await second.stop(gracefully: true)
        second = try await Site(world, copy)
        try await second.refresh()
        try await Self.until("the copy says so again") { await second.hasCondition("cluster.lease-ahead") }
        #expect(await Self.value(world) == "3")
        // A person who knows that the original is gone for good deletes the Lease.
        await world.cluster.remove(lease)
        try await second.refresh()
        try await Self.until("the copy takes over") { await Self.value(world) == "4" }
        await second.stop(gracefully: true)
    }
}
