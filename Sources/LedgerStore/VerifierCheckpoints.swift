import GRDB
import Shiplog
import TransparencyLog

/// What lies in the data directory's folder of checkpoints, as it is before the database is looked at: a server signs on.
struct StoredCheckpoints: Sendable {
    struct File: Sendable {
        let name: String
        /// nil when it went meanwhile.
        let content: Result<Checkpoint?, Failure>
    }

    /// The whole path.
    let folder: String
    let files: [File]
    /// More files than any ledger has epochs: the rest was not read.
    let isCut: Bool
    /// Whether a server ever ran on this directory. A copy that was only just restored has no checkpoints.
    let wasServed: Bool

    private static let limit = 256

    init(_ directory: DataDirectory) {
        let folder = directory.checkpoints
        let names = FileSystem.names(in: folder).filter { $0.hasSuffix(".checkpoint") }.sorted()
        var files: [File] = []
        for name in names.prefix(Self.limit) {
            let content = Result { () throws(Failure) -> Checkpoint? in try CheckpointFile.read(folder + "/" + name) }
            files.append(File(name: name, content: content))
        }
        self.folder = folder
        self.files = files
        isCut = names.count > Self.limit
        wasServed = FileSystem.exists(directory.lockFile) || !names.isEmpty
    }
}

/// Whether the log, the name that the file bears and the checkpoints beside it speak of one ledger: no weaker than what a
/// server asks when it starts (`LogFork.find`).
struct OwnCheckpoints {
    private let findings: Findings
    private let uid: String
    private let epochs: [Epoch]
    private let head: Int64
    /// Whether the reader holds the ledger to something else.
    private let isHeld: Bool
    /// The folder that the newest configuration names instead of the data directory's own.
    private let elsewhere: String?

    /// - Returns: the heads that the log must begin with.
    static func heads(
        _ db: Database, _ stored: StoredCheckpoints, isHeld: Bool, _ findings: Findings
    ) -> [KeptHead] {
        do {
            return try OwnCheckpoints(db, stored, isHeld: isHeld, findings)?.compare(stored) ?? []
        } catch let failure as Failure {
            findings.add(nil, "the last checkpoint: \(failure.message)")
        } catch {
            findings.add(nil, "the last checkpoint cannot be compared")
        }
        return []
    }

    /// nil for a file without a name, which `Verifier.identity` tells.
    private init?(_ db: Database, _ stored: StoredCheckpoints, isHeld: Bool, _ findings: Findings) throws {
        guard let row = try Row.fetchOne(db, sql: "SELECT uid FROM ledger") else { return nil }
        uid = try row.held(0)
        epochs = try Reading.epochs(db)
        head = try Reading.head(db)?.value ?? 0
        self.findings = findings
        self.isHeld = isHeld
        let configured = (try? Reading.newest(.configurationLoaded, db))?.value.detail
        let folder = configured?.at("settings", "log", "checkpoints")?.string
        elsewhere = folder.flatMap { DataDirectory.normal($0) == stored.folder ? nil : $0 }
    }

    private var ownName: String { uid + ".checkpoint" }
    private var newest: Int64 { epochs.last?.number ?? 0 }

    private func compare(_ stored: StoredCheckpoints) -> [KeptHead] {
        for epoch in epochs where Origin(epoch.origin, uid)?.epoch != epoch.number {
            findings.add(
                nil,
                "the file says that it is the ledger \(uid), and \(epoch.startedBy) begins the log \(epoch.origin)")
        }
        if stored.isCut { findings.add(nil, "the folder of checkpoints holds more of them than any ledger has") }
        var heads: [KeptHead] = []
        for file in stored.files {
            switch file.content {
            case .success(nil): break
            case .success(let checkpoint?):
                if let head = keptHead(checkpoint, file.name) { heads.append(head) }
            case .failure(let failure): findings.add(nil, "\(title(file.name)): \(failure.message)")
            }
        }
        if !stored.files.contains(where: { $0.name == ownName }) { missing(stored) }
        return heads
    }

    private func title(_ name: String) -> String {
        name == ownName ? "the last checkpoint" : "the checkpoint \(name)"
    }

    private func keptHead(_ checkpoint: Checkpoint, _ name: String) -> KeptHead? {
        let title = title(name)
        guard let origin = Origin(checkpoint.origin, uid) else {
            findings.add(nil, "\(title) is of another log: \(checkpoint.origin)")
            return nil
        }
        // A new epoch's number is higher than that of any that is known to have ended.
        let ended = CheckpointFile(folder: "", uid: uid).endedEpoch(name)
        if let ended, ended >= newest {
            findings.add(nil, "\(title) is the last one of an epoch, and the log begins none after it")
        }
        guard let epoch = epochs.first(where: { $0.origin == checkpoint.origin }) else {
            // An ended epoch that began behind the place to which the ledger was put back is in no entry.
            if ended == nil || origin.epoch >= newest {
                findings.add(
                    nil,
                    "\(title) is over \(checkpoint.head.size) entries of the log \(checkpoint.origin), which is no "
                        + "epoch of this ledger")
            }
            return nil
        }
        if epoch.number < newest {
            if name == ownName, elsewhere == nil, !isOfUnsignedEpoch(checkpoint) {
                findings.add(nil, "\(title) is of an epoch that has ended: what was signed since is gone")
            }
            // Of what was lost nothing is here to compare, nor the keys that came with it.
            let place = Epoch.place(of: checkpoint.head.size, inEpoch: epoch.number, epochs)
            guard place == .here else { return nil }
        }
        guard (try? checkpoint.note.verify(epoch.keys)) != nil else {
            findings.add(nil, "\(title) is signed by no key of this ledger")
            return nil
        }
        return KeptHead(checkpoint.head, name: title)
    }

    /// A crash between a new epoch's first entry and its first checkpoint leaves the old one's, which that entry names.
    private func isOfUnsignedEpoch(_ checkpoint: Checkpoint) -> Bool {
        guard let epoch = epochs.last, head == epoch.startedBy.value, let text = epoch.lastCheckpoint,
            let named = try? Checkpoint(parsing: text.utf8)
        else { return false }
        return named.origin == checkpoint.origin && named.head == checkpoint.head
    }

    private func missing(_ stored: StoredCheckpoints) {
        // A log that was never signed has none, and nobody misses it.
        guard let epoch = epochs.last else { return }
        if let elsewhere {
            findings.note("the checkpoints are kept in \(elsewhere): name that folder to hold the file to the last one")
        } else if isHeld {
            // What the reader brought was checked instead.
        } else if !stored.wasServed || head <= epoch.startedBy.value {
            findings.note("there is no checkpoint in the data directory: nothing but the file itself was checked")
        } else {
            findings.add(
                nil,
                "the last checkpoint is gone from its folder, so that nobody can tell whether the ledger is the newest")
        }
    }
}

extension Reading {
    /// The newest event of a kind; nil when there is none, or none that can be read.
    static func newest(_ kind: Event.Kind, _ db: Database) throws -> StoredEvent? {
        let sequence = try Int64.fetchOne(
            db.cachedStatement(sql: LedgerSQL.newestEvent), arguments: [kind.rawValue])
        return try sequence.flatMap { try ErasingEvents.event(db, at: $0) }
    }
}
