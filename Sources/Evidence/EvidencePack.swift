import Crypto
public import LedgerStore
public import Shiplog
public import TransparencyLog

/// A zip file with which an auditor who trusts nobody can tell that a part of the log is whole and unaltered, and that
/// nothing in it that fits the question was left out. `docs/evidence-pack.md` has the format.
public struct EvidencePack: Sendable {
    /// Who had it made, when and with what.
    public struct Making: Sendable {
        public var at: Timestamp
        public var actor: Actor
        public var version: String
        /// The event that records it; nil for one that was made of a copy, which records nothing.
        public var event: SequenceNumber?

        public init(at: Timestamp, actor: Actor, version: String, event: SequenceNumber?) {
            self.at = at
            self.actor = actor
            self.version = version
            self.event = event
        }
    }

    /// Who else stands for the log.
    public struct Standing: Sendable {
        public var epochs: [Epoch]
        public var attestations: [Attestation]
        public var isSelfAttested: Bool

        public init(epochs: [Epoch], attestations: [Attestation] = [], isSelfAttested: Bool = true) {
            self.epochs = epochs
            self.attestations = attestations
            self.isSelfAttested = isSelfAttested
        }
    }

    static let format: JSON = "shiplog-evidence/1"
    /// In the order in which they stand in the file.
    static let names = [
        "README.txt", "verify.py", "checkpoint", "keys.json", "proofs.json", "entries.jsonl", "leaves.bin",
        "entries.csv", "bodies.jsonl", "query.json", "manifest.sha256"
    ]

    let ledger: Ledger
    let selection: Selection
    let range: ClosedRange<Int64>
    let checkpoint: Checkpoint
    let standing: Standing
    let proof: (left: [MerkleHash], right: [MerkleHash])
    let earlier: [(head: TreeHead, proof: [MerkleHash])]

    /// - Parameters:
    ///   - checkpoint: over the selection's range at least.
    ///   - earlier: sizes of trees that the reader holds a checkpoint of: the pack shows that it goes on from them.
    /// - Throws: `evidence.range-empty`; `log.proof-impossible` for a size that there is not.
    public init(
        _ selection: Selection, of ledger: Ledger, under checkpoint: Checkpoint, standing: Standing,
        earlier sizes: [Int64] = []
    ) async throws(Failure) {
        guard let range = selection.range, range.upperBound <= checkpoint.head.size,
            let first = SequenceNumber(range.lowerBound), let last = SequenceNumber(range.upperBound)
        else {
            throw Failure(
                "evidence.range-empty", "the log has no entry there, or none that is signed yet",
                remedy: "ask for a range within 1 to \(checkpoint.head.size)")
        }
        self.ledger = ledger
        self.selection = selection
        self.range = range
        self.checkpoint = checkpoint
        self.standing = standing
        proof = try await ledger.rangeProof(of: first...last, size: checkpoint.head.size)
        var earlier: [(head: TreeHead, proof: [MerkleHash])] = []
        for size in sizes {
            let found = try await ledger.consistencyProof(from: size, to: checkpoint.head.size)
            earlier.append((found.earlier, found.proof))
        }
        self.earlier = earlier
    }

    // MARK: - Writing

    /// Writes the whole pack, in the memory of a page of entries or of the longest body.
    public func write(_ making: Making, to sink: ExportSink) async throws {
        var writer = PackWriter(at: making.at)
        try await writer.file("README.txt", Array(readme.utf8), sink)
        try await writer.file("verify.py", PackageResources.verify_py, sink)
        try await writer.file("checkpoint", checkpoint.note.bytes, sink)
        try await writer.file("keys.json", keys, sink)
        try await writer.file("proofs.json", proofs, sink)
        let gone = try await writeEntries(&writer, sink)
        try await writeLeaves(&writer, sink)
        try await writeTable(&writer, sink)
        try await writeBodies(&writer, sink)
        try await writeQuery(making, gone, &writer, sink)
        try await writer.finish(sink)
    }

    private func pages() -> some Sequence<ClosedRange<Int64>> {
        sequence(state: range.lowerBound) { [range] next -> ClosedRange<Int64>? in
            guard next <= range.upperBound else { return nil }
            defer { next += Ledger.pageOfEntries }
            return next...min(range.upperBound, next + Ledger.pageOfEntries - 1)
        }
    }

    /// Every entry of the range; where retention took one, its leaf.
    /// - Returns: which ones are gone.
    private func writeEntries(_ writer: inout PackWriter, _ sink: ExportSink) async throws -> MatchSet {
        var gone = MatchSet(range)
        // Sixteen kilobytes are the most that an entry may have.
        writer.begin("entries.jsonl", isLarge: range.count > (4 << 30) / 16_400)
        for page in pages() {
            var lines: [UInt8] = []
            for (sequence, bytes) in zip(page, try await ledger.entries(page)) {
                if let bytes {
                    lines += bytes
                } else {
                    guard !selection.matches.contains(sequence) else { throw Matches.gone(sequence) }
                    gone.insert(sequence)
                    let leaf = try await ledger.leaves(sequence...sequence)
                    lines +=
                        JSON.members(["leaf": leaf.first.map { .string($0.base64) }, "sequence": .integer(sequence)])
                        .canonicalBytes
                }
                lines.append(0x0A)
            }
            try await writer.add(lines, sink)
        }
        try await writer.end(sink)
        return gone
    }

    private func writeLeaves(_ writer: inout PackWriter, _ sink: ExportSink) async throws {
        writer.begin("leaves.bin", isLarge: range.count > (4 << 30) / 33, isCompressible: false)
        for page in pages() {
            try await writer.add(try await ledger.leaves(page).flatMap(\.bytes), sink)
        }
        try await writer.end(sink)
    }

    private func writeTable(_ writer: inout PackWriter, _ sink: ExportSink) async throws {
        writer.begin("entries.csv", isLarge: selection.count > (4 << 30) / 40_000)
        var lines = CSVFormat.header
        try await Matches(ledger, selection).forEach { entry in
            lines += CSVFormat.line(entry)
            guard lines.count >= ExportStream.piece else { return }
            try await writer.add(lines, sink)
            lines = []
        }
        try await writer.add(lines, sink)
        try await writer.end(sink)
    }

    private func writeBodies(_ writer: inout PackWriter, _ sink: ExportSink) async throws {
        // A body may have 64 MiB.
        writer.begin("bodies.jsonl", isLarge: selection.count > 4)
        let matches = Matches(ledger, selection)
        var next = range.lowerBound
        while let page = matches.page(from: next) {
            var last: StoredBody?
            repeat {
                let bodies = try await ledger.bodies(page, after: last)
                last = bodies.last
                for body in bodies where selection.matches.contains(body.sequence) {
                    try await writer.add(Self.line(body), sink)
                }
                try Task.checkCancellation()
            } while last != nil
            next = page.upperBound + 1
        }
        try await writer.end(sink)
    }

    static func line(_ body: StoredBody) -> [UInt8] {
        var json: JSON = ["name": .string(body.name), "sequence": .integer(body.sequence)]
        switch body.contents {
        case .erased(let by): json["erasedBy"] = .integer(by)
        case .kept(let salt, let content):
            json["salt"] = .string(salt.base64)
            json["content"] = .string(content.base64)
        }
        return json.canonicalBytes + [0x0A]
    }
}
