public import GitSource
public import Shiplog
import TransparencyLog

/// A branch that checkpoints are committed to: whoever has a clone has a witness to what was signed.
public struct GitAnchor: Sendable {
    let name: String
    let url: RepositoryURL
    let branch: String
    let path: String
    let repositories: Repositories
    let now: @Sendable () -> Timestamp

    /// - Throws: `git.url-invalid`, `git.branch-invalid`, `git.path-invalid`.
    public init(
        name: String, url: String, branch: String, path: String, repositories: Repositories,
        now: @escaping @Sendable () -> Timestamp
    ) throws(Failure) {
        self.name = name
        self.url = try RepositoryURL(url)
        self.branch = branch
        self.path = path
        self.repositories = repositories
        self.now = now
        // At the start, not in the first round.
        _ = try BranchAddition(branch: branch, path: path + "/x", content: [], message: "", time: now())
    }

    /// `PATH/UID/2026-11-27/1-000000048211.checkpoint`: a folder a day, so that none grows without end.
    static func file(_ checkpoint: Checkpoint, ledger uid: String, epoch: Int64, at time: Timestamp) -> String {
        let size = String(checkpoint.head.size)
        let padded = String(repeating: "0", count: max(0, 12 - size.utf8.count)) + size
        return "\(uid)/\(time.description.prefix(10))/\(epoch)-\(padded).checkpoint"
    }

    func take(_ checkpoint: Checkpoint, ledger uid: String, epoch: Int64) async throws(Failure) -> Receipt {
        let time = now()
        let file = path + "/" + Self.file(checkpoint, ledger: uid, epoch: epoch, at: time)
        let commit = try await repositories.append(
            BranchAddition(
                branch: branch, path: file, content: checkpoint.note.bytes,
                message: "Checkpoint of \(checkpoint.head.size) entries of \(checkpoint.origin)", time: time),
            to: url, owner: name)
        return Receipt(facts: ["commit": .string(commit.hex), "branch": .string(branch), "path": .string(file)])
    }
}
