import Foundation
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@testable import Reconciling

@Suite("A rollback of several applications") struct FleetTests {
    /// Commits `value` for the applications named: each has a folder and a ConfigMap of its name.
    private func commit(_ world: World, _ values: [String: String]) throws {
        for (name, value) in values {
            let folder = world.repository + "/" + name
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try World.configMap(name, value).write(toFile: folder + "/a.yaml", atomically: true, encoding: .utf8)
        }
        try world.git("add", "-A")
        try world.git("commit", "-q", "-m", "change \(values.keys.sorted().joined(separator: " "))")
    }

    private func application(_ world: World, _ name: String, labels: [String: String] = [:]) -> Application {
        var application = world.application(name, automated: nil, path: name)
        application.labels = labels
        return application
    }

    /// Three applications at version 1, then two of them at version 2.
    /// - Returns: the sequence at which all were at version 1.
    private func twoVersions(_ running: Running) async throws -> SequenceNumber {
        let world = running.world
        try commit(world, ["one": "1", "two": "1", "three": "1"])
        for name in ["one", "two", "three"] {
            try await running.put(application(world, name, labels: ["tier": name == "one" ? "web" : "data"]))
            #expect(try await running.sync(name).outcome == "succeeded")
        }
        let then = try #require(try await running.ledger.head())
        try commit(world, ["one": "2", "two": "2"])
        for name in ["one", "two"] { #expect(try await running.sync(name).outcome == "succeeded") }
        return then
    }

    private func plan(
        _ running: Running, _ at: SequenceNumber, _ selection: FleetSelection = FleetSelection(),
        _ edit: (inout FleetOptions) -> Void = { _ in }
    ) async throws -> FleetPlan {
        var options = FleetOptions()
        edit(&options)
        return try await running.controller.planFleet(at: .sequence(at), selection, options)
    }

    private func request(_ plan: FleetPlan, continueOnError: Bool = false) throws -> FleetRequest {
        FleetRequest(
            at: try #require(plan.at.sequence),
            orders: plan.items.compactMap { if case .planned(let order) = $0.verdict { order } else { nil } },
            options: plan.options, reason: "the migration failed", ticket: "OPS-7", continueOnError: continueOnError)
    }

    private func finish(_ running: Running, _ group: SequenceNumber) async throws -> Fleet {
        try await running.wait("the fleet's end") { try await running.controller.fleet(group)?.isOver == true }
        return try #require(try await running.controller.fleet(group))
    }

    private static func target(_ item: FleetPlan.Item) -> SequenceNumber? {
        switch item.verdict {
        case .planned(let order), .offered(let order): order.target
        case .nothing, .cannot: nil
        }
    }

    private func words(_ plan: FleetPlan) -> [String] {
        plan.items.map { item in
            switch item.verdict {
            case .planned(let order): "\(item.application.name) \(order.action.rawValue)"
            case .offered(let order): "\(item.application.name) offered \(order.action.rawValue)"
            case .nothing: "\(item.application.name) none"
            case .cannot(let failure): "\(item.application.name) \(failure.code)"
            }
        }
    }

    private func code(_ body: () async throws -> Void) async -> String? {
        do {
            try await body()
            return nil
        } catch let failure as Failure { return failure.code.rawValue } catch { return "\(error)" }
    }

    @Test("puts back what differs, and one group joins its revisions") func whole() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            let then = try await twoVersions(running)
            let plan = try await plan(running, then)
            #expect(words(plan) == ["one rollback", "three none", "two rollback"])
            #expect(plan.items.first?.changes.map(\.action) == ["update"])
            let fleet = try await running.controller.applyFleet(try request(plan), actor: World.person)
            let ended = try await finish(running, fleet.group)
            #expect(ended.results.map(\.word) == ["succeeded", "succeeded"])
            for name in ["one", "two", "three"] { #expect(await running.value(of: name) == "1") }
            for result in ended.results {
                let sequence = try #require(result.revision)
                guard case .revision(let stored)? = try await running.ledger.record(at: sequence) else { continue }
                #expect(stored.revision.reason == "the migration failed" && stored.revision.ticket == "OPS-7")
                #expect(stored.revision.kind == .rollback && stored.revision.actor.name == "ada")
                let attempt = try await running.ledger.attempt(try #require(stored.revision.attempt))
                #expect(attempt?.intent.group == fleet.group)
            }
            #expect(try await running.ledger.application(named: "one")?.pin != nil)
            #expect(try await running.ledger.application(named: "three")?.pin == nil)
            // The answer is the same when it is read back from the ledger.
            let started = try #require(try await running.ledger.events(EventQuery(kinds: [.fleetStarted])).items.first)
            let read = FleetRecord.fleet(started, try await running.ledger.fleetEnd(fleet.group))
            #expect(read?.results == ended.results && read?.request.orders == ended.request.orders)
            #expect(try await running.ledger.unfinishedFleets().isEmpty)
            #expect(words(try await self.plan(running, then)) == ["one none", "three none", "two none"])
        }
        try await world.verify()
    }

    @Test("is of the applications that were chosen") func selection() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            let then = try await twoVersions(running)
            let byLabel = FleetSelection(selector: LabelSelector("tier=web"))
            #expect(words(try await plan(running, then, byLabel)) == ["one rollback"])
            #expect(words(try await plan(running, then, FleetSelection(names: ["two"]))) == ["two rollback"])
            #expect(words(try await plan(running, then, FleetSelection(projects: ["none"]))).isEmpty)
        }
    }

    @Test("is refused when anything of it has moved") func moved() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            let then = try await twoVersions(running)
            let request = try request(try await plan(running, then))
            try commit(world, ["two": "3"])
            #expect(try await running.sync("two").outcome == "succeeded")
            #expect(
                await code { _ = try await running.controller.applyFleet(request, actor: World.person) } == "plan.moved"
            )
            #expect(await running.value(of: "one") == "2")
            let pinnedSince = try self.request(try await plan(running, then))
            _ = try await running.controller.pin("one", hold: .untilUnpinned, actor: World.person, reason: nil)
            #expect(
                await code { _ = try await running.controller.applyFleet(pinnedSince, actor: World.person) }
                    == "plan.moved")
            var silent = try self.request(try await plan(running, then))
            silent.reason = " "
            #expect(
                await code { _ = try await running.controller.applyFleet(silent, actor: World.person) }
                    == "rollback.reason-missing")
            #expect(try await running.ledger.events(EventQuery(kinds: [.fleetStarted])).items.isEmpty)
        }
        try await world.verify()
    }

    @Test("is refused when it says what the log does not, and leaves nothing there") func untrue() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            let then = try await twoVersions(running)
            let request = try request(try await plan(running, then))
            let one = try #require(request.orders.first)
            let two = try #require(request.orders.last)
            let head = try #require(try await running.ledger.head())
            /// The same with one order alone, of another action or target.
            func changed(_ action: FleetOrder.Action, _ target: SequenceNumber?) -> FleetRequest {
                var copy = request
                copy.orders = [
                    FleetOrder(application: one.application, action: action, target: target, expects: one.expects)
                ]
                return copy
            }
            var later = request
            later.at = try #require(SequenceNumber(head.value + 1))
            var earlier = request
            earlier.at = try #require(SequenceNumber(1))
            let untrue = [
                later, earlier, changed(.rollback, one.expects.applied), changed(.rollback, two.target),
                changed(.rollback, then), changed(.delete, nil)
            ]
            for (index, request) in untrue.enumerated() {
                let told = await code {
                    _ = try await running.controller.applyFleet(request, actor: World.person)
                }
                #expect(told == "plan.invalid", "\(index)")
            }
            #expect(try await running.ledger.events(EventQuery(kinds: [.fleetStarted])).items.isEmpty)
            #expect(await running.value(of: "one") == "2")
            // Nothing of it is in the way of the plan as it was.
            let fleet = try await running.controller.applyFleet(request, actor: World.person)
            #expect(try await finish(running, fleet.group).results.map(\.word) == ["succeeded", "succeeded"])
        }
        try await world.verify()
    }

    @Test("offers to register again what was deleted, and to delete what was not there; assumes neither")
    func offers() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            let then = try await twoVersions(running)
            let old = try #require(try await running.ledger.application(named: "three"))
            _ = try await running.controller.delete("three", cascade: true, actor: World.person, reason: nil)
            #expect(await running.value(of: "three") == nil)
            try commit(world, ["four": "1"])
            try await running.put(application(world, "four"))
            #expect(try await running.sync("four").outcome == "succeeded")
            let offered = try await plan(running, then)
            #expect(
                words(offered) == ["four offered delete", "one rollback", "three offered recreate", "two rollback"])
            #expect(try request(offered).orders.count == 2)
            let switched = try await plan(running, then) {
                $0.recreate = true
                $0.delete = true
            }
            #expect(words(switched) == ["four delete", "one rollback", "three recreate", "two rollback"])
            let fleet = try await running.controller.applyFleet(try request(switched), actor: World.person)
            let ended = try await finish(running, fleet.group)
            #expect(ended.results.map(\.word) == ["succeeded", "succeeded", "succeeded", "succeeded"], "\(ended)")
            #expect(await running.value(of: "four") == nil)
            #expect(try await running.ledger.application(named: "four") == nil)
            #expect(await running.value(of: "three") == "1")
            let new = try #require(try await running.ledger.application(named: "three"))
            #expect(new.uid != old.uid && new.pin != nil && new.application.labels == ["tier": "data"])
            // Held in the very transaction that registered it: not even a crash lets the loop look before.
            #expect(new.pin?.target == offered.items.first { $0.application.uid == old.uid }.flatMap(Self.target))
            let events = try await running.ledger.events(EventQuery(applications: [new.uid], order: .oldestFirst)).items
            #expect(events.prefix(2).map(\.value.kind) == [.applicationCreated, .pinned])
            #expect(events.first.map { $0.sequence.value + 1 } == events.dropFirst().first?.sequence.value)
            let live = await world.cluster.object(running.key("three"))
            #expect(live.map { Ownership.of($0, for: new.uid) } == .ours)
            // The loop goes on with it as with any other.
            try await running.refresh("three")
            #expect(await running.controller.status(of: "three")?.sync == .synced)
        }
        try await world.verify()
    }

    @Test("stops at the first failure, or goes on, as asked") func failures() async throws {
        for goesOn in [false, true] {
            let world = try World()
            defer { world.remove() }
            try await world.run { running in
                let names = (0..<8).map { "app\($0)" }
                try commit(world, Dictionary(uniqueKeysWithValues: names.map { ($0, "1") }))
                for name in names {
                    try await running.put(application(world, name))
                    try await running.sync(name)
                }
                let then = try #require(try await running.ledger.head())
                try commit(world, Dictionary(uniqueKeysWithValues: names.map { ($0, "2") }))
                for name in names { try await running.sync(name) }
                let request = try request(try await plan(running, then), continueOnError: goesOn)
                let refusal = Failure("cluster.forbidden", "may not")
                await world.cluster.fail(.apply, named: "app0", .failedNotPersisted(refusal))
                let fleet = try await running.controller.applyFleet(request, actor: World.person)
                let ended = try await finish(running, fleet.group)
                #expect(ended.results.first?.word == "failed")
                #expect(ended.results.contains(.skipped) == !goesOn)
                let end = try await running.ledger.fleetEnd(fleet.group)
                #expect(end?.value.outcome == "failed" && end?.value.facts["failed"] == 1)
            }
            try await world.verify()
        }
    }

    @Test("goes on after a crash, where it was") func resumes() async throws {
        let world = try World()
        defer { world.remove() }
        let group = try await world.run { running in
            let then = try await twoVersions(running)
            let request = try request(try await plan(running, then))
            let group = try await running.ledger.record(FleetRecord.started(request, actor: World.person))
            // The first of them was done, then the process died.
            let order = try #require(request.orders.first)
            var rollback = Controller.request(try #require(order.target), request.options)
            rollback.reason = request.reason
            rollback.group = group
            #expect(try await running.rollback(order.application.name, rollback).outcome == "succeeded")
            return group
        }
        try await world.run { running in
            let ended = try await finish(running, group)
            #expect(ended.results.map(\.word) == ["succeeded", "succeeded"], "\(ended)")
            #expect(await running.value(of: "one") == "1")
            #expect(await running.value(of: "two") == "1")
            // None was done twice.
            #expect(try await running.revisions([.rollback]).count == 2)
            #expect(try await running.ledger.unfinishedFleets().isEmpty)
        }
        try await world.verify()
    }

    @Test("a stopping server leaves the rest to its next start, and tells no failure of it")
    func stops() async throws {
        var settings = ControllerSettings()
        settings.pollInterval = 0
        settings.watchSettle = 5
        settings.workers = 4
        settings.shutdownGrace = 200
        let world = try World(settings: settings)
        defer { world.remove() }
        let group = try await world.run { running in
            let then = try await twoVersions(running)
            let request = try request(try await plan(running, then))
            await world.cluster.fail(.apply, named: "one", .hang)
            await world.cluster.fail(.apply, named: "two", .hang)
            let fleet = try await running.controller.applyFleet(request, actor: World.person)
            try await running.wait("both hang") {
                try await running.controller.fleet(fleet.group)?.results == [.running, .running]
            }
            await running.controller.drain()
            return fleet.group
        }
        await world.cluster.clearFaults()
        try await world.run { running in
            let ended = try await finish(running, group)
            #expect(ended.results.map(\.word) == ["succeeded", "succeeded"], "\(ended)")
            for name in ["one", "two"] { #expect(await running.value(of: name) == "1") }
        }
        try await world.verify()
    }

    @Test("an application is in one of them at a time") func busy() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            let then = try await twoVersions(running)
            let request = try request(try await plan(running, then))
            await world.cluster.fail(.apply, named: "one", .hang)
            let fleet = try await running.controller.applyFleet(request, actor: World.person)
            #expect(
                await code { _ = try await running.controller.applyFleet(request, actor: World.person) } == "fleet.busy"
            )
            try await running.wait("it hangs") { await world.cluster.hanging > 0 }
            await world.cluster.release()
            let ended = try await finish(running, fleet.group)
            #expect(ended.isOver)
        }
    }

    @Test("of two that are asked for at once, one begins") func twoAtOnce() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            let then = try await twoVersions(running)
            let request = try request(try await plan(running, then))
            await world.cluster.fail(.apply, named: "one", .hang)
            let controller = running.controller
            var codes: [String] = []
            await withTaskGroup(of: String.self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        do throws(Failure) {
                            return "#\(try await controller.applyFleet(request, actor: World.person).group.value)"
                        } catch {
                            return error.code.rawValue
                        }
                    }
                }
                for await code in group { codes.append(code) }
            }
            let begun = codes.filter { $0.hasPrefix("#") }
            #expect(begun.count == 1, "\(codes)")
            #expect(codes.filter { $0 == "fleet.busy" }.count == 5, "\(codes)")
            #expect(try await running.ledger.unfinishedFleets().count == 1)
            try await running.wait("it hangs") { await world.cluster.hanging > 0 }
            await world.cluster.release()
            let group = try #require(begun.first.flatMap { Int64($0.dropFirst()) }.flatMap { SequenceNumber($0) })
            #expect(try await finish(running, group).isOver)
        }
    }

    @Test("cannot go back to what was no one revision's, and says so") func mixed() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            try world.commit(["a.yaml": World.configMap("a", "1"), "b.yaml": World.configMap("b", "1")])
            try await running.put(world.application(automated: nil))
            try await running.sync()
            try world.commit(["a.yaml": World.configMap("a", "2"), "b.yaml": World.configMap("b", "2")])
            await world.cluster.fail(.apply, named: "b", .failedNotPersisted(Failure("cluster.invalid", "no")))
            #expect(try await running.sync().outcome == "failed")
            let then = try #require(try await running.ledger.head())
            try await running.sync()
            #expect(words(try await plan(running, then)) == ["app plan.state-mixed"])
        }
        try await world.verify()
    }
}

@Suite("A label selector") struct LabelSelectorTests {
    @Test(
        "says what it says in Kubernetes",
        arguments: [
            ("app=web", true), ("app==web", true), ("app!=web", false), ("app", true), ("!app", false), ("!none", true),
            ("none!=x", true), ("app in (web, db)", true), ("app notin (web,db)", false), ("app=web,tier=front", true),
            ("app=web,tier=back", false), ("app in (db),tier", false)
        ])
    func matches(_ text: String, _ expected: Bool) throws {
        #expect(try #require(LabelSelector(text)).matches(["app": "web", "tier": "front"]) == expected)
    }

    @Test("is refused when it is none", arguments: ["", ",", "=", "=x", "a b", "a in", "a in (", "a is (b)", "!"])
    func refused(_ text: String) { #expect(LabelSelector(text) == nil) }
}
