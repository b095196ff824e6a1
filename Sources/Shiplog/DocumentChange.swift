/// One field of a document that is another than before.
public struct DocumentChange: Sendable, Hashable {
    /// RFC 6901.
    public let path: String
    /// nil when the field was not there.
    public let before: JSON?
    /// nil when the field is no longer there.
    public let after: JSON?

    public init(path: String, before: JSON?, after: JSON?) {
        self.path = path
        self.before = before
        self.after = after
    }

    /// What a document has otherwise than it had, field by field, in order of the paths.
    ///
    /// Maps are compared member by member, down to their leaves where one of the two is missing. Lists of the same length
    /// are compared element by element; of different lengths they are one field, for nothing says which element is which.
    public static func between(_ before: JSON?, _ after: JSON?) -> [DocumentChange] {
        var changes: [DocumentChange] = []
        collect(before, after, at: "", into: &changes)
        return changes
    }

    private static func collect(_ before: JSON?, _ after: JSON?, at path: String, into changes: inout [DocumentChange])
    {
        if before == after { return }
        let (old, new) = (before?.object, after?.object)
        if let names = names(old, before == nil, new, after == nil), !names.isEmpty {
            for name in names { collect(old?[name], new?[name], at: path + "/" + escaped(name), into: &changes) }
        } else if let old = before?.array, let new = after?.array, old.count == new.count {
            for (index, pair) in zip(old, new).enumerated() {
                collect(pair.0, pair.1, at: path + "/\(index)", into: &changes)
            }
        } else {
            changes.append(DocumentChange(path: path, before: before, after: after))
        }
    }

    /// The members to go on with when both sides are maps, or one is and the other is not there; else nil.
    private static func names(
        _ old: [String: JSON]?, _ oldIsMissing: Bool, _ new: [String: JSON]?, _ newIsMissing: Bool
    ) -> [String]? {
        guard old != nil || oldIsMissing, new != nil || newIsMissing else { return nil }
        return Set(old?.keys.map(\.self) ?? []).union(new?.keys.map(\.self) ?? []).sorted()
    }

    private static func escaped(_ name: String) -> String {
        guard name.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return name }
        return String(name.flatMap { $0 == "~" ? Array("~0") : $0 == "/" ? Array("~1") : [$0] })
    }

    /// As the API and an event's body write it.
    public var json: JSON { .members(["path": .string(path), "before": before, "after": after]) }
}
