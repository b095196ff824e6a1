import Shiplog

/// What a watch delivers.
enum WatchItem: Sendable {
    case event(Change.Verb, JSON)
    case bookmark(version: Int64, endsInitialEvents: Bool)
}

/// What a watch is interested in.
struct WatchFilter: Sendable {
    let kind: Kind
    let namespace: String?
    let labels: LabelSelector
    let fields: FieldSelector

    init(_ request: APIRequest, _ target: APIRequest.Target) throws(StatusError) {
        kind = target.kind
        namespace = target.namespace
        labels = try LabelSelector(parsing: request.query["labelSelector"] ?? "")
        let text = request.query["fieldSelector"] ?? ""
        var terms = text.isEmpty ? [] : [text]
        // `watch=true` on one object's path is a watch of that name.
        if let name = target.name { terms.append("metadata.name=" + name) }
        fields = try FieldSelector(parsing: terms.joined(separator: ","), target.kind)
    }

    private func selects(_ object: JSON) -> Bool { labels.matches(object) && fields.matches(object) }

    /// What a change means here: an object that stops matching is gone, one that starts to is new.
    func item(for change: Change) -> WatchItem? {
        guard change.key.resource == kind.resource, namespace == nil || namespace == change.key.namespace else {
            return nil
        }
        let was = change.previous.map(selects) ?? false
        switch change.verb {
        case .deleted: return was ? .event(.deleted, change.object) : nil
        case .added, .modified:
            if selects(change.object) { return .event(was ? .modified : .added, change.object) }
            guard was, var gone = change.previous else { return nil }
            gone.set(.string(String(change.version)), at: ["metadata", "resourceVersion"])
            return .event(.deleted, gone)
        }
    }

    /// The objects that are there now.
    func present(in state: borrowing ClusterState) -> [JSON] {
        state.objects(kind.resource, namespace: namespace).map(\.object).filter(selects)
    }
}

/// A watch that has begun: what came first, and what follows.
struct WatchSession: Sendable {
    let id: Int
    let presentation: Presentation
    let first: [WatchItem]
    let following: AsyncStream<WatchItem>
    let sendsBookmarks: Bool
    /// When the server ends it.
    let seconds: Int64
}

extension ClusterState {
    /// The events that a new watch starts with.
    func beginning(
        of request: APIRequest, _ filter: WatchFilter
    ) throws(StatusError) -> [WatchItem] {
        let wanted = request.query["resourceVersion"] ?? ""
        let wantsInitial = request.query["sendInitialEvents"]
        if wanted.isEmpty || wanted == "0" || wantsInitial == "true" {
            guard wantsInitial != "false" else { return [] }
            var items = filter.present(in: self).map { WatchItem.event(.added, $0) }
            if wantsInitial == "true", request.isTrue("allowWatchBookmarks") {
                items.append(.bookmark(version: version, endsInitialEvents: true))
            }
            return items
        }
        guard let start = Int64(wanted) else { throw .badRequest("invalid resource version: \(wanted.prefix(50))") }
        guard start <= version else {
            var error = StatusError(504, "Timeout", "Too large resource version: \(start), current: \(version)")
            error.retryAfterSeconds = 1
            throw error
        }
        guard let changes = window.after(start) else {
            throw .expired("too old resource version: \(start) (\(window.oldest))")
        }
        return changes.compactMap(filter.item)
    }
}

extension Presentation {
    /// One line of a watch's body.
    func line(_ item: WatchItem) -> [UInt8] {
        let value: JSON
        switch item {
        case .event(let verb, let object):
            value = ["type": .string(verb.rawValue), "object": one(object)]
        case .bookmark(let version, let ends):
            var metadata: [String: JSON] = [
                "resourceVersion": .string(String(version)), "creationTimestamp": .null
            ]
            if ends { metadata["annotations"] = ["k8s.io/initial-events-end": "true"] }
            let object: JSON =
                switch form {
                case .table:
                    // A table without rows would lose the annotation, which the row's object carries.
                    [
                        "apiVersion": "meta.k8s.io/v1", "kind": "Table",
                        "metadata": ["resourceVersion": .string(String(version))], "columnDefinitions": [],
                        "rows": [
                            [
                                "cells": [],
                                "object": [
                                    "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
                                    "metadata": .object(metadata)
                                ]
                            ]
                        ]
                    ]
                case .partial:
                    [
                        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
                        "metadata": .object(metadata)
                    ]
                default:
                    [
                        "apiVersion": .string(kind.apiVersion), "kind": .string(kind.kind),
                        "metadata": .object(metadata)
                    ]
                }
            value = ["type": "BOOKMARK", "object": object]
        }
        return value.canonicalBytes + [UInt8(ascii: "\n")]
    }
}
