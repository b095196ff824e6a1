import Shiplog

/// `health` of the configuration.
enum HealthRuleReader {
    static let field = Field.list(
        .map([
            "group": .string,
            "kind": .string,
            "rules": .list(.map(["when": .string, "status": .string, "message": .string, "messageFrom": .string]))
        ]))

    static let maximumEntries = 256
    static let maximumRules = 64

    static func read(_ list: JSON?, _ path: [String], _ check: FieldCheck) throws(Failure) -> [HealthRule] {
        let entries = list?.array ?? []
        guard entries.count <= maximumEntries else {
            throw check.invalid(path, "has more than \(maximumEntries) entries")
        }
        var rules: [HealthRule] = []
        for (index, entry) in entries.enumerated() {
            let place = path + [String(index)]
            guard (entry["rules"]?.array?.count ?? 0) <= maximumRules else {
                throw check.invalid(place + ["rules"], "has more than \(maximumRules) entries")
            }
            do throws(RuleProblem) {
                rules.append(try HealthRule(entry))
            } catch {
                throw check.invalid(
                    place + error.path, error.message,
                    remedy: error.isUnsupported ? "docs/difference.md says which part of jq is understood" : nil)
            }
        }
        return rules
    }
}
