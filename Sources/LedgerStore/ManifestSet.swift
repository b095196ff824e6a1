import Shiplog

/// A set of manifests as it is stored: each resource a blob in redacted form, the set a blob that lists them.
struct ManifestSet: Sendable {
    struct Member: Sendable, Hashable {
        let key: ResourceKey
        let apiVersion: String
        let digest: Digest
    }

    struct Manifest: Sendable {
        let member: Member
        /// The canonical JSON of the redacted form: what the digest is taken over.
        let bytes: [UInt8]
        let values: [Redactor.Value]
    }

    /// Sorted by key, so that the order in which they came does not matter.
    let manifests: [Manifest]
    let bytes: [UInt8]
    let digest: Digest

    /// - Throws: `manifest.duplicate` when two of them are the same object.
    init(_ resources: [Resource], _ redactor: Redactor) throws(Failure) {
        var manifests: [Manifest] = []
        manifests.reserveCapacity(resources.count)
        for resource in resources { manifests.append(try Self.manifest(resource, redactor)) }
        manifests.sort { $0.member.key < $1.member.key }
        for (first, second) in zip(manifests, manifests.dropFirst()) where first.member.key == second.member.key {
            throw Failure(
                "manifest.duplicate", "\(first.member.key) stands twice among the manifests",
                remedy: "remove one of the two")
        }
        self.manifests = manifests
        bytes = Self.document(manifests.map(\.member)).canonicalBytes
        digest = try Hashing.digest(bytes)
    }

    static func manifest(_ resource: Resource, _ redactor: Redactor) throws(Failure) -> Manifest {
        let (object, values) = redactor.redact(resource)
        let bytes = object.canonicalBytes
        guard bytes.count <= StoredBytes.limit else {
            throw Failure("manifest.too-large", "\(resource.key) is larger than 64 MiB")
        }
        return Manifest(
            member: Member(
                key: resource.key, apiVersion: resource.gvk.apiVersion, digest: try Hashing.digest(bytes)),
            bytes: bytes, values: values)
    }

    private static func document(_ members: [Member]) -> JSON {
        [
            "format": 1,
            "resources": .array(
                members.map { member in
                    [
                        .string(member.key.group), .string(member.key.kind), .string(member.key.namespace),
                        .string(member.key.name), .string(member.apiVersion), .string(member.digest.bytes.hex)
                    ]
                })
        ]
    }

    /// The members that a stored set lists.
    static func members(of bytes: [UInt8]) throws(Failure) -> [Member] {
        let document = try EntryDecoder.parse(bytes)
        guard document["format"]?.integer == 1, let rows = document["resources"]?.array else {
            throw .corrupt("a stored set of manifests is not in a known form")
        }
        var members: [Member] = []
        for row in rows {
            let parts = (row.array ?? []).compactMap(\.string)
            guard parts.count == 6, let digest = [UInt8](hex: parts[5]).flatMap({ Digest(bytes: $0) }) else {
                throw .corrupt("a stored set of manifests has a row of another form")
            }
            members.append(
                Member(
                    key: ResourceKey(group: parts[0], kind: parts[1], namespace: parts[2], name: parts[3]),
                    apiVersion: parts[4], digest: digest))
        }
        return members
    }
}
