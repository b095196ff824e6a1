/// A pattern over paths as Argo CD reads it (the gobwas library, without separators): `*` and `**` match any text, `/`
/// included; `?` one character; `[abc]`, `[a-z]`, `[!a]` one of a set; `{a,b}` one of several patterns; `\` takes the
/// next character as it is.
public struct Glob: Sendable, Hashable {
    private enum Step: Sendable, Hashable {
        case character(Unicode.Scalar)
        case any
        case anyText
        /// As the two above, but for the separator.
        case anyWithin(Unicode.Scalar)
        case textWithin(Unicode.Scalar)
        case set([ClosedRange<Unicode.Scalar>], negated: Bool)
        /// Where to go on: one for each pattern in the braces.
        case fork([Int])
        case jump(Int)
    }

    /// A program of steps, run as a set of places at once: no pattern takes more than its length times the text's.
    private let steps: [Step]

    /// nil when brackets or braces do not match, a set is empty, or the pattern has more than 1,024 characters.
    /// - Parameter separator: what `*` and `?` then do not match; `**` does.
    public init?(_ pattern: String, separator: Unicode.Scalar? = nil) {
        guard pattern.unicodeScalars.count <= 1024 else { return nil }
        var compiler = Compiler(scalars: Array(pattern.unicodeScalars), separator: separator)
        guard compiler.sequence(inBraces: false), compiler.isAtEnd else { return nil }
        steps = compiler.steps
    }

    public func matches(_ text: String) -> Bool {
        var places = Set<Int>()
        enter(0, &places)
        for scalar in text.unicodeScalars {
            var next = Set<Int>()
            for place in places where place < steps.count {
                switch steps[place] {
                case .anyText: enter(place, &next)
                case .any: enter(place + 1, &next)
                case .anyWithin(let separator): if scalar != separator { enter(place + 1, &next) }
                case .textWithin(let separator): if scalar != separator { enter(place, &next) }
                case .character(let own): if own == scalar { enter(place + 1, &next) }
                case .set(let ranges, let negated):
                    if ranges.contains(where: { $0.contains(scalar) }) != negated { enter(place + 1, &next) }
                case .fork, .jump: break
                }
            }
            if next.isEmpty { return false }
            places = next
        }
        return places.contains(steps.count)
    }

    private func enter(_ place: Int, _ places: inout Set<Int>) {
        guard places.insert(place).inserted, place < steps.count else { return }
        switch steps[place] {
        case .anyText, .textWithin: enter(place + 1, &places)
        case .fork(let branches): for branch in branches { enter(branch, &places) }
        case .jump(let target): enter(target, &places)
        case .character, .any, .anyWithin, .set: break
        }
    }

    private struct Compiler {
        let scalars: [Unicode.Scalar]
        let separator: Unicode.Scalar?
        var position = 0
        var steps: [Step] = []
        var depth = 0

        init(scalars: [Unicode.Scalar], separator: Unicode.Scalar?) {
            self.scalars = scalars
            self.separator = separator
        }

        var isAtEnd: Bool { position == scalars.count }

        mutating func sequence(inBraces: Bool) -> Bool {
            while position < scalars.count {
                let scalar = scalars[position]
                if inBraces, scalar == "," || scalar == "}" { return true }
                position += 1
                switch scalar {
                case "*": star()
                case "?": steps.append(separator.map { .anyWithin($0) } ?? .any)
                case "\\":
                    guard position < scalars.count else { return false }
                    steps.append(.character(scalars[position]))
                    position += 1
                case "[": guard set() else { return false }
                case "{": guard braces() else { return false }
                default: steps.append(.character(scalar))
                }
            }
            return !inBraces
        }

        /// Several stars are one that matches any text; a single one stops at the separator, if there is one.
        private mutating func star() {
            let isDouble = separator == nil || position < scalars.count && scalars[position] == "*"
            while position < scalars.count, scalars[position] == "*" { position += 1 }
            guard let separator, !isDouble else {
                if steps.last != .anyText { steps.append(.anyText) }
                return
            }
            steps.append(.textWithin(separator))
        }

        mutating func set() -> Bool {
            var ranges: [ClosedRange<Unicode.Scalar>] = []
            var negated = false
            if position < scalars.count, scalars[position] == "!" {
                negated = true
                position += 1
            }
            while position < scalars.count, scalars[position] != "]" {
                if scalars[position] == "\\" { position += 1 }
                guard position < scalars.count else { return false }
                let low = scalars[position]
                position += 1
                if position + 1 < scalars.count, scalars[position] == "-", scalars[position + 1] != "]" {
                    let high = scalars[position + 1]
                    guard low <= high else { return false }
                    ranges.append(low...high)
                    position += 2
                } else {
                    ranges.append(low...low)
                }
            }
            guard position < scalars.count, !ranges.isEmpty else { return false }
            position += 1
            steps.append(.set(ranges, negated: negated))
            return true
        }

        mutating func braces() -> Bool {
            depth += 1
            defer { depth -= 1 }
            guard depth <= 16 else { return false }
            let fork = steps.count
            steps.append(.fork([]))
            var branches: [Int] = []
            var jumps: [Int] = []
            while true {
                branches.append(steps.count)
                guard sequence(inBraces: true), position < scalars.count else { return false }
                jumps.append(steps.count)
                steps.append(.jump(0))
                position += 1
                if scalars[position - 1] == "}" { break }
            }
            steps[fork] = .fork(branches)
            for jump in jumps { steps[jump] = .jump(steps.count) }
            return true
        }
    }
}
