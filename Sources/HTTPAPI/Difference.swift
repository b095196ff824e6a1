import Shiplog

extension ManifestDiff {
    /// What differs between two sets of manifests whose Secrets are redacted already.
    static func projection(from old: [Resource], to new: [Resource], _ formats: Formats) -> [JSON] {
        between(old: old, new: new, text: { formats.manifestText($0.object) }).map { diff in
            var json = diff.key.projection
            json["change"] = .string(diff.change.rawValue)
            json["hunks"] = .array(diff.hunks.map(\.projection))
            return json
        }
    }
}

extension TextDiff.Hunk {
    var projection: JSON {
        [
            "oldStart": .integer(Int64(oldStart)), "oldLines": .integer(Int64(oldCount)),
            "newStart": .integer(Int64(newStart)), "newLines": .integer(Int64(newCount)),
            "lines": .array(lines.map(\.projection))
        ]
    }
}

extension TextDiff.Line {
    /// `words` are the ranges that differ from the line's counterpart, in UTF-16 code units as JavaScript counts them.
    var projection: JSON {
        var offset = 0
        var words: [JSON] = []
        for piece in pieces {
            let end = offset + piece.text.utf16.count
            if piece.isChanged, end > offset { words.append([.integer(Int64(offset)), .integer(Int64(end))]) }
            offset = end
        }
        return .members([
            "kind": .string(kind.rawValue), "text": .string(text), "words": words.isEmpty ? nil : .array(words)
        ])
    }
}
