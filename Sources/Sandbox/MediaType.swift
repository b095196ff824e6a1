import Shiplog

/// In which form an answer is wanted.
enum ResponseForm: Sendable, Hashable {
    enum Rows: Sendable, Hashable { case none, metadata, object }

    case whole
    case table(Rows)
    /// Metadata only.
    case partial
    /// Aggregated discovery, in that version of its group.
    case discovery(version: String)
}

/// Reads `Accept`: the first form in it that the sandbox can give.
struct Negotiation: Sendable, Hashable {
    var form: ResponseForm
    var isYAML: Bool

    /// nil when nothing in it can be given: 406.
    init?(accept: String, includeObject: String?, allowsTable: Bool = true) {
        let ranges = accept.isEmpty ? ["*/*"] : accept.split(separator: ",").map(String.init)
        for range in ranges.prefix(32) {
            let parts = range.split(separator: ";").map { $0.trimmed.lowercased() }
            guard let type = parts.first else { continue }
            let isYAML = type == "application/yaml"
            guard isYAML || ["application/json", "*/*", "application/*"].contains(type) else { continue }
            var parameters: [String: String] = [:]
            for parameter in parts.dropFirst() {
                let pair = parameter.split(separator: "=", maxSplits: 1).map(String.init)
                if pair.count == 2 { parameters[pair[0]] = pair[1] }
            }
            let group = parameters["g"] ?? ""
            switch parameters["as"] {
            case nil: self.init(form: .whole, isYAML: isYAML)
            case "table" where group == "meta.k8s.io" && parameters["v"] == "v1" && allowsTable:
                let rows: ResponseForm.Rows =
                    switch includeObject {
                    case "None": .none
                    case "Object": .object
                    default: .metadata
                    }
                self.init(form: .table(rows), isYAML: isYAML)
            case "partialobjectmetadata" where group == "meta.k8s.io" && parameters["v"] == "v1",
                "partialobjectmetadatalist" where group == "meta.k8s.io" && parameters["v"] == "v1":
                self.init(form: .partial, isYAML: isYAML)
            case "apigroupdiscoverylist" where ["v2", "v2beta1"].contains(parameters["v"] ?? ""):
                self.init(form: .discovery(version: parameters["v"] ?? "v2"), isYAML: isYAML)
            default: continue
            }
            return
        }
        return nil
    }

    private init(form: ResponseForm, isYAML: Bool) {
        self.form = form
        self.isYAML = isYAML
    }
}

extension StringProtocol {
    var trimmed: String {
        String(drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}

/// Gives objects the form that was asked for.
struct Presentation: Sendable {
    let kind: Kind
    let form: ResponseForm
    let now: Timestamp

    /// An object in the version asked for.
    func whole(_ object: JSON) -> JSON {
        guard object["apiVersion"]?.string != kind.apiVersion else { return object }
        var copy = object
        copy["apiVersion"] = .string(kind.apiVersion)
        return copy
    }

    private func partial(_ object: JSON) -> JSON {
        [
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"] ?? [:]
        ]
    }

    func one(_ object: JSON) -> JSON {
        switch form {
        case .whole, .discovery: whole(object)
        case .partial: partial(object)
        case .table(let rows): table([object], rows, metadata: listMetadata(of: object))
        }
    }

    private func listMetadata(of object: JSON) -> [String: JSON] {
        ["resourceVersion": object.at("metadata", "resourceVersion") ?? ""]
    }

    func list(_ objects: [JSON], metadata: [String: JSON]) -> JSON {
        switch form {
        case .whole, .discovery:
            // Elements of built-in lists carry neither apiVersion nor kind, as the API server has it.
            let items = objects.map { object -> JSON in
                if kind.isCustom { return whole(object) }
                var copy = object
                copy["apiVersion"] = nil
                copy["kind"] = nil
                return copy
            }
            return [
                "apiVersion": .string(kind.apiVersion), "kind": .string(kind.listKind), "metadata": .object(metadata),
                "items": .array(items)
            ]
        case .partial:
            let items = objects.map { object -> JSON in ["metadata": object["metadata"] ?? [:]] }
            return [
                "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": .object(metadata),
                "items": .array(items)
            ]
        case .table(let rows): return table(objects, rows, metadata: metadata)
        }
    }

    private func table(_ objects: [JSON], _ rows: ResponseForm.Rows, metadata: [String: JSON]) -> JSON {
        let columns = TableColumns.columns(for: kind)
        return [
            "apiVersion": "meta.k8s.io/v1", "kind": "Table", "metadata": .object(metadata),
            "columnDefinitions": .array(columns.map(\.definition)),
            "rows": .array(
                objects.map { object in
                    var row: [String: JSON] = ["cells": .array(columns.map { $0.cell(object, now) })]
                    switch rows {
                    case .none: break
                    case .metadata: row["object"] = partial(object)
                    case .object: row["object"] = whole(object)
                    }
                    return .object(row)
                })
        ]
    }
}
