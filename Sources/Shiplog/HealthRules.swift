/// How well objects of some kinds are, by the server's configuration: the first rule whose condition holds says it.
public struct HealthRule: Sendable, Hashable {
    public struct Case: Sendable, Hashable {
        /// nil holds always.
        public let when: QueryCondition?
        public let status: HealthStatus
        public let message: String?
        /// Where in the object the message is; `message` stands in where there is none.
        public let messageFrom: PathQuery?
    }

    public let group: Glob
    public let kind: Glob
    public let cases: [Case]

    /// What a rule may say: an object that is not there is nothing a rule could look at.
    public static let statuses: [HealthStatus] = [.healthy, .progressing, .degraded, .suspended, .unknown]

    /// Reads an entry whose members have been checked to be of the right types.
    public init(_ json: JSON) throws(RuleProblem) {
        group = try IgnoreRule.glob(json["group"]?.string ?? "", "group")
        guard let kind = json["kind"]?.string, !kind.isEmpty else {
            throw RuleProblem(path: ["kind"], message: "is missing", isUnsupported: false)
        }
        self.kind = try IgnoreRule.glob(kind, "kind")
        guard let rules = json["rules"]?.array, !rules.isEmpty else {
            throw RuleProblem(path: ["rules"], message: "is missing", isUnsupported: false)
        }
        var cases: [Case] = []
        for (index, rule) in rules.enumerated() {
            if let last = cases.last, last.when == nil {
                throw RuleProblem(
                    path: ["rules", String(index)], message: "never counts: the one before holds always",
                    isUnsupported: false)
            }
            cases.append(try Self.read(rule, ["rules", String(index)]))
        }
        self.cases = cases
    }

    private static func read(_ json: JSON, _ path: [String]) throws(RuleProblem) -> Case {
        guard let word = json["status"]?.string, let status = statuses.first(where: { $0.rawValue == word }) else {
            throw RuleProblem(
                path: path + ["status"],
                message: "must be one of " + statuses.map(\.rawValue).joined(separator: ", "), isUnsupported: false)
        }
        return Case(
            when: try expression(json, "when", path) { text throws(QueryError) in try QueryCondition(text) },
            status: status, message: json["message"]?.string,
            messageFrom: try expression(json, "messageFrom", path) { text throws(QueryError) in try PathQuery(text) })
    }

    private static func expression<Value>(
        _ json: JSON, _ name: String, _ path: [String], _ read: (String) throws(QueryError) -> Value
    ) throws(RuleProblem) -> Value? {
        guard let text = json[name]?.string else { return nil }
        do throws(QueryError) {
            return try read(text)
        } catch {
            throw RuleProblem(
                path: path + [name], message: "(\(JSON.string(text).canonicalString)): \(error.message)",
                isUnsupported: error.isOutside)
        }
    }

    func assess(_ live: Resource) -> HealthAssessment {
        for rule in cases {
            if let condition = rule.when {
                guard let holds = condition.holds(in: live.object) else {
                    return HealthAssessment(.unknown, "a health rule of the configuration looks at too much of it")
                }
                guard holds else { continue }
            }
            let found = rule.messageFrom?.values(in: live.object).lazy.compactMap(\.string).first { !$0.isEmpty }
            return HealthAssessment(rule.status, found ?? rule.message)
        }
        return HealthAssessment(.progressing, "no health rule of the configuration holds yet")
    }
}

/// The server's health rules. Of those that fit an object the first counts.
public struct HealthRules: Sendable, Hashable {
    public var rules: [HealthRule]

    public static let none = HealthRules([])

    public init(_ rules: [HealthRule]) { self.rules = rules }

    func rule(for gvk: GroupVersionKind) -> HealthRule? {
        rules.first { $0.kind.matches(gvk.kind) && $0.group.matches(gvk.group) }
    }
}
