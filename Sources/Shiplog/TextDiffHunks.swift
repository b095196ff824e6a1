/// From edits to hunks, and from changed lines to changed words.
extension TextDiff {
    static func group(_ edits: [Edit], _ old: [Substring], _ new: [Substring], context: Int) -> [Hunk] {
        let edits = removalsFirst(edits)
        let changed = edits.indices.filter { if case .keep = edits[$0] { false } else { true } }
        var hunks: [Hunk] = []
        var next = 0
        while next < changed.count {
            let first = max(0, changed[next] - context)
            var last = changed[next]
            // Changes whose surroundings touch share a hunk.
            while next < changed.count, changed[next] - last <= 2 * context + 1 {
                last = changed[next]
                next += 1
            }
            hunks.append(hunk(edits, first...min(edits.count - 1, last + context), old, new))
        }
        return hunks
    }

    /// In each run of changes what goes stands before what comes.
    private static func removalsFirst(_ edits: [Edit]) -> [Edit] {
        var result: [Edit] = []
        result.reserveCapacity(edits.count)
        var added: [Edit] = []
        for edit in edits {
            switch edit {
            case .add: added.append(edit)
            case .remove: result.append(edit)
            case .keep:
                result += added
                added = []
                result.append(edit)
            }
        }
        return result + added
    }

    private static func hunk(
        _ edits: [Edit], _ range: ClosedRange<Int>, _ old: [Substring], _ new: [Substring]
    ) -> Hunk {
        // How many lines of each text come before the hunk.
        var (oldBefore, newBefore) = (0, 0)
        for edit in edits[..<range.lowerBound] {
            switch edit {
            case .keep:
                oldBefore += 1
                newBefore += 1
            case .remove: oldBefore += 1
            case .add: newBefore += 1
            }
        }
        let words = words(edits, range, old, new)
        var lines: [Line] = []
        var (oldCount, newCount) = (0, 0)
        for place in range {
            switch edits[place] {
            case .keep(let left, let right):
                oldCount += 1
                newCount += 1
                lines.append(line(.context, old[left], nil, left + 1, right + 1))
            case .remove(let left):
                oldCount += 1
                lines.append(line(.removed, old[left], words[place], left + 1, nil))
            case .add(let right):
                newCount += 1
                lines.append(line(.added, new[right], words[place], nil, right + 1))
            }
        }
        return Hunk(
            oldStart: oldCount > 0 ? oldBefore + 1 : oldBefore, oldCount: oldCount,
            newStart: newCount > 0 ? newBefore + 1 : newBefore, newCount: newCount, lines: lines)
    }

    private static func line(
        _ kind: Line.Kind, _ text: Substring, _ pieces: [Piece]?, _ oldNumber: Int?, _ newNumber: Int?
    ) -> Line {
        let plain = withoutBreak(text)
        return Line(
            kind: kind, pieces: pieces ?? [Piece(plain)], oldNumber: oldNumber, newNumber: newNumber,
            endsText: !text.utf8.reversed().starts(with: [UInt8(ascii: "\n")]))
    }

    private static func withoutBreak(_ text: Substring) -> String {
        guard text.utf8.last == UInt8(ascii: "\n") else { return String(text) }
        return String(decoding: text.utf8.dropLast(), as: UTF8.self)
    }

    /// Longer lines are not taken apart.
    private static let maximumWords = 400

    /// Where a run removes as many lines as it adds, the lines belong together one by one: what differs in each.
    private static func words(
        _ edits: [Edit], _ range: ClosedRange<Int>, _ old: [Substring], _ new: [Substring]
    ) -> [Int: [Piece]] {
        var pieces: [Int: [Piece]] = [:]
        var removed: [(place: Int, line: Int)] = []
        var added: [(place: Int, line: Int)] = []
        func settle() {
            if removed.count == added.count {
                for (left, right) in zip(removed, added) {
                    guard let pair = refine(withoutBreak(old[left.line]), withoutBreak(new[right.line])) else {
                        continue
                    }
                    pieces[left.place] = pair.old
                    pieces[right.place] = pair.new
                }
            }
            removed = []
            added = []
        }
        for place in range {
            switch edits[place] {
            case .keep: settle()
            case .remove(let line): removed.append((place, line))
            case .add(let line): added.append((place, line))
            }
        }
        settle()
        return pieces
    }

    /// nil when the two have nothing but blanks in common, or are too long to be looked at.
    static func refine(_ old: String, _ new: String) -> (old: [Piece], new: [Piece])? {
        let (left, right) = (tokens(old), tokens(new))
        guard left.count <= maximumWords, right.count <= maximumWords else { return nil }
        var (oldPieces, newPieces): ([Piece], [Piece]) = ([], [])
        var isAlike = false
        for edit in edits(from: left, to: right, maximum: maximumWords) {
            switch edit {
            case .keep(let place, _):
                if left[place].contains(where: { $0.isLetter || $0.isNumber }) { isAlike = true }
                add(left[place], isChanged: false, to: &oldPieces)
                add(left[place], isChanged: false, to: &newPieces)
            case .remove(let place): add(left[place], isChanged: true, to: &oldPieces)
            case .add(let place): add(right[place], isChanged: true, to: &newPieces)
            }
        }
        return isAlike ? (oldPieces, newPieces) : nil
    }

    private static func add(_ text: Substring, isChanged: Bool, to pieces: inout [Piece]) {
        if let last = pieces.last, last.isChanged == isChanged {
            pieces[pieces.count - 1] = Piece(last.text + text, isChanged: isChanged)
        } else {
            pieces.append(Piece(String(text), isChanged: isChanged))
        }
    }

    /// Runs of letters and digits, runs of blanks, and every other character by itself.
    private static func tokens(_ text: String) -> [Substring] {
        var result: [Substring] = []
        var start = text.startIndex
        while start < text.endIndex {
            let kind = kind(of: text[start])
            var end = text.index(after: start)
            while end < text.endIndex, kind != 2, self.kind(of: text[end]) == kind { end = text.index(after: end) }
            result.append(text[start..<end])
            start = end
        }
        return result
    }

    private static func kind(of character: Character) -> Int {
        if character == " " { return 0 }
        return character.isLetter || character.isNumber ? 1 : 2
    }
}

/// What became of each object between two sets of manifests.
public enum ManifestDiff {
    public struct ResourceDiff: Sendable, Hashable {
        public enum Change: String, Sendable, Hashable, CaseIterable {
            case added, removed, changed, same
        }
        public let key: ResourceKey
        public let change: Change
        /// Empty when nothing changed.
        public let hunks: [TextDiff.Hunk]
    }

    /// Object by object, sorted by key; of a key that stands twice in a set the last one counts.
    ///
    /// - Parameter text: how an object is written; a caller that shows it masks Secrets' values there.
    public static func between(
        old: [Resource], new: [Resource], context: Int = 3, text: (Resource) -> String
    ) -> [ResourceDiff] {
        let before = Dictionary(old.map { ($0.key, $0) }, uniquingKeysWith: { $1 })
        let after = Dictionary(new.map { ($0.key, $0) }, uniquingKeysWith: { $1 })
        return Set(before.keys).union(after.keys).sorted().map { key in
            let (left, right) = (before[key], after[key])
            let change: ResourceDiff.Change =
                left == nil ? .added : right == nil ? .removed : left == right ? .same : .changed
            let hunks =
                change == .same
                ? [] : TextDiff.hunks(from: left.map(text) ?? "", to: right.map(text) ?? "", context: context)
            // Written alike: the difference is one of masked values, and still a change.
            return ResourceDiff(key: key, change: change, hunks: hunks)
        }
    }
}
