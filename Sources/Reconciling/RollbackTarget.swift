import LedgerStore
import Shiplog

/// Which revision a rollback returns to.
struct RollbackTarget: Sendable {
    let stored: StoredRevision
    let desired: Digest
    /// What a person should know about the choice.
    let notes: [String]

    /// Whole, successful syncs and rollbacks, newest first: what can be gone back to.
    static func candidates(
        _ uid: ApplicationUID, in ledger: Ledger, commit: String? = nil, to: Timestamp? = nil, limit: Int
    ) async throws(Failure) -> [StoredRevision] {
        var query = RevisionQuery(
            applications: [uid], kinds: [.sync, .rollback], outcomes: ["succeeded"], limit: limit)
        query.wholeOnly = true
        query.commit = commit
        query.to = to
        return try await ledger.revisions(query).items.filter { $0.revision.desired != nil }
    }

    /// - Parameter current: the digest of the manifests that are deployed or enforced now.
    static func choose(
        _ target: RollbackRequest.Target, for application: RegisteredApplication, current: Digest?, in ledger: Ledger
    ) async throws(Failure) -> RollbackTarget {
        let chosen: StoredRevision
        var notes: [String] = []
        switch target {
        case .lastGood:
            guard let good = try await ledger.lastGood(of: application.uid, differingFrom: current) else {
                throw await noTarget(application, in: ledger)
            }
            chosen = good
        case .sequence(let sequence):
            chosen = try await eligible(sequence, application, in: ledger)
        case .former(let sequence):
            chosen = try await eligible(sequence, application, in: ledger, isFormer: true)
            notes.append(
                "\(sequence) is a revision of an earlier \(application.name), \(chosen.revision.application.uid)")
        case .commit(let prefix):
            let found = try await candidates(application.uid, in: ledger, commit: prefix, limit: 50)
            guard let newest = found.first else {
                throw Failure(
                    "rollback.no-target", "no whole, successful revision of \(application.name) is of commit \(prefix)",
                    remedy: await candidateList(application, in: ledger))
            }
            if Set(found.compactMap { $0.revision.source?.commit.id }).count > 1 {
                throw Failure(
                    "git.revision-ambiguous", "several commits begin with \(prefix)", remedy: "give more digits")
            }
            let digests = Set(found.compactMap(\.revision.desired))
            if digests.count > 1 {
                notes.append(
                    "this commit was deployed with \(digests.count) different sets of manifests; "
                        + "the newest, \(newest.sequence), is taken")
            }
            chosen = newest
        case .moment(let moment):
            guard
                let found = try await candidates(
                    application.uid, in: ledger, to: moment.advanced(byMilliseconds: 1), limit: 1
                ).first
            else {
                throw Failure(
                    "rollback.no-target", "nothing had been deployed of \(application.name) by \(moment)",
                    remedy: await candidateList(application, in: ledger))
            }
            notes.append("at \(moment) the newest finished revision was \(found.sequence)")
            chosen = found
        }
        guard let desired = chosen.revision.desired else { throw notEligible(chosen.sequence, "it names no manifests") }
        return RollbackTarget(stored: chosen, desired: desired, notes: notes)
    }

    private static func eligible(
        _ sequence: SequenceNumber, _ application: RegisteredApplication, in ledger: Ledger, isFormer: Bool = false
    ) async throws(Failure) -> StoredRevision {
        switch try await ledger.record(at: sequence) {
        case .revision(let stored)
        where isFormer
            ? stored.revision.application.name == application.name
            : stored.revision.application.uid == application.uid:
            guard stored.revision.kind != .reconcile else {
                throw notEligible(sequence, "it is a reconcile: nothing was deployed by it")
            }
            guard stored.revision.outcome == .succeeded else {
                throw notEligible(sequence, "it \(stored.revision.outcome.word)")
            }
            guard !stored.revision.options.isPartial else {
                throw notEligible(sequence, "it was about selected resources only")
            }
            guard stored.revision.options.deletion == nil else {
                throw notEligible(sequence, "it deleted the application's resources")
            }
            return stored
        case .revision(let stored):
            throw notEligible(sequence, "it is a revision of \(stored.revision.application.name)")
        case .event: throw notEligible(sequence, "it is an event")
        case nil: throw notEligible(sequence, "there is no such revision")
        }
    }

    private static func notEligible(_ sequence: SequenceNumber, _ why: String) -> Failure {
        Failure(
            "rollback.not-eligible", "\(sequence) cannot be rolled back to: \(why)",
            remedy: "choose a successful sync or rollback from `shiplog app history`")
    }

    private static func noTarget(_ application: RegisteredApplication, in ledger: Ledger) async -> Failure {
        Failure(
            "rollback.no-target",
            "\(application.name) has no earlier revision that was successful, became Healthy and differs from what is "
                + "deployed", remedy: await candidateList(application, in: ledger))
    }

    private static func candidateList(_ application: RegisteredApplication, in ledger: Ledger) async -> String {
        let found = (try? await candidates(application.uid, in: ledger, limit: 5)) ?? []
        guard !found.isEmpty else { return "nothing was ever deployed of it" }
        let list = found.map { stored in
            "\(stored.sequence)" + (stored.revision.source.map { " (\($0.commit.id.short))" } ?? "")
        }
        return "name one of \(list.joined(separator: ", "))"
    }
}
