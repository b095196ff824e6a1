import Foundation
import GRDB
public import Shiplog

extension Ledger {
    /// The digest of a set of manifests in redacted form; their order does not matter, nothing is stored.
    /// - Throws: `manifest.duplicate`.
    public func digest(of resources: [Resource]) throws(Failure) -> Digest {
        try ManifestSet(resources, try redactor).digest
    }

    /// The digest of one manifest or live object in redacted form.
    public func digest(of resource: Resource) throws(Failure) -> Digest {
        try ManifestSet.manifest(resource, try redactor).member.digest
    }

    /// The manifest as it may be shown and stored: a Secret's values replaced by `hmac:` and a keyed digest, without
    /// `managedFields` and `kubectl.kubernetes.io/last-applied-configuration`, `stringData` folded into `data`.
    public func redacted(_ resource: Resource) throws(Failure) -> Resource {
        try Resource(try redactor.redact(resource).object)
    }

    /// Stores a set of manifests, each once, and gives back its digest.
    @discardableResult
    public func store(manifests resources: [Resource]) async throws(Failure) -> Digest {
        let staged = try await stage(resources)
        try await writer.write { transaction in try staged.write(transaction) }
        return staged.set.digest
    }

    /// The manifests of a set, sorted by key, redacted: for showing and comparing. nil when it is not stored.
    public func manifests(_ digest: Digest) async throws(Failure) -> [Resource]? {
        try await read("reading manifests") { db in
            try Reading.set(db, digest)?.map { member in
                try Resource(EntryDecoder.parse(Reading.blob(db, member.digest)))
            }
        }
    }

    /// What a stored set lists, without reading the manifests themselves. nil when it is not stored.
    public func contents(of digest: Digest) async throws(Failure) -> [ManifestReference]? {
        try await read("reading manifests") { db in
            try Reading.set(db, digest)?.map {
                ManifestReference(key: $0.key, apiVersion: $0.apiVersion, digest: $0.digest)
            }
        }
    }

    /// One stored manifest, redacted, by its own digest.
    public func manifest(_ digest: Digest) async throws(Failure) -> Resource? {
        try await read("reading a manifest") { db in
            guard try Reading.hasBlob(db, digest, kind: "resource") else { return nil }
            return try Resource(EntryDecoder.parse(Reading.blob(db, digest)))
        }
    }

    /// The manifests of a set with their secret values: only on the way to a cluster.
    /// - Throws: `ledger.value-erased`, naming resource and key; `ledger.key-wrong`.
    public func manifestsForCluster(_ digest: Digest) async throws(Failure) -> [Resource]? {
        try await manifests(digest, leavesErased: false)?.resources
    }

    /// As `manifestsForCluster`, for whoever puts other values in the place of a Secret's: an erased one stays a mark.
    /// - Returns: the manifests, and the Secrets of which something was erased.
    public func manifestsBesideErased(
        _ digest: Digest
    ) async throws(Failure) -> (resources: [Resource], erased: Set<ResourceKey>)? {
        try await manifests(digest, leavesErased: true)
    }

    private func manifests(
        _ digest: Digest, leavesErased: Bool
    ) async throws(Failure) -> (resources: [Resource], erased: Set<ResourceKey>)? {
        let sealer = Sealer(try keys)
        let redactor = try redactor
        return try await read("reading manifests") { db in
            var erased: Set<ResourceKey> = []
            let resources = try Reading.set(db, digest)?.map { member in
                var object = try EntryDecoder.parse(Reading.blob(db, member.digest))
                let paths = Redactor.markedPaths(in: object)
                if !paths.isEmpty {
                    let values = try Reading.sealed(db, owner: member.digest.bytes, sealer)
                    for path in paths {
                        guard let bytes = values[path] else {
                            guard leavesErased else {
                                throw Failure(
                                    .ledgerValueErased, "the value \(path.dropFirst()) of \(member.key) was erased",
                                    remedy: "roll back to a revision after the erasure, or keep the cluster's Secrets "
                                        + "(--keep-secrets)")
                            }
                            erased.insert(member.key)
                            continue
                        }
                        let value = try EntryDecoder.parse(bytes)
                        let parts = Redactor.pathParts(path)
                        let mark = redactor.mark(place: member.key.trackingForm, path: path, value)
                        guard object.at(parts[...])?.string == mark else {
                            throw Failure.corrupt("a sealed value of \(member.key) is not the one its digest names")
                        }
                        object.set(value, at: parts)
                    }
                }
                return try Resource(object)
            }
            return resources.map { ($0, erased) }
        }
    }

    // MARK: Storing

    /// Does on the caller's task what needs no transaction: redacts, digests, and packs and seals what is not stored yet.
    func stage(_ resources: [Resource]) async throws(Failure) -> StagedManifests {
        let set = try ManifestSet(resources, try redactor)
        let sealer = Sealer(try keys)
        let known = try await read("looking for stored manifests") { db in
            var known: Set<Digest> = []
            let statement = try db.cachedStatement(sql: "SELECT 1 FROM blob WHERE digest = ?")
            for digest in set.manifests.map(\.member.digest) + [set.digest]
            where try Int.fetchOne(statement, arguments: [Data(digest.bytes)]) != nil {
                known.insert(digest)
            }
            return known
        }
        var blobs: [StagedManifests.Blob] = []
        var sealed: [StagedManifests.SealedValue] = []
        for manifest in set.manifests {
            let digest = manifest.member.digest
            if !known.contains(digest) { blobs.append(.init(digest, "resource", manifest.bytes)) }
            // Also for a known Secret: a value that was erased meanwhile is needed again. It costs a few microseconds.
            for value in manifest.values {
                sealed.append(.init(owner: digest.bytes, value: try sealer.seal(value, owner: digest.bytes)))
            }
        }
        if !known.contains(set.digest) { blobs.append(.init(set.digest, "set", set.bytes)) }
        return StagedManifests(set: set, blobs: blobs, sealed: sealed, keyID: sealer.keyID)
    }
}

/// A resource that a stored set lists.
public struct ManifestReference: Sendable, Hashable {
    public let key: ResourceKey
    public let apiVersion: String
    /// Of the redacted manifest.
    public let digest: Digest

    public init(key: ResourceKey, apiVersion: String, digest: Digest) {
        self.key = key
        self.apiVersion = apiVersion
        self.digest = digest
    }
}

/// Manifests ready to be written.
struct StagedManifests: Sendable {
    struct Blob: Sendable {
        let digest: Digest
        let kind: String
        let size: Int
        let encoding: Int64
        let content: [UInt8]

        init(_ digest: Digest, _ kind: String, _ bytes: [UInt8]) {
            self.digest = digest
            self.kind = kind
            size = bytes.count
            (encoding, content) = StoredBytes.pack(bytes)
        }
    }

    struct SealedValue: Sendable {
        let owner: [UInt8]
        let value: Sealer.Sealed
    }

    let set: ManifestSet
    /// What was not stored when it was looked for; blobs are never deleted, so the rest still is.
    let blobs: [Blob]
    let sealed: [SealedValue]
    let keyID: [UInt8]

    func write(_ transaction: WriteTransaction) throws {
        for blob in blobs {
            let digest = Data(blob.digest.bytes)
            if try transaction.exists("SELECT 1 FROM blob WHERE digest = ?", [digest]) { continue }
            try transaction.run(
                "INSERT INTO blob (digest, kind, encoding, size, content) VALUES (?, ?, ?, ?, ?)",
                [digest, blob.kind, blob.encoding, blob.size, Data(blob.content)])
        }
        for item in sealed { try transaction.seal(item.value, owner: item.owner, key: keyID) }
    }
}

extension WriteTransaction {
    /// Stores a sealed value unless it is there.
    func seal(_ value: Sealer.Sealed, owner: [UInt8], key: [UInt8]) throws {
        let owner = Data(owner)
        if try exists("SELECT 1 FROM sealed WHERE owner = ? AND path = ? AND erased_by IS NULL", [owner, value.path]) {
            return
        }
        try run(
            "INSERT INTO sealed (owner, path, key, wrapped, ciphertext) VALUES (?, ?, ?, ?, ?)",
            [owner, value.path, Data(key), Data(value.wrapped), Data(value.ciphertext)])
    }
}
