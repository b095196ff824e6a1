/// Kubernetes' label selector as people write it: `app=web,tier!=cache,env in (prod, stage),!legacy`.
public struct LabelSelector: Sendable, Hashable {
    public enum Condition: Sendable, Hashable {
        case isIn(String, [String])
        /// Also true where the label is missing, as in Kubernetes.
        case isNotIn(String, [String])
        case exists(String)
        case isMissing(String)
    }

    public let conditions: [Condition]

    /// nil unless the text is such a selector of 1 to 50 conditions.
    public init?(_ text: String) {
        guard text.utf8.count <= 2000 else { return nil }
        var conditions: [Condition] = []
        for part in Self.parts(of: text) {
            guard let condition = Self.condition(part), conditions.count < 50 else { return nil }
            conditions.append(condition)
        }
        guard !conditions.isEmpty else { return nil }
        self.conditions = conditions
    }

    public func matches(_ labels: [String: String]) -> Bool {
        conditions.allSatisfy { condition in
            switch condition {
            case .isIn(let key, let values): labels[key].map(values.contains) ?? false
            case .isNotIn(let key, let values): !(labels[key].map(values.contains) ?? false)
            case .exists(let key): labels[key] != nil
            case .isMissing(let key): labels[key] == nil
            }
        }
    }

    /// At commas outside of parentheses.
    private static func parts(of text: String) -> [String] {
        var parts = [""]
        var depth = 0
        for character in text {
            switch character {
            case "(": depth += 1
            case ")": depth -= 1
            case "," where depth == 0:
                parts.append("")
                continue
            default: break
            }
            parts[parts.count - 1].append(character)
        }
        return parts.map(trimmed)
    }

    private static func condition(_ part: String) -> Condition? {
        if part.hasPrefix("!") {
            let key = trimmed(String(part.dropFirst()))
            return isWord(key) && !key.contains("=") ? .isMissing(key) : nil
        }
        if part.hasSuffix(")"), let open = part.firstIndex(of: "(") {
            let words = part[..<open].split(separator: " ").map(String.init)
            let values = part[part.index(after: open)...].dropLast().split(
                separator: ",", omittingEmptySubsequences: false
            ).map { trimmed(String($0)) }
            guard words.count == 2, isWord(words[0]), values.allSatisfy(isValue) else { return nil }
            switch words[1] {
            case "in": return .isIn(words[0], values)
            case "notin": return .isNotIn(words[0], values)
            default: return nil
            }
        }
        for (sign, isNegative) in [("!=", true), ("==", false), ("=", false)] {
            guard let range = part.firstRange(of: sign) else { continue }
            let (key, value) = (
                trimmed(String(part[..<range.lowerBound])), trimmed(String(part[range.upperBound...]))
            )
            guard isWord(key), isValue(value) else { return nil }
            return isNegative ? .isNotIn(key, [value]) : .isIn(key, [value])
        }
        return isWord(part) ? .exists(part) : nil
    }

    private static func isWord(_ text: String) -> Bool { !text.isEmpty && isValue(text) }

    private static func isValue(_ text: String) -> Bool {
        text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x2F, 0x5F: true
            default: false
            }
        }
    }

    private static func trimmed(_ text: String) -> String {
        let rest = text.drop { $0 == " " }
        return String(rest.reversed().drop { $0 == " " }.reversed())
    }
}
