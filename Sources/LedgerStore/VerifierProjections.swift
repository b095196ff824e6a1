import Foundation
import GRDB
import Shiplog

/// What the events say about applications, attempts and tokens, folded from the beginning.
struct LogFold {
    struct ApplicationState {
        var name: String
        var project: String
        var specification: String
        var createdBy: Int64
        var changedBy: Int64
        var deletedBy: Int64?
        var pin: String?
        var pinnedBy: Int64?
        var cluster: String?
        var inventory: [ResourceKey: (apiVersion: String, first: Int64, last: Int64)] = [:]
        /// Something that was erased would have been needed.
        var isInventoryKnown = true
    }

    var applications: [String: ApplicationState] = [:]
    var open: [String: Int64] = [:]
    var attempts: Int64 = 0
    var tokens: [String: (hash: String, createdBy: Int64, revokedBy: Int64?)] = [:]
}

extension Verifier {
    /// Folds the rows that change a projection, compares attempts on the way and the other tables at the end.
    func projections(_ db: Database, _ stateful: [Int64], head: Int64) throws {
        var fold = LogFold()
        for (index, sequence) in stateful.enumerated() {
            if index & 0xFF == 0 {
                try Task.checkCancellation()
                progress(VerificationProgress(phase: .projections, done: Int64(index), total: Int64(stateful.count)))
            }
            do {
                switch try Reading.record(db, at: sequence) {
                case .event(let stored)?: try apply(db, stored, to: &fold)
                case .revision(let stored)?: try apply(db, stored, to: &fold)
                case nil: break
                }
            } catch is Failure {
                // Said already when the row was read the first time.
                continue
            }
        }
        try compareAttempts(db, fold)
        try compareApplications(db, fold)
        try compareTokens(db, fold)
        progress(
            VerificationProgress(phase: .projections, done: Int64(stateful.count), total: Int64(stateful.count)))
    }

    /// A projection that differs may follow from a row that was found bad already.
    private func report(_ sequence: Int64?, _ message: String) {
        findings.add(sequence, message, isConsequence: true)
    }

    private func apply(_ db: Database, _ stored: StoredEvent, to fold: inout LogFold) throws {
        let sequence = stored.sequence.value
        let event = stored.value
        let uid = event.application?.uid.value ?? ""
        switch event.kind {
        case .applicationCreated:
            if fold.applications[uid] != nil { report(sequence, "creates an application that there was already") }
            fold.applications[uid] = LogFold.ApplicationState(
                name: event.application?.name ?? "", project: event.application?.project ?? "",
                specification: event.facts["specification"]?.string ?? "", createdBy: sequence, changedBy: sequence)
        case .applicationChanged:
            fold.applications[uid]?.project = event.application?.project ?? ""
            fold.applications[uid]?.specification = event.facts["specification"]?.string ?? ""
            fold.applications[uid]?.changedBy = sequence
            if event.facts["destinationChanged"]?.bool == true { fold.applications[uid]?.cluster = nil }
        case .applicationDeleted: fold.applications[uid]?.deletedBy = sequence
        case .clusterAccepted: fold.applications[uid]?.cluster = event.facts["clusterUID"]?.string
        case .attemptStarted: try begin(db, stored, uid, &fold)
        case .tokenCreated:
            if let id = event.facts["id"]?.string {
                fold.tokens[id] = (event.facts["hash"]?.string ?? "", sequence, nil)
            }
        case .tokenRevoked: if let id = event.facts["id"]?.string { fold.tokens[id]?.revokedBy = sequence }
        default: break
        }
        setPin(stored.pin, uid, sequence, &fold)
        for key in stored.gone { fold.applications[uid]?.inventory[key] = nil }
        if stored.erased.contains("gone") { fold.applications[uid]?.isInventoryKnown = false }
    }

    private func begin(_ db: Database, _ stored: StoredEvent, _ uid: String, _ fold: inout LogFold) throws {
        let sequence = stored.sequence.value
        let (intent, desired) = try EntryDecoder.intent(of: stored)
        fold.attempts += 1
        if let open = fold.open[uid] { report(sequence, "starts an attempt while #\(open) is open") }
        fold.open[uid] = sequence
        let row = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT application, desired FROM attempt WHERE sequence = ?"),
            arguments: [sequence])
        if let row {
            let (application, manifests): (String?, Data?) = (try row.held("application"), try row.held("desired"))
            if application != uid || manifests != Data(desired.bytes) {
                report(sequence, "starts an attempt that the table of attempts has otherwise")
            }
        } else {
            report(sequence, "starts an attempt that the table of attempts lacks")
        }
        guard let members = try Reading.set(db, desired) else {
            report(sequence, "starts an attempt whose manifests are not stored")
            return
        }
        if fold.applications[uid]?.cluster == nil { fold.applications[uid]?.cluster = intent.cluster.uid }
        guard !intent.options.dryRun else { return }
        for member in members {
            let first = fold.applications[uid]?.inventory[member.key]?.first ?? sequence
            fold.applications[uid]?.inventory[member.key] = (member.apiVersion, first, sequence)
        }
    }

    private func apply(_ db: Database, _ stored: StoredRevision, to fold: inout LogFold) throws {
        let sequence = stored.sequence.value
        let revision = stored.value
        let uid = revision.application.uid.value
        setPin(stored.pin, uid, sequence, &fold)
        guard let attempt = revision.attempt else { return }
        if fold.open[uid] == attempt.value {
            fold.open[uid] = nil
        } else {
            report(sequence, "ends the attempt \(attempt), which is not the open one of its application")
        }
        let closedBy = try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT closed_by FROM attempt WHERE sequence = ?"), arguments: [attempt.value])
        if closedBy != sequence { report(sequence, "ends the attempt \(attempt), whose row says otherwise") }
        if stored.erased.contains("resources") { fold.applications[uid]?.isInventoryKnown = false }
        guard !revision.options.dryRun else { return }
        for outcome in revision.resources {
            switch outcome.action {
            case .created, .updated, .unchanged:
                let first = fold.applications[uid]?.inventory[outcome.key]?.first ?? sequence
                fold.applications[uid]?.inventory[outcome.key] = (outcome.apiVersion, first, sequence)
            case .pruned: fold.applications[uid]?.inventory[outcome.key] = nil
            case .ran, .leftover, .failed, .skipped, .outOfSync, .unknown: break
            }
        }
    }

    private func setPin(_ change: PinChange?, _ uid: String, _ sequence: Int64, _ fold: inout LogFold) {
        guard let change else { return }
        switch change {
        case .set(let pin): fold.applications[uid]?.pin = EntryFields.pin(pin).canonicalString
        case .release: fold.applications[uid]?.pin = nil
        }
        fold.applications[uid]?.pinnedBy = sequence
    }

    // MARK: Comparing

    private func compareAttempts(_ db: Database, _ fold: LogFold) throws {
        let rows = try Int64.fetchOne(db, sql: "SELECT count(*) FROM attempt") ?? 0
        if rows != fold.attempts {
            report(nil, "the table of attempts has \(rows) rows, and the log started \(fold.attempts)")
        }
        let open = try Int64.fetchAll(
            db, sql: "SELECT sequence FROM attempt WHERE closed_by IS NULL ORDER BY sequence")
        for sequence in Set(open).symmetricDifference(fold.open.values).sorted() {
            report(sequence, "is open as an attempt in the log or in its table, not in both")
        }
    }

    /// What the file says that it is. SQLite takes no notice of a table's CHECKs on a connection that only reads, its
    /// integrity check included. (https://sqlite.org/src, `sqlite3AddCheckConstraint`)
    private func identity(_ db: Database) throws {
        let rows = try Row.fetchAll(db, sql: "SELECT only_row, mode FROM ledger")
        let started = (try? Reading.newest(.serverStarted, db))?.value.facts["mode"]?.string
        let isProper = try rows.allSatisfy { row in
            let (number, mode): (Int64?, String?) = (try row.held("only_row"), try row.held("mode"))
            if let started, started != mode {
                report(nil, "the file was made for \(mode ?? "nothing"), and its server ran for \(started)")
            }
            return number == 1 && mode.flatMap { Ledger.Mode(rawValue: $0) } != nil
        }
        if rows.count != 1 || !isProper { report(nil, "the file does not say what the ledger was made for") }
    }

    private func compareApplications(_ db: Database, _ fold: LogFold) throws {
        var remaining = fold.applications
        try identity(db)
        for row in try Row.fetchAll(db, sql: "SELECT * FROM application ORDER BY uid") {
            let uid: String = try row.held("uid")
            guard let state = remaining.removeValue(forKey: uid) else {
                report(nil, "the application \(uid) is registered, and no event says so")
                continue
            }
            let specification: String = try row.held("specification")
            let digest = Hashing.sha256(Array(specification.utf8))
            let (name, project): (String, String) = (try row.held("name"), try row.held("project"))
            let (createdBy, changedBy): (Int64, Int64) = (try row.held("created_by"), try row.held("changed_by"))
            let deletedBy: Int64? = try row.held("deleted_by")
            let isSame =
                name == state.name && project == state.project && createdBy == state.createdBy
                && changedBy == state.changedBy && deletedBy == state.deletedBy
            if !isSame || "sha256:" + digest.hex != state.specification {
                report(state.changedBy, "the application \(state.name) is registered otherwise than its events say")
            }
            let (pin, pinnedBy, cluster): (String?, Int64?, String?) = (
                try row.held("pin"), try row.held("pinned_by"), try row.held("cluster")
            )
            if pin != state.pin || pinnedBy != state.pinnedBy {
                report(state.pinnedBy, "the pin of \(state.name) is not the one that the log set")
            }
            if cluster != state.cluster {
                report(nil, "the cluster accepted for \(state.name) is not the one that the log names")
            }
            if state.isInventoryKnown {
                try compareInventory(db, uid, state)
            } else {
                findings.note("the inventory of \(state.name) rests on parts that were erased, and was not compared")
            }
        }
        for state in remaining.values { report(state.createdBy, "the application \(state.name) is not registered") }
    }

    private func compareInventory(_ db: Database, _ uid: String, _ state: LogFold.ApplicationState) throws {
        var remaining = state.inventory
        for row in try Row.fetchAll(db, sql: "SELECT * FROM inventory WHERE application = ?", arguments: [uid]) {
            let key = ResourceKey(
                group: try row.held("api_group"), kind: try row.held("kind"), namespace: try row.held("namespace"),
                name: try row.held("name"))
            let (version, first, last): (String, Int64, Int64) = (
                try row.held("api_version"), try row.held("first"), try row.held("last")
            )
            guard let item = remaining.removeValue(forKey: key), version == item.apiVersion, first == item.first,
                last == item.last
            else {
                report(nil, "the inventory of \(state.name) has \(key) otherwise than the log says")
                continue
            }
        }
        for key in remaining.keys.sorted() { report(nil, "the inventory of \(state.name) lacks \(key)") }
    }

    private func compareTokens(_ db: Database, _ fold: LogFold) throws {
        var remaining = fold.tokens
        for row in try Row.fetchAll(db, sql: "SELECT id, hash, created_by, revoked_by FROM token ORDER BY id") {
            let (id, hash): (String, Data) = (try row.held("id"), try row.held("hash"))
            let (createdBy, revokedBy): (Int64, Int64?) = (try row.held("created_by"), try row.held("revoked_by"))
            guard let token = remaining.removeValue(forKey: id), Array(hash).hex == token.hash,
                createdBy == token.createdBy, revokedBy == token.revokedBy
            else {
                report(createdBy, "the token \(id) is not the one that the log made")
                continue
            }
        }
        for (id, token) in remaining { report(token.createdBy, "the token \(id) is missing") }
    }
}
