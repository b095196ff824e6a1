/// The difference of two texts, line by line, as `diff -u` has it.
///
/// Algorithm: Eugene W. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986. The work is bounded: two texts
/// with more than `maximumEdits` differences are shown as one removed and one added, after what they share at both ends.
public enum TextDiff {
    /// Lines of a text that stand together, with some that did not change around them.
    public struct Hunk: Sendable, Hashable {
        /// The first line's number in the old text, from 1; with no old lines the number of the line before.
        public let oldStart: Int
        public let oldCount: Int
        public let newStart: Int
        public let newCount: Int
        public let lines: [Line]

        /// `@@ -1,4 +1,5 @@`
        public var header: String { "@@ -\(oldStart),\(oldCount) +\(newStart),\(newCount) @@" }
    }

    public struct Line: Sendable, Hashable {
        public enum Kind: String, Sendable, Hashable, CaseIterable {
            case context, removed, added
        }
        public let kind: Kind
        /// The line in pieces: where a removed and an added line belong together, what differs is marked.
        public let pieces: [Piece]
        /// From 1; nil for an added line.
        public let oldNumber: Int?
        /// From 1; nil for a removed line.
        public let newNumber: Int?
        /// The text ends here, without a line break.
        public let endsText: Bool

        public var text: String { pieces.map(\.text).joined() }
    }

    public struct Piece: Sendable, Hashable {
        public let text: String
        public let isChanged: Bool

        public init(_ text: String, isChanged: Bool = false) {
            self.text = text
            self.isChanged = isChanged
        }
    }

    /// More differences than these are not sorted out.
    public static let maximumEdits = 1000

    /// - Parameter context: lines shown around each change.
    public static func hunks(from old: String, to new: String, context: Int = 3) -> [Hunk] {
        if old == new { return [] }
        let (oldLines, newLines) = (split(old), split(new))
        let edits = edits(from: oldLines, to: newLines, maximum: maximumEdits)
        return group(edits, oldLines, newLines, context: max(0, context))
    }

    /// The unified form, as `patch` reads it; empty when there is no difference.
    public static func unified(from old: String, to new: String, oldName: String, newName: String) -> String {
        let hunks = hunks(from: old, to: new)
        if hunks.isEmpty { return "" }
        return "--- \(oldName)\n+++ \(newName)\n" + hunks.map(\.text).joined()
    }

    /// A line with its break; only the last of a text may lack one.
    private static func split(_ text: String) -> [Substring] {
        var lines: [Substring] = []
        var start = text.startIndex
        let bytes = text.utf8
        while start < text.endIndex {
            guard let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) else {
                lines.append(text[start...])
                break
            }
            let next = bytes.index(after: end)
            lines.append(text[start..<next])
            start = next
        }
        return lines
    }
}

extension TextDiff.Hunk {
    public var text: String {
        var text = header + "\n"
        for line in lines {
            switch line.kind {
            case .context: text += " "
            case .removed: text += "-"
            case .added: text += "+"
            }
            text += line.text + "\n"
            if line.endsText { text += "\\ No newline at end of file\n" }
        }
        return text
    }
}

// MARK: - Edits

extension TextDiff {
    enum Edit: Hashable {
        /// Places in the old and the new list.
        case keep(Int, Int)
        case remove(Int)
        case add(Int)
    }

    /// The shortest way from one list to the other, removals before additions; when it is longer than `maximum`, the
    /// middle is removed and added as a whole.
    static func edits<Element: Hashable>(from old: [Element], to new: [Element], maximum: Int) -> [Edit] {
        var start = 0
        while start < old.count, start < new.count, old[start] == new[start] { start += 1 }
        var (oldEnd, newEnd) = (old.count, new.count)
        while oldEnd > start, newEnd > start, old[oldEnd - 1] == new[newEnd - 1] {
            oldEnd -= 1
            newEnd -= 1
        }
        // Numbers compare faster than lines, and each line is looked at once.
        var numbers: [Element: Int32] = [:]
        func number(_ element: Element) -> Int32 {
            if let known = numbers[element] { return known }
            let next = Int32(clamping: numbers.count)
            numbers[element] = next
            return next
        }
        let (before, after) = (old[start..<oldEnd].map(number), new[start..<newEnd].map(number))
        var edits: [Edit] = (0..<start).map { .keep($0, $0) }
        let middle =
            shortest(before, after, maximum: maximum) ?? before.indices.map { .remove($0) }
            + after.indices.map { .add($0) }
        for edit in middle {
            switch edit {
            case .keep(let left, let right): edits.append(.keep(left + start, right + start))
            case .remove(let left): edits.append(.remove(left + start))
            case .add(let right): edits.append(.add(right + start))
            }
        }
        edits += zip(oldEnd..<old.count, newEnd..<new.count).map { .keep($0, $1) }
        return edits
    }

    /// Myers' greedy search; nil when more than `maximum` edits would be needed.
    private static func shortest(_ old: [Int32], _ new: [Int32], maximum: Int) -> [Edit]? {
        let limit = min(old.count + new.count, maximum)
        // reach[k + limit + 1]: how far the old list is used up on diagonal k (old index − new index).
        var reach = [Int32](repeating: 0, count: 2 * limit + 3)
        // What `reach` was before each round, diagonals −round…round only: the way back is read from it.
        var rounds: [[Int32]] = []
        for round in 0...limit {
            rounds.append(Array(reach[(limit + 1 - round)...(limit + 1 + round)]))
            for diagonal in stride(from: -round, through: round, by: 2) {
                let place = diagonal + limit + 1
                let comesDown =
                    diagonal == -round || (diagonal != round && reach[place - 1] < reach[place + 1])
                var x = Int(comesDown ? reach[place + 1] : reach[place - 1] + 1)
                var y = x - diagonal
                while x < old.count, y < new.count, x >= 0, y >= 0, old[x] == new[y] {
                    x += 1
                    y += 1
                }
                reach[place] = Int32(clamping: x)
                if x >= old.count, y >= new.count { return wayBack(rounds, old.count, new.count) }
            }
        }
        return nil
    }

    private static func wayBack(_ rounds: [[Int32]], _ oldCount: Int, _ newCount: Int) -> [Edit] {
        var edits: [Edit] = []
        var (x, y) = (oldCount, newCount)
        for round in stride(from: rounds.count - 1, through: 0, by: -1) {
            let reach = rounds[round]
            func at(_ diagonal: Int) -> Int {
                let place = diagonal + round
                return reach.indices.contains(place) ? Int(reach[place]) : -1
            }
            let diagonal = x - y
            let comesDown = diagonal == -round || (diagonal != round && at(diagonal - 1) < at(diagonal + 1))
            let previous = comesDown ? diagonal + 1 : diagonal - 1
            let (fromX, fromY) = round == 0 ? (0, 0) : (at(previous), at(previous) - previous)
            while x > fromX, y > fromY, x > 0, y > 0 {
                x -= 1
                y -= 1
                edits.append(.keep(x, y))
            }
            guard round > 0 else { break }
            if comesDown {
                y -= 1
                edits.append(.add(y))
            } else {
                x -= 1
                edits.append(.remove(x))
            }
        }
        return edits.reversed()
    }
}
