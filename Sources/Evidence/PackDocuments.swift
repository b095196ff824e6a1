import Foundation
import LedgerStore
import Shiplog
import TransparencyLog

extension EvidencePack {
    var keys: [UInt8] {
        let epochs = standing.epochs.map { epoch -> JSON in
            .members([
                "epoch": .integer(epoch.number), "origin": .string(epoch.origin),
                "startedBy": .integer(epoch.startedBy.value),
                "keys": .array(epoch.keys.map { .string($0.description) }),
                "rotatedBy": .array(epoch.rotations.map { .integer($0.value) })
            ])
        }
        let attestations = standing.attestations.map { attestation -> JSON in
            .members([
                "name": .string(attestation.name), "kind": .string(attestation.kind.rawValue),
                "size": attestation.size.map { .integer($0) }, "at": attestation.at.map { .string($0.description) }
            ])
        }
        let note =
            standing.isSelfAttested
            ? "self-attested: no witness and no anchor stands for this log; only its own key does"
            : "witnesses and anchors took the log as far as each size says; check that with them, not with this file"
        return pretty([
            "epochs": .array(epochs), "selfAttested": .bool(standing.isSelfAttested),
            "attestations": .array(attestations), "note": .string(note)
        ])
    }

    var proofs: [UInt8] {
        pretty([
            "size": .integer(checkpoint.head.size), "root": .string(checkpoint.head.root.bytes.base64),
            "first": .integer(range.lowerBound), "last": .integer(range.upperBound),
            "left": .array(proof.left.map { .string($0.base64) }),
            "right": .array(proof.right.map { .string($0.base64) }),
            "consistency": .array(
                earlier.map { head, proof in
                    [
                        "size": .integer(head.size), "root": .string(head.root.base64),
                        "proof": .array(proof.map { .string($0.base64) })
                    ]
                })
        ])
    }

    private func pretty(_ json: JSON) -> [UInt8] { Array((json.prettyString + "\n").utf8) }

    /// The question and its answer. Runs of sequences are written one by one: there may be many.
    func writeQuery(
        _ making: Making, _ gone: MatchSet, _ writer: inout PackWriter, _ sink: ExportSink
    ) async throws {
        let whole = JSON.members([
            "format": Self.format, "ledger": .string(ledger.uid), "origin": .string(checkpoint.origin),
            "filter": selection.filter.document,
            "asked": .members([
                "first": selection.question.first.map { .integer($0) },
                "last": selection.question.last.map { .integer($0) }
            ]),
            "completeness": .string(selection.filter.isProvable ? "proven" : "integrity only"),
            "range": [
                "first": .integer(range.lowerBound), "last": .integer(range.upperBound),
                "entries": .integer(Int64(range.count)), "gaps": 0, "gone": .integer(gone.count)
            ],
            "made": .members([
                "at": .string(making.at.description), "by": .string(making.actor.name),
                "means": .string(making.actor.means.rawValue), "version": .string(making.version),
                "event": making.event.map { .integer($0.value) }
            ]),
            "matches": .members([
                "count": .integer(selection.count), "first": selection.firstMatch.map { .integer($0) },
                "last": selection.lastMatch.map { .integer($0) }
            ])
        ])
        writer.begin("query.json", isLarge: range.count > (4 << 30) / 50)
        // The two lists come last, so that what stands before them is one piece.
        let head = String(whole.prettyString.dropLast(2))
        try await writer.add(Array((head + ",\n  \"matched\": [").utf8), sink)
        try await writeRuns(of: selection.matches, &writer, sink)
        try await writer.add(Array("],\n  \"gone\": [".utf8), sink)
        try await writeRuns(of: gone, &writer, sink)
        try await writer.add(Array("]\n}\n".utf8), sink)
        try await writer.end(sink)
    }

    private func writeRuns(of set: MatchSet, _ writer: inout PackWriter, _ sink: ExportSink) async throws {
        var text = ""
        var next = set.range.lowerBound
        var isFirst = true
        while let run = set.run(from: next) {
            text += (isFirst ? "" : ", ") + "[\(run.lowerBound), \(run.upperBound)]"
            isFirst = false
            next = run.upperBound + 1
            guard text.utf8.count >= ExportStream.piece else { continue }
            try await writer.add(Array(text.utf8), sink)
            text = ""
        }
        try await writer.add(Array(text.utf8), sink)
    }

    var readme: String {
        let question = selection.filter.document
        let asked =
            question == .object([:])
            ? "everything but reconciles that found nothing changed" : question.canonicalString
        let isProvable = selection.filter.isProvable
        return """
            Evidence from a Shiplog ledger
            ==============================

            Log         \(checkpoint.origin)
            Entries     \(range.lowerBound) to \(range.upperBound), without a gap
            Question    \(asked)
            Matches     \(selection.count)
            Checkpoint  over \(checkpoint.head.size) entries, root \(checkpoint.head.root.base64)
            Attested    \(standing.isSelfAttested ? "SELF-ATTESTED: nobody but the log itself stands for it" : "see keys.json for witnesses and anchors")
            Complete    \(isProvable ? "provable: the verifier asks the question again" : "INTEGRITY ONLY: the question looks into texts that only matches carry")

            How to verify
            -------------

                python3 verify.py PACK.zip

            It needs Python 3.8 or newer and nothing else. Do not take its word from this file alone: whoever could
            forge the pack could forge the verifier in it. Use one that you have from elsewhere, or write one from
            docs/evidence-pack.md of Shiplog; `shiplog ledger verify PACK.zip` checks the same.

                python3 verify.py --key VKEY --checkpoint FILE PACK.zip

            holds it to a key that you know to be the log's, or a witness's, and to a checkpoint that you kept from
            an earlier time. Without them the pack vouches for itself. It ends with 0 when everything holds, and
            with 8 when something does not; then it names the first entry that is bad.

            What is proven
            --------------

            - The entries are, byte for byte and without a gap, those that the checkpoint's tree has at these places.
            - The bodies are the ones that the entries name, unless they are said to be erased. Where the event that
              erased one lies in the range, it says so; where it lies behind, the verifier notes it as unproven.
            - Every entry in the range that fits the question is among the matches, and no other. The question is in
              query.json: see that it is the one that you asked.
            - Where times were asked for, the entries at both ends lie outside of them, or are the log's own ends.

            What is not
            -----------

            - That the log tells the truth: it holds what Shiplog recorded, when it recorded it.
            - That this is the only history that was ever shown: that is what a checkpoint of yours, a witness or an
              anchor is for. History under a checkpoint that somebody else holds cannot be changed unnoticed, by the
              owner of the database either; that is all that is claimed.
            - What a text that was erased said.
            - Whether an entry that is known by its hash alone (query.json, "gone") fits the question.

            Files
            -----

            entries.jsonl    every entry of the range, the bytes that were hashed, a line each
            leaves.bin       their hashes, 32 bytes each: SHA-256(0x00 || entry)
            entries.csv      the matches as a table; a cell that a spreadsheet could run has an apostrophe there
            bodies.jsonl     what the matches name by digest: SHA-256(salt || content)
            query.json       the question, the range, the matches, and who asked
            checkpoint       a signed note (c2sp.org/tlog-checkpoint)
            proofs.json      what it takes to come from the range to the checkpoint's root
            keys.json        the keys that the log names as its own
            manifest.sha256  for sha256sum --check
            verify.py        the verifier

            """
    }
}

extension Collection<UInt8> {
    var base64: String { Data(self).base64EncodedString() }
}
