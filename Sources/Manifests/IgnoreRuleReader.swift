public import Shiplog

/// `ignoreDifferences`, of an Application and of the configuration.
enum IgnoreRuleReader {
    static let field = Field.list(
        .map([
            "group": .string,
            "kind": .string,
            "name": .string,
            "namespace": .string,
            "jsonPointers": .strings,
            "jqPathExpressions": .strings,
            "managedFieldsManagers": .strings
        ]))

    /// More entries, or more pointers and expressions in one, are nothing that people write.
    static let maximum = 256

    /// - Parameter unsupported: the code for what jq knows and is not understood here.
    static func read(
        _ list: JSON?, _ path: [String], _ check: FieldCheck, unsupported: Failure.Code
    ) throws(Failure) -> (rules: [IgnoreRule], warnings: [String]) {
        let entries = list?.array ?? []
        guard entries.count <= maximum else { throw check.invalid(path, "has more than \(maximum) entries") }
        var rules: [IgnoreRule] = []
        var warnings: [String] = []
        for (index, entry) in entries.enumerated() {
            let place = path + [String(index)]
            for name in ["jsonPointers", "jqPathExpressions", "managedFieldsManagers"]
            where (entry[name]?.array?.count ?? 0) > maximum {
                throw check.invalid(place + [name], "has more than \(maximum) entries")
            }
            do throws(RuleProblem) {
                let rule = try IgnoreRule(entry)
                if rule.isEmpty {
                    warnings.append(
                        check.place(place) + FieldCheck.name(place)
                            + " ignores nothing: it has no jsonPointers, jqPathExpressions and managedFieldsManagers")
                }
                rules.append(rule)
            } catch {
                throw check.failure(
                    error.isUnsupported ? unsupported : check.codes.invalid, place + error.path, error.message,
                    remedy: error.isUnsupported
                        ? "write it with steps, [] and select(…), as docs/difference.md says, or as a JSON pointer"
                        : nil)
            }
        }
        return (rules, warnings)
    }
}

/// Entries of `ignoreDifferences` in a file of their own, for trying them out.
public enum IgnoreRules {
    /// A list of entries, or a document that has one: a map with `ignoreDifferences`, an Application.
    ///
    /// - Throws: what the readers of Applications and of the configuration throw, with file and line.
    public static func read(
        _ bytes: [UInt8], file: String
    ) throws(Failure) -> (rules: [IgnoreRule], warnings: [String]) {
        var rules: [IgnoreRule] = []
        var warnings: [String] = []
        for document in try YAML.read(bytes, file: file) {
            var check = FieldCheck(
                codes: .init(
                    invalid: .applicationInvalid, unknown: "application.unknown-field",
                    unsupported: .applicationUnsupported)
            ) { path in
                "\(file):\(YAML.nearestLine(to: path, inDocument: document.index, of: bytes) ?? document.line): "
            }
            let path: [String] =
                document.json.array != nil
                ? [] : document.json["spec"] != nil ? ["spec", "ignoreDifferences"] : ["ignoreDifferences"]
            let list = path.isEmpty ? document.json : document.json.at(path[...])
            guard let list, !list.isNull else {
                throw check.invalid(path, "is missing", remedy: "give a list of ignoreDifferences entries")
            }
            try check.check(list, IgnoreRuleReader.field, path)
            let read = try IgnoreRuleReader.read(list, path, check, unsupported: check.codes.unsupported)
            rules += read.rules
            warnings += read.warnings
        }
        return (rules, warnings)
    }
}
