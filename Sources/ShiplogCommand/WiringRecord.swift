import Foundation
import LedgerStore
import Manifests
import Shiplog
import Synchronization

/// What the ledger keeps of a server's life: that it began, with what settings, and how it ended.
struct ServerRecord: Sendable {
    let ledger: Ledger
    let mode: String

    /// A start that finds no end to the last one tells of a crash, a power cut or a kill.
    func started() async throws(Failure) {
        var facts: JSON = ["version": .string(Version.current), "mode": .string(mode)]
        if let before = try await newest(.serverStarted) {
            let end = try await newest(.serverStopped)
            if (end?.sequence.value ?? 0) < before.sequence.value {
                facts["unfinished"] = .integer(before.sequence.value)
            }
        }
        try await ledger.record(Event(.serverStarted, actor: .controller, facts: facts))
    }

    /// The effective settings, and what they have otherwise than at the start before.
    /// - Parameter file: the file that they came from, if any.
    func loaded(_ configuration: ServerConfiguration, overrides: JSON, file: LoadedFile?) async throws(Failure) {
        var settings = configuration.facts
        for (name, value) in overrides.object ?? [:] { settings[name] = value }
        var facts: JSON = [:]
        if let file {
            // The directory above is the machine's own affair, and may name a person.
            facts["file"] = .string((file.path as NSString).lastPathComponent)
            facts["digest"] = file.digest.map { .string($0.description) }
        }
        var detail: JSON = ["settings": settings]
        if let before = try await newest(.configurationLoaded)?.value.detail?["settings"] {
            let changes = DocumentChange.between(before, settings)
            facts["changed"] = .array(changes.prefix(60).map { .string($0.path) })
            if !changes.isEmpty { detail["before"] = before }
        }
        try await ledger.record(Event(.configurationLoaded, actor: .controller, facts: facts, detail: detail))
    }

    enum Ending: Sendable {
        case signal
        /// What was to be shown was over.
        case finished
        case failed(any Error)
    }

    func stopped(_ ending: Ending) async throws(Failure) {
        var facts: JSON = [:]
        var outcome = "succeeded"
        switch ending {
        case .signal: facts["why"] = "signal"
        case .finished: facts["why"] = "finished"
        case .failed(let error):
            facts["why"] = "failed"
            // The code alone: what a system's error says may hold anything.
            facts["code"] = .string((error as? Failure)?.code.rawValue ?? String(describing: type(of: error)))
            outcome = "failed"
        }
        try await ledger.record(Event(.serverStopped, actor: .controller, outcome: outcome, facts: facts))
    }

    private func newest(_ kind: Event.Kind) async throws(Failure) -> StoredEvent? {
        try await ledger.events(EventQuery(kinds: [kind], limit: 1)).items.first
    }
}

/// A configuration file as it was read.
struct LoadedFile: Sendable {
    let path: String
    let digest: Digest?
}

/// Something that has happened, or not yet.
final class Happening: Sendable {
    private let state = Mutex(false)
    var hasHappened: Bool { state.withLock { $0 } }
    func happens() { state.withLock { $0 = true } }
}
