/// Argo CD's `AppProject`, field by field: what this version reads, keeps and refuses.
enum ProjectFields {
    private static let namespacedKind = Field.map(["group": .string, "kind": .string])
    private static let clusterKind = Field.map(["group": .string, "kind": .string, "name": .string])

    static let document = Field.map([
        "apiVersion": .string,
        "kind": .string,
        "metadata": metadata,
        "spec": spec,
        // Tokens of Argo CD's own.
        "status": .ignored
    ])

    static let metadata = Field.map([
        "name": .string,
        "namespace": .string,
        "labels": .stringMap,
        "annotations": .stringMap,
        "finalizers": .warned("a project that applications name is not deleted"),
        "creationTimestamp": .ignored,
        "deletionGracePeriodSeconds": .ignored,
        "deletionTimestamp": .ignored,
        "generation": .ignored,
        "managedFields": .ignored,
        "ownerReferences": .warned("a project here has no owner that takes it along"),
        "resourceVersion": .ignored,
        "selfLink": .ignored,
        "uid": .ignored
    ])

    static let spec = Field.map([
        "description": .string,
        "sourceRepos": .strings,
        "sourceNamespaces": .warned("applications are registered by name; where their documents lie decides nothing"),
        "destinations": .list(.map(["server": .string, "name": .string, "namespace": .string])),
        "clusterResourceWhitelist": .list(clusterKind),
        "clusterResourceBlacklist": .list(clusterKind),
        "namespaceResourceWhitelist": .list(namespacedKind),
        "namespaceResourceBlacklist": .list(namespacedKind),
        "syncWindows": .list(window),
        "orphanedResources": .map([
            "warn": .bool,
            "ignore": .list(.map(["group": .string, "kind": .string, "name": .string]))
        ]),
        "roles": .warned("who may do what is said by Shiplog's tokens and their globs"),
        "signatureKeys": .refused("is not supported yet: signatures of commits are not demanded", unlessEmpty: true),
        "sourceIntegrity": .refused("is not supported yet: signatures of commits are not demanded", unlessEmpty: true),
        "permitOnlyProjectScopedClusters": .refused(
            "is not supported: clusters belong to no project; list them under destinations", unlessEmpty: true),
        "destinationServiceAccounts": .refused(
            "is not supported yet: every write is made as the cluster's configured user", unlessEmpty: true)
    ])

    static let window = Field.map([
        "kind": .string,
        "schedule": .string,
        "duration": .string,
        "applications": .strings,
        "namespaces": .strings,
        "clusters": .strings,
        "manualSync": .bool,
        "syncOverrun": .bool,
        "timeZone": .string,
        "andOperator": .bool,
        "description": .string
    ])
}
