/// Argo CD's `Application`, field by field: what this version reads, keeps and refuses.
enum ApplicationFields {
    private static func unsupported(_ what: String, unlessEmpty: Bool = false) -> Field {
        .refused("is not supported yet: \(what)", unlessEmpty: unlessEmpty)
    }

    static let document = Field.map([
        "apiVersion": .string,
        "kind": .string,
        "metadata": metadata,
        "spec": spec,
        // Argo CD's own state; Shiplog keeps its own.
        "status": .ignored,
        "operation": .warned("ask for a sync with `shiplog app sync`")
    ])

    static let metadata = Field.map([
        "name": .string,
        "namespace": .string,
        "labels": .stringMap,
        "annotations": .stringMap,
        "finalizers": .strings,
        "generateName": .refused("cannot name an application: its history needs a name that stays", unlessEmpty: true),
        // An exported Application brings these along.
        "creationTimestamp": .ignored,
        "deletionGracePeriodSeconds": .ignored,
        "deletionTimestamp": .ignored,
        "generation": .ignored,
        "managedFields": .ignored,
        "ownerReferences": .warned("an application here has no owner that takes it along"),
        "resourceVersion": .ignored,
        "selfLink": .ignored,
        "uid": .ignored
    ])

    static let spec = Field.map([
        "project": .string,
        "source": source,
        "sources": unsupported("an application has one source", unlessEmpty: true),
        "sourceHydrator": unsupported("commit the rendered manifests and point source at them"),
        "destination": .map(["server": .string, "name": .string, "namespace": .string]),
        "syncPolicy": syncPolicy,
        "ignoreDifferences": IgnoreRuleReader.field,
        "info": .warned("it is shown as it stands"),
        "revisionHistoryLimit": .warned("the ledger keeps every revision"),
        "webhook": .map(["gitlab": .list(.map(["url": .string, "secret": .string]))])
    ])

    static let source = Field.map([
        "repoURL": .string,
        "path": .string,
        "targetRevision": .string,
        "directory": .map([
            "recurse": .bool,
            "include": .string,
            "exclude": .string,
            "jsonnet": unsupported("Jsonnet is not rendered", unlessEmpty: true)
        ]),
        "name": .warned("an application has one source"),
        "chart": unsupported("Helm charts are not rendered", unlessEmpty: true),
        "helm": unsupported("Helm charts are not rendered"),
        "kustomize": unsupported("Kustomize is not run"),
        "plugin": unsupported("plugins are not run"),
        "ref": unsupported("an application has one source", unlessEmpty: true),
        "tagPrefix": unsupported("name the tag in targetRevision", unlessEmpty: true)
    ])

    static let syncPolicy = Field.map([
        "automated": .map(["enabled": .bool, "prune": .bool, "selfHeal": .bool, "allowEmpty": .bool]),
        "syncOptions": .strings,
        "retry": .map([
            "limit": .integer,
            "refresh": .warned("a retry applies the commit of its first attempt"),
            "backoff": .map(["duration": .duration, "factor": .integer, "maxDuration": .duration])
        ]),
        "managedNamespaceMetadata": .map(["labels": .stringMap, "annotations": .stringMap])
    ])
}
