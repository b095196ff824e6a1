import LedgerStore
import Logging
import Shiplog
import ShiplogTesting
import Testing

@testable import Reconciling

/// What ends the right to write before anybody here has done anything.
@Suite("Losing a lease") struct LeaseLossTests {
    private static let key = ResourceKey(
        group: "coordination.k8s.io", kind: "Lease", namespace: "default", name: "shiplog-0f0e")
    private static let unreachable = FakeCluster.Fault.failedNotPersisted(Failure(.clusterUnreachable, "gone"))
    private static let forbidden = FakeCluster.Fault.failedNotPersisted(Failure(.clusterForbidden, "no"))

    private static let logger: Logger = {
        var logger = Logger(label: "lease")
        logger.logLevel = .critical
        return logger
    }()

    private static let log = LeaseLog(head: { LogHead(size: 7, root: "r") }, past: { LogHead(size: $0, root: "r") })
    private static let identity = LeaseIdentity(holder: "a", ledger: "0f0e", epoch: 1, namespace: "default")

    private static func lease(_ cluster: FakeCluster, duration: Int64 = 60_000) -> ClusterLease {
        ClusterLease(
            cluster, identity, duration: duration, log: log, now: { Timestamp(milliseconds: 1_700_000_000_000) },
            logger: logger)
    }

    private static func served(_ name: String = "in-cluster") async -> FakeCluster {
        let cluster = FakeCluster(name: name)
        await cluster.serveLeases()
        return cluster
    }

    private static func code(of work: () async throws -> Void) async -> Failure.Code? {
        do { try await work() } catch { return (error as? Failure)?.code }
        return nil
    }

    /// As another server writes it that is sure that ours is gone.
    private static func takenByAnother(_ cluster: FakeCluster, epoch: String = "1") async {
        await cluster.edit(key) { lease in
            lease.set("b", at: "spec", "holderIdentity")
            lease.set(.string(epoch), at: "metadata", "annotations", LeaseRecord.epochAnnotation)
        }
    }

    private static func until(_ what: String, _ holds: () async -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while await !holds() {
            try #require(ContinuousClock.now < deadline, "waited for \(what) in vain")
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    private static func configMap(_ cluster: FakeCluster) async throws -> (Resource, ServedKind) {
        let resource = try Resource([
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "a", "namespace": "demo"]
        ])
        return (resource, try await cluster.catalog(refresh: false).served(resource.gvk))
    }

    @Test("a renewal that finds another's name in it ends all writing at once", arguments: ["1", "2"])
    func anotherHolder(epoch: String) async throws {
        let cluster = await Self.served()
        let lease = Self.lease(cluster)
        try await lease.ensure()
        await Self.takenByAnother(cluster, epoch: epoch)
        await lease.renew()
        #expect(!lease.hold.isValid())
        #expect(await Self.code { try lease.hold.check() } == "cluster.lease-lost")
        let expected: Failure.Code = epoch == "1" ? "cluster.leased" : "cluster.lease-newer"
        #expect(await Self.code { try await lease.ensure() } == expected)
        #expect(await cluster.object(Self.key)?.object.at("spec", "holderIdentity") == "b")
    }

    @Test("a renewal that runs into another's looks again and finds its name") func conflict() async throws {
        let cluster = await Self.served()
        let lease = Self.lease(cluster)
        try await lease.ensure()
        await cluster.fail(.replace, .hang)
        async let renewal: Void = lease.renew()
        try await Self.until("the renewal to be on its way") { await cluster.hanging == 1 }
        await Self.takenByAnother(cluster)
        await cluster.release()
        await renewal
        #expect(!lease.hold.isValid())
    }

    @Test("a lease that vanishes under a renewal is made again, and not taken for one that cannot be had")
    func vanished() async throws {
        let cluster = await Self.served()
        let lease = Self.lease(cluster)
        try await lease.ensure()
        await cluster.fail(.replace, .hang)
        async let renewal: Void = lease.renew()
        try await Self.until("the renewal to be on its way") { await cluster.hanging == 1 }
        await cluster.remove(Self.key)
        await cluster.release()
        await renewal
        guard case .held = lease.hold.current else {
            Issue.record("\(lease.hold.current)")
            return
        }
        #expect(await cluster.object(Self.key)?.object.at("spec", "holderIdentity") == "a")
    }

    @Test("rights that are taken away do not make another's lease one that nobody has") func rights() async throws {
        let cluster = await Self.served()
        let lease = Self.lease(cluster, duration: 1000)
        try await lease.ensure()
        await cluster.edit(Self.key) { lease in
            lease.set("b", at: "spec", "holderIdentity")
            lease.set(5, at: "spec", "leaseDurationSeconds")
        }
        await lease.renew()
        await cluster.fail(.get, Self.forbidden)
        #expect(await Self.code { try await lease.ensure() } == "cluster.leased")
        #expect(!lease.hold.isValid())
        try await Task.sleep(for: .milliseconds(5100))
        await cluster.fail(.get, Self.forbidden)
        try await lease.ensure()
        guard case .waived = lease.hold.current else {
            Issue.record("\(lease.hold.current)")
            return
        }
        // Asked again once there are leases after all: somebody has it.
        await cluster.edit(Self.key) { $0.set(.string("2026-01-01T00:00:00.000000Z"), at: "spec", "renewTime") }
        lease.hold.set(
            .waived(Failure("cluster.lease-unavailable", "no"), since: Timestamp(milliseconds: 0), againAt: 0))
        #expect(await Self.code { try await lease.ensure() } == "cluster.leased")
        #expect(!lease.hold.isValid())
    }

    @Test("a write that is still on its way when the lease ends is given up", arguments: [true, false])
    func underWay(isTaken: Bool) async throws {
        let cluster = await Self.served()
        let lease = Self.lease(cluster)
        try await lease.ensure()
        let (resource, kind) = try await Self.configMap(cluster)
        await cluster.fail(.apply, .hang)
        async let code = Self.code {
            _ = try await lease.hold.during { () async throws(Failure) in
                try await cluster.apply(resource, as: kind, WriteOptions())
            }
        }
        try await Self.until("the write to be on its way") { await cluster.hanging == 1 }
        if isTaken {
            await Self.takenByAnother(cluster)
            await lease.renew()
        } else {
            lease.hold.set(.held(until: Monotonic.milliseconds + 300))
        }
        #expect(await code == "cluster.lease-lost")
        #expect(await cluster.object(resource.key) == nil)
        #expect(await cluster.hanging == 0)
    }

    @Test("a write goes on through a renewal, and its own failure stays its own") func throughRenewal() async throws {
        let cluster = await Self.served()
        let lease = Self.lease(cluster)
        try await lease.ensure()
        let (resource, kind) = try await Self.configMap(cluster)
        await cluster.fail(.apply, .hang)
        async let answer = lease.hold.during { () async throws(Failure) in
            try await cluster.apply(resource, as: kind, WriteOptions())
        }
        try await Self.until("the write to be on its way") { await cluster.hanging == 1 }
        let end = Monotonic.milliseconds + 3000
        lease.hold.set(.held(until: end))
        await lease.renew()
        while Monotonic.milliseconds <= end { try await Task.sleep(for: .milliseconds(100)) }
        await cluster.release()
        #expect(try await answer.key == resource.key)
        await cluster.fail(.apply, Self.unreachable)
        let code = await Self.code {
            _ = try await lease.hold.during { () async throws(Failure) in
                try await cluster.apply(resource, as: kind, WriteOptions())
            }
        }
        #expect(code == .clusterUnreachable)
    }

    @Test("a cluster that does not answer keeps no other's lease from being renewed") func independent() async throws {
        let (deaf, well) = (await Self.served("deaf"), await Self.served("well"))
        let leases = Leases(
            Self.identity, duration: 6000, log: Self.log, now: { Timestamp(milliseconds: 1_700_000_000_000) },
            logger: Self.logger)
        _ = try await leases.ensure(deaf)
        let hold = try await leases.ensure(well)
        await deaf.fail(.get, .hang)
        let loop = Task { await leases.run() }
        try await Self.until("a renewal that hangs") { await deaf.hanging == 1 }
        try await Task.sleep(for: .milliseconds(7000))
        #expect(hold.isValid())
        #expect(await deaf.hanging == 1)
        loop.cancel()
        await loop.value
    }

    @Test("a lease is given back although a renewal of it was on its way") func release() async throws {
        let cluster = await Self.served()
        let lease = Self.lease(cluster)
        try await lease.ensure()
        await cluster.fail(.replace, .failedNotPersisted(Failure(.clusterConflict, "it has changed")))
        await lease.release()
        #expect(await cluster.object(Self.key)?.object.at("spec", "holderIdentity") == "")
        #expect(await Self.code { try await lease.ensure() } == "operation.server-stopping")
        #expect(await cluster.object(Self.key)?.object.at("spec", "holderIdentity") == "")
    }

    @Test("recovery that waits for another's lease says so") func recovery() async throws {
        let world = try World()
        defer { world.remove() }
        await world.cluster.serveLeases()
        try world.commit(["a.yaml": World.configMap("a", "1")])
        await world.cluster.fail(.apply, named: "a", .hang)
        let uid = try await world.run { running in
            try await running.put(world.application())
            try await running.wait("the write to be on its way") { await world.cluster.hanging == 1 }
            return running.ledger.uid
        }
        let key = ResourceKey(
            group: "coordination.k8s.io", kind: "Lease", namespace: "default", name: "shiplog-" + uid)
        await world.cluster.edit(key) { $0.set("b", at: "spec", "holderIdentity") }
        try await world.run { running in
            #expect(try await running.ledger.openAttempts().count == 1)
            try await running.wait("the condition") {
                await running.controller.status(of: "app")?.conditions.contains { $0.code == "cluster.leased" } == true
            }
            #expect(await running.value(of: "a") == nil)
        }
        try await world.verify()
    }
}
