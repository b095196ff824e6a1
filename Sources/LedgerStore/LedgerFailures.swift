public import Shiplog

extension Failure.Code {
    /// A write failed in a way after which nothing about the file can be trusted; the process should end.
    public static let ledgerFailed: Self = "ledger.failed"
    public static let ledgerFull: Self = "ledger.full"
    public static let ledgerBusy: Self = "ledger.busy"
    public static let ledgerClosed: Self = "ledger.closed"
    public static let ledgerReadOnly: Self = "ledger.read-only"
    public static let ledgerMissing: Self = "ledger.missing"
    /// A ledger stood here once.
    public static let ledgerLost: Self = "ledger.lost"
    /// Triggers or constraints are not what this version makes.
    public static let ledgerUnguarded: Self = "ledger.unguarded"
    /// The file is no ledger, or a row cannot be what a ledger wrote.
    public static let ledgerCorrupt: Self = "ledger.corrupt"
    public static let ledgerNewerSchema: Self = "ledger.newer-schema"
    public static let ledgerOlderSchema: Self = "ledger.older-schema"
    public static let ledgerEntryTooLarge: Self = "ledger.entry-too-large"
    public static let ledgerReadFailed: Self = "ledger.read-failed"
    public static let ledgerKeyMissing: Self = "ledger.key-missing"
    public static let ledgerKeyWrong: Self = "ledger.key-wrong"
    public static let ledgerValueErased: Self = "ledger.value-erased"
    public static let ledgerQueryInvalid: Self = "ledger.query-invalid"
    public static let attemptOpen: Self = "attempt.open"
    public static let attemptClosed: Self = "attempt.closed"
    public static let attemptUnknown: Self = "attempt.unknown"
    public static let applicationUnknown: Self = "application.unknown"
    public static let applicationExists: Self = "application.exists"
    /// The precondition names another state than the present one.
    public static let applicationChangedMeanwhile: Self = "application.changed-meanwhile"
    public static let dataInUse: Self = "data.in-use"
    public static let dataModeMismatch: Self = "data.mode-mismatch"
    public static let dataUnsafe: Self = "data.unsafe"
    public static let dataUnusable: Self = "data.unusable"
    public static let tokenUnknown: Self = "token.unknown"
}

extension Failure {
    /// What is stored is not what a ledger writes.
    static func corrupt(_ message: String) -> Failure {
        Failure(
            .ledgerCorrupt, message,
            remedy: "run `shiplog ledger verify`; restore the data directory from a backup if it finds damage")
    }
}
