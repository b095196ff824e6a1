/// Names that a token may touch: `*` stands for any run of characters, `?` for one.
struct Glob: Sendable, Hashable, CustomStringConvertible {
    let pattern: String
    private let scalars: [Unicode.Scalar]

    init(_ pattern: String) {
        self.pattern = pattern
        scalars = Array(pattern.unicodeScalars)
    }

    var description: String { pattern }

    /// Matches the whole text in time linear to pattern × text.
    func matches(_ text: String) -> Bool {
        let name = Array(text.unicodeScalars)
        var (at, position) = (0, 0)
        var star: (at: Int, position: Int)?
        while position < name.count {
            if at < scalars.count, scalars[at] == "*" {
                star = (at, position)
                at += 1
            } else if at < scalars.count, scalars[at] == "?" || scalars[at] == name[position] {
                at += 1
                position += 1
            } else if let last = star {
                // The last star takes one character more.
                star = (last.at, last.position + 1)
                at = last.at + 1
                position = last.position + 1
            } else {
                return false
            }
        }
        while at < scalars.count, scalars[at] == "*" { at += 1 }
        return at == scalars.count
    }
}
