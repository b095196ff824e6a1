public import Shiplog
public import TransparencyLog

/// What one backup holds, as its first file `manifest.json` says.
public struct Backup: Sendable, Hashable {
    /// The ledger's own id.
    public var ledger: String
    public var mode: Ledger.Mode
    /// The version of its schema.
    public var schema: Int
    /// The tree over its entries: how long the log is, and what is in it.
    public var treeHead: TreeHead
    /// Of `ledger.sqlite`.
    public var bytes: Int64
    public var createdAt: Timestamp

    static let format: Int64 = 1

    var json: JSON {
        [
            "format": .integer(Self.format), "ledger": .string(ledger), "mode": .string(mode.rawValue),
            "schema": .integer(Int64(schema)), "treeHead": .string(treeHead.description), "bytes": .integer(bytes),
            "createdAt": .string(createdAt.description)
        ]
    }

    init(
        ledger: String, mode: Ledger.Mode, schema: Int, treeHead: TreeHead, bytes: Int64, createdAt: Timestamp
    ) {
        self.ledger = ledger
        self.mode = mode
        self.schema = schema
        self.treeHead = treeHead
        self.bytes = bytes
        self.createdAt = createdAt
    }

    init(_ manifest: [UInt8]) throws(Failure) {
        guard let json = try? JSON(parsing: manifest) else { throw Self.damaged("its manifest is no JSON") }
        guard json["format"]?.integer == Self.format else {
            throw Failure(
                .backupUnsupported, "the backup has another format than this version reads",
                remedy: "use the version of shiplog that made it, or a newer one")
        }
        guard let ledger = json["ledger"]?.string, let mode = json["mode"]?.string.flatMap(Ledger.Mode.init(rawValue:)),
            let schema = json["schema"]?.integer, let head = json["treeHead"]?.string.flatMap({ try? TreeHead($0) }),
            let bytes = json["bytes"]?.integer, let time = json["createdAt"]?.string.flatMap({ Timestamp($0) })
        else { throw Self.damaged("its manifest lacks something") }
        self.init(
            ledger: ledger, mode: mode, schema: Int(truncatingIfNeeded: schema), treeHead: head, bytes: bytes,
            createdAt: time)
    }

    static func damaged(_ what: String) -> Failure {
        Failure(.backupDamaged, "the backup is damaged: \(what)", remedy: "use another copy of it, or an older one")
    }
}

extension Failure.Code {
    public static let backupDamaged: Self = "backup.damaged"
    public static let backupUnsupported: Self = "backup.unsupported"
    /// Restoring goes to a place where nothing is.
    public static let backupTargetNotEmpty: Self = "backup.target-not-empty"
    public static let backupFailed: Self = "backup.failed"
}
