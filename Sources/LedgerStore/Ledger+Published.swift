public import Shiplog
public import TransparencyLog

extension Ledger {
    /// The checkpoint that is published outside of the database, to hold the file to.
    ///
    /// Read before the file is: a server signs on.
    /// - Parameters:
    ///   - folder: nil for the data directory's own.
    ///   - keys: one of them must have signed it; with none its signature is not looked at.
    /// - Returns: nil when there is none, or when it is of an epoch that has ended.
    /// - Throws: `log.signature-wrong`, and what keeps the ledger from being opened.
    public static func published(
        of directory: DataDirectory, in folder: String?, trusting keys: [NoteVerifier]
    ) async throws(Failure) -> KeptHead? {
        guard folder != nil || !keys.isEmpty else { return nil }
        let ledger = try await open(directory, mode: nil, access: .read, now: { Timestamp(milliseconds: 0) })
        let found: (Checkpoint, String?)?
        do throws(Failure) {
            let origin = try await ledger.epochs().last?.origin
            found = try ledger.checkpoint(in: folder).map { ($0, origin) }
        } catch {
            await ledger.close()
            throw error
        }
        await ledger.close()
        guard let (checkpoint, origin) = found, checkpoint.origin == origin else {
            guard folder != nil else { return nil }
            throw Failure(
                "log.checkpoint-missing", "the folder holds no checkpoint of the ledger's present epoch",
                remedy: "name the folder that log.checkpoints of the server names")
        }
        if !keys.isEmpty { try checkpoint.note.verify(keys) }
        let place = CheckpointFile(folder: folder ?? directory.checkpoints, uid: ledger.uid).path
        return KeptHead(checkpoint.head, name: "the published checkpoint \(place)")
    }
}
