/// A constraint on versions, as Argo CD takes one for a target revision: `1.2.*`, `>=1.2 <1.3`, `^2`, `~1.4.1`, `1 - 2`,
/// several joined by `||`. It follows Masterminds/semver v3, which Argo CD uses: a part left out matches anything, and a
/// pre-release satisfies only a comparison that names a pre-release itself.
struct VersionConstraint {
    private let alternatives: [[Comparison]]

    /// nil unless the text is a constraint; `1.2` and `v1.2.3` are names, not constraints.
    init?(_ text: String) {
        let marks = Array("<>=~^*|!,".utf8)
        guard
            text.utf8.contains(where: { marks.contains($0) }) || text.contains(" ")
                || Version(partial: text[...])?.hasWildcard == true
        else { return nil }
        var alternatives: [[Comparison]] = []
        var rest = text[...]
        while true {
            let end = Self.bar(in: rest)
            guard let comparisons = Self.read(rest[..<(end ?? rest.endIndex)]) else { return nil }
            alternatives.append(comparisons)
            guard let end else { break }
            rest = rest[rest.index(end, offsetBy: 2)...]
        }
        self.alternatives = alternatives
    }

    /// The tag with the highest version that satisfies it; tags that are no versions are passed over.
    func newest(of tags: some Sequence<String>) -> String? {
        var best: (tag: String, version: Version)?
        for tag in tags {
            guard let version = Version(partial: tag[...]), !version.hasWildcard,
                alternatives.contains(where: { $0.allSatisfy { $0.accepts(version) } })
            else { continue }
            // Of `1.2.3` and `v1.2.3` the same one each time, in whatever order they come.
            if let found = best, version < found.version || (!(found.version < version) && tag < found.tag) { continue }
            best = (tag, version)
        }
        return best?.tag
    }

    private static func bar(in text: Substring) -> Substring.Index? {
        var index = text.startIndex
        while index < text.endIndex {
            if text[index...].hasPrefix("||") { return index }
            index = text.index(after: index)
        }
        return nil
    }

    private static func read(_ text: Substring) -> [Comparison]? {
        let words = text.split { $0 == " " || $0 == "," }
        if words.count == 3, words[1] == "-" {
            guard let low = Version(partial: words[0]), let high = Version(partial: words[2]) else { return nil }
            return [Comparison(sign: .atLeast, bound: low), Comparison(sign: .atMost, bound: high)]
        }
        var comparisons: [Comparison] = []
        var sign = ""
        for word in words {
            let mark = word.prefix { "<>=~^!".contains($0) }
            guard mark.isEmpty || sign.isEmpty else { return nil }
            sign += mark
            let version = word.dropFirst(mark.count)
            if version.isEmpty { continue }
            guard let bound = Version(partial: version), let known = Comparison.signs[sign] else { return nil }
            comparisons.append(Comparison(sign: known, bound: bound))
            sign = ""
        }
        return sign.isEmpty && !comparisons.isEmpty ? comparisons : nil
    }

    private struct Comparison {
        enum Sign { case equal, unequal, over, under, atLeast, atMost, tilde, caret }

        static let signs: [String: Sign] = [
            "": .equal, "=": .equal, "!=": .unequal, ">": .over, "<": .under, ">=": .atLeast, "=>": .atLeast,
            "<=": .atMost,
            "=<": .atMost, "~": .tilde, "~>": .tilde, "^": .caret
        ]

        let sign: Sign
        let bound: Version

        func accepts(_ version: Version) -> Bool {
            if !version.prerelease.isEmpty, bound.prerelease.isEmpty { return false }
            let isWithin = version.isWithin(bound)
            return switch sign {
            case .equal: isWithin
            case .unequal: !isWithin
            case .over: bound < version && !isWithin
            case .under: version < bound
            case .atLeast: !(version < bound)
            case .atMost: version < bound || isWithin
            case .tilde:
                !(version < bound) && (bound.given < 1 || version.major == bound.major)
                    && (bound.given < 2 || version.minor == bound.minor)
            case .caret: !(version < bound) && isCompatible(version)
            }
        }

        /// The leftmost part that is not nought stays.
        private func isCompatible(_ version: Version) -> Bool {
            if bound.given < 1 { return true }
            if version.major != bound.major { return false }
            if bound.major > 0 || bound.given < 2 { return true }
            if version.minor != bound.minor { return false }
            return bound.minor > 0 || bound.given < 3 || version.patch == bound.patch
        }
    }

    /// A version of which parts may be missing. Semantic Versioning 2.0.0, section 11, orders them.
    struct Version {
        var major: UInt64 = 0
        var minor: UInt64 = 0
        var patch: UInt64 = 0
        var prerelease: [Substring] = []
        /// How many of the three numbers are given.
        var given = 0
        var hasWildcard = false

        init?(partial text: Substring) {
            var text = text
            if text.first == "v" { text.removeFirst() }
            if let plus = text.firstIndex(of: "+") { text = text[..<plus] }
            if let hyphen = text.firstIndex(of: "-") {
                prerelease = text[text.index(after: hyphen)...].split(separator: ".", omittingEmptySubsequences: false)
                guard
                    prerelease.allSatisfy({ part in
                        !part.isEmpty
                            && part.utf8.allSatisfy {
                                $0 == UInt8(ascii: "-") || Character(Unicode.Scalar($0)).isASCIIAlphanumeric
                            }
                    })
                else { return nil }
                text = text[..<hyphen]
            }
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
            guard (1...3).contains(parts.count) else { return nil }
            var numbers: [UInt64] = []
            for part in parts {
                // `x-ray` is a branch, so an x only stands for a part after a number.
                if part == "*" || (part == "x" || part == "X") && !numbers.isEmpty {
                    hasWildcard = true
                } else {
                    guard !hasWildcard, part.utf8.allSatisfy({ (48...57).contains($0) }), let number = UInt64(part)
                    else { return nil }
                    numbers.append(number)
                }
            }
            given = numbers.count
            numbers += [0, 0, 0]
            (major, minor, patch) = (numbers[0], numbers[1], numbers[2])
        }

        func isWithin(_ bound: Version) -> Bool {
            (bound.given < 1 || major == bound.major) && (bound.given < 2 || minor == bound.minor)
                && (bound.given < 3 || patch == bound.patch && (prerelease == bound.prerelease))
        }

        static func < (left: Version, right: Version) -> Bool {
            let (a, b) = ((left.major, left.minor, left.patch), (right.major, right.minor, right.patch))
            if a != b { return a < b }
            if left.prerelease.isEmpty || right.prerelease.isEmpty {
                return !left.prerelease.isEmpty && right.prerelease.isEmpty
            }
            for (one, other) in zip(left.prerelease, right.prerelease) where one != other {
                switch (UInt64(one), UInt64(other)) {
                case (let one?, let other?): return one < other
                case (_?, nil): return true
                case (nil, _?): return false
                case (nil, nil): return one.utf8.lexicographicallyPrecedes(other.utf8)
                }
            }
            return left.prerelease.count < right.prerelease.count
        }
    }
}

extension Character {
    fileprivate var isASCIIAlphanumeric: Bool { isASCII && (isLetter || isNumber) }
}
