import Shiplog

extension BodyFields {
    /// Resources by group, kind, namespace and name, as Argo CD's sync request names them.
    func selectors(_ name: String, limit: Int = 50) throws(Problem) -> [ResourceSelector] {
        guard let value = value(name) else { return [] }
        guard let elements = value.array, !elements.isEmpty, elements.count <= limit else {
            throw wrong(name, "must be a list of 1 to \(limit) resources")
        }
        var result: [ResourceSelector] = []
        for (index, element) in elements.enumerated() {
            let fields = BodyFields(element, at: pointer + "/" + name + "/\(index)")
            try fields.allow(["group", "kind", "namespace", "name"])
            guard let kind = try fields.string("kind", limit: 63) else { throw fields.wrong("kind", "is wanted") }
            guard let resource = try fields.string("name", limit: 253) else { throw fields.wrong("name", "is wanted") }
            // An empty group is the core's; an empty namespace says nothing, as with Argo CD.
            let group = element["group"]?.string == "" ? "" : try fields.string("group", limit: 253)
            result.append(
                ResourceSelector(
                    group: group, kind: kind, namespace: try fields.string("namespace", limit: 63), name: resource))
        }
        return result
    }
}
