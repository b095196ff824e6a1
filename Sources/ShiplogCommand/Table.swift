/// One cell of a table: text from anywhere, and how it is coloured.
struct Cell: Sendable, Equatable {
    let text: String
    let style: Style?

    init(_ text: String, _ style: Style? = nil) {
        self.text = Terminal.harmless(text)
        self.style = style
    }

    /// A word of status, in its own colour.
    static func status(_ word: String) -> Cell { Cell(word, Style.of(word)) }
}

/// Few colours, and never colour alone: the word says the same.
enum Style: String, Sendable {
    case good = "32"
    case attention = "33"
    case bad = "31"
    case faint = "2"
    case strong = "1"

    static func of(_ word: String) -> Style? {
        switch word {
        case "Synced", "Healthy", "succeeded", "active", "create", "created", "ran", "whole", "appeared", "recreate":
            .good
        case "OutOfSync", "Progressing", "Missing", "Suspended", "superseded", "Unknown", "update", "updated",
            "leftover", "expired", "replace", "replaced", "mixed", "in-progress", "changed", "rollback", "running":
            .attention
        case "Degraded", "failed", "cannot", "prune", "pruned", "unknown", "revoked", "vanished", "delete": .bad
        case "unchanged", "keep", "none", "nothing", "skipped", "waiting": .faint
        default: nil
        }
    }

    func paint(_ text: String) -> String { "\u{1B}[\(rawValue)m\(text)\u{1B}[0m" }
}

/// Columns that line up. Nothing is ever cut off: a line that is too long wraps on a terminal and is whole in a pipe.
struct Table: Sendable {
    var columns: [String]
    var rows: [[Cell]]
    /// Where rows are printed one after the other as they come, columns are as wide as most values want.
    var minimumWidths: [Int] = []

    func text(headers: Bool = true, color: Bool = false) -> String {
        let head = headers ? [columns.map { Cell($0, .strong) }] : []
        let all = head + rows
        var widths = columns.indices.map { $0 < minimumWidths.count ? minimumWidths[$0] : 0 }
        for row in all {
            for (index, cell) in row.enumerated() where index < widths.count {
                widths[index] = max(widths[index], TextWidth.of(cell.text))
            }
        }
        var result = ""
        for row in all {
            // The last cell that says something ends the line: no blanks at its end.
            let last = row.lastIndex { !$0.text.isEmpty } ?? 0
            for (index, cell) in row.enumerated() where index <= last && index < widths.count {
                let padding =
                    index == last
                    ? "" : String(repeating: " ", count: widths[index] - TextWidth.of(cell.text) + 3)
                result += (color ? cell.style?.paint(cell.text) : nil) ?? cell.text
                result += padding
            }
            result += "\n"
        }
        return result
    }
}

/// How many columns a terminal gives to a text.
enum TextWidth {
    /// East Asian wide characters and emoji take two columns (Unicode UAX #11, the ranges a commit subject may hold),
    /// combining marks none.
    static func of(_ text: String) -> Int {
        text.reduce(0) { $0 + width($1) }
    }

    private static func width(_ character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first else { return 0 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
            0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F,
            0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            return 2
        default: return 1
        }
    }
}
