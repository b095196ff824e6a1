import GitSource
import LedgerStore
import Logging
import Reconciling
import Shiplog
import ShiplogTesting
import Testing

@testable import HTTPAPI

/// Everything that strangers can fill has a bound, and something said about what happens there.
@Suite("Bounds") struct BoundsTests {
    @Test("a full queue of deliveries refuses, and forgets what it refused") func webhookQueue() async throws {
        let test = try await TestLedger.make()
        let clock = test.clock
        let controller = Controller(
            ledger: test.ledger, repositories: Repositories(directory: test.directory.repositories),
            clusters: Clusters([], inCluster: FakeCluster()), now: { clock.now }, logger: Logger(label: "test"))
        let desk = WebhookDesk(
            limit: 2, controller: controller, ledger: test.ledger, logger: Logger(label: "test"))
        func delivery(_ id: String) throws -> WebhookDesk.Delivery {
            WebhookDesk.Delivery(
                provider: .gitlab, event: "Push Hook", id: id, reading: .ignored("a test"),
                body: try #require(Digest(bytes: Array(repeating: 7, count: 32))),
                actor: Actor(name: "gitlab", means: .webhook))
        }
        #expect(desk.take(try delivery("1")) == .accepted)
        #expect(desk.take(try delivery("2")) == .accepted)
        #expect(desk.take(try delivery("3")) == .busy)
        #expect(desk.take(try delivery("2")) == .repeated)
        let running = Task { await desk.run() }
        try await until("both are recorded") {
            try await test.ledger.events(EventQuery(kinds: [.webhookDelivered])).items.count == 2
        }
        // The one that was refused may come again.
        #expect(desk.take(try delivery("3")) == .accepted)
        running.cancel()
        await running.value
        #expect(desk.take(try delivery("4")) == .busy, "nobody would carry it out any more")
        let recorded = try await test.ledger.events(EventQuery(kinds: [.webhookDelivered])).items
        #expect(recorded.count == 3, "what was accepted is recorded, whenever the server stops")
        await test.close()
    }

    @Test("a stream that is told of more than it keeps is told to look anew") func streamNews() {
        let subscription = StreamHub.Subscription(id: 1)
        for index in 0..<StreamHub.Subscription.applicationsKept { subscription.tell(application: "a\(index)") }
        subscription.tell(application: "a0")
        var news = subscription.take()
        #expect(news.applications.count == StreamHub.Subscription.applicationsKept && !news.isTooMuch)
        for index in 0...StreamHub.Subscription.applicationsKept { subscription.tell(application: "a\(index)") }
        news = subscription.take()
        #expect(news.isTooMuch && news.applications.isEmpty)
        #expect(!subscription.take().isTooMuch)
    }

    @Test("addresses beyond the table share one count: flooding it makes nobody free") func limiter() {
        let clock = TestClock()
        let limiter = AttemptLimiter(limit: 2)
        for index in 0..<AttemptLimiter.capacity {
            #expect(limiter.take("10.\(index / 65536).\(index / 256 % 256).\(index % 256)", at: clock.now) == nil)
        }
        #expect(limiter.take("192.0.2.1", at: clock.now) == nil)
        #expect(limiter.take("192.0.2.2", at: clock.now) == nil)
        #expect(limiter.take("192.0.2.3", at: clock.now) == 60_000)
        #expect(limiter.take("10.0.0.1", at: clock.now) == nil, "who has a count of its own keeps it")
        clock.advance(byMilliseconds: AttemptLimiter.window)
        #expect(limiter.take("192.0.2.3", at: clock.now) == nil)
        // A right token gives its try back, and frees the place.
        let other = AttemptLimiter(limit: 1)
        for _ in 0..<3 {
            #expect(other.take("192.0.2.9", at: clock.now) == nil)
            other.giveBack("192.0.2.9")
        }
        // One customer's IPv6 addresses are one.
        #expect(other.take("2001:db8:1:2:3:4:5:6", at: clock.now) == nil)
        #expect(other.take("2001:db8:1:2:ffff::1", at: clock.now) != nil)
    }

    @Test("the ends of numbers are numbers") func numbers() throws {
        #expect(PrometheusPage.number(.infinity) == "+Inf")
        #expect(PrometheusPage.number(-.infinity) == "-Inf")
        #expect(PrometheusPage.number(.nan) == "NaN")
        #expect(PrometheusPage.number(1e300) == "1e+300")
        #expect(PrometheusPage.number(3) == "3")
        #expect(PrometheusPage.number(0.5) == "0.5")
    }
}
