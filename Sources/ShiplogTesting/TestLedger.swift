public import LedgerStore
import Shiplog
import Synchronization

/// A real ledger in a temporary directory, with a clock that goes when told to and a disk that fails when told to.
public final class TestLedger: Sendable {
    public let clock: TestClock
    public let faults: LedgerFaults
    public let directory: DataDirectory
    private let temporary: TemporaryDirectory
    private let current: Mutex<Ledger>

    public var ledger: Ledger { current.withLock { $0 } }

    /// - Parameter configure: changes the options; `atCommit` is the faults' own.
    public static func make(
        mode: Ledger.Mode = .sandbox, clock: TestClock = TestClock(),
        configure: (inout Ledger.Options) -> Void = { _ in }
    ) async throws -> TestLedger {
        let temporary = try TemporaryDirectory("ledger")
        let directory = try DataDirectory(temporary.path + "/data")
        let faults = LedgerFaults()
        var options = Self.options(faults)
        configure(&options)
        let ledger = try await Ledger.open(
            directory, mode: mode, access: .serve, now: { clock.now }, options: options)
        return TestLedger(temporary, directory, clock, ledger, faults)
    }

    private init(
        _ temporary: TemporaryDirectory, _ directory: DataDirectory, _ clock: TestClock, _ ledger: Ledger,
        _ faults: LedgerFaults
    ) {
        self.temporary = temporary
        self.directory = directory
        self.clock = clock
        self.faults = faults
        current = Mutex(ledger)
    }

    private static func options(_ faults: LedgerFaults) -> Ledger.Options {
        Ledger.Options(reserveBytes: 64 << 10, atCommit: { (point) throws(Failure) in try faults.check(point) })
    }

    /// Closes the ledger and opens it again, as a restart does.
    @discardableResult
    public func reopen(configure: (inout Ledger.Options) -> Void = { _ in }) async throws -> Ledger {
        await ledger.close()
        faults.clear()
        var options = Self.options(faults)
        configure(&options)
        let clock = clock
        let opened = try await Ledger.open(
            directory, mode: ledger.mode, access: .serve, now: { clock.now }, options: options)
        current.withLock { $0 = opened }
        return opened
    }

    public func close() async { await ledger.close() }
}

/// Makes commits fail, as a disk does: before anything is durable, or after everything is.
public final class LedgerFaults: Sendable {
    private struct Plan {
        var point: Ledger.CommitPoint
        var skip: Int
    }

    private let plan = Mutex<Plan?>(nil)

    public init() {}

    /// The commit after the next `skip` ones fails at that point. The ledger takes no write after it until reopened.
    public func failCommit(_ point: Ledger.CommitPoint, after skip: Int = 0) {
        plan.withLock { $0 = Plan(point: point, skip: skip) }
    }

    public func clear() { plan.withLock { $0 = nil } }

    func check(_ point: Ledger.CommitPoint) throws(Failure) {
        let fails = plan.withLock { plan -> Bool in
            guard let current = plan, current.point == point else { return false }
            if current.skip > 0 {
                plan?.skip -= 1
                return false
            }
            plan = nil
            return true
        }
        if fails { throw Failure("test.disk", "the test's disk failed") }
    }
}
