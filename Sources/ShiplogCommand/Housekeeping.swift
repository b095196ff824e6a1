import LedgerStore
import Logging
import Manifests
import Shiplog

/// Folds what is old, where the configuration says so: once an hour, in small steps, with a rest after each.
struct Housekeeping: Sendable {
    let ledger: Ledger
    /// nil keeps everything.
    let retention: ServerConfiguration.Retention?
    let logger: Logger

    /// Until cancelled.
    func run() async throws {
        while true {
            if let retention { await fold(retention) }
            try await Task.sleep(for: .seconds(3600))
        }
    }

    private func fold(_ retention: ServerConfiguration.Retention) async {
        let age = retention.foldAfter.components.seconds.multipliedReportingOverflow(by: 1000)
        guard !age.overflow else { return }
        let before = Timestamp(milliseconds: Wiring.now().milliseconds - age.partialValue)
        do {
            if retention.entries == .drop { _ = try await ledger.dropBundles(actor: .controller) }
            while let step = try await ledger.fold(
                before: before, keepsEntries: retention.entries == .keep, actor: .controller)
            {
                logger.notice(
                    "folded", metadata: ["entries": "\(step.entries)", "event": "\(step.event.value)"])
                try await Task.sleep(for: .milliseconds(500))
            }
        } catch let failure as Failure {
            logger.error("retention failed", metadata: ["code": "\(failure.code)", "message": "\(failure.message)"])
        } catch {
            // The server stops.
        }
    }
}
