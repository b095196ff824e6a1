public import Shiplog

/// Values for tests that need some and do not care which.
public enum Samples {
    public static func application(
        _ name: String, project: String = "default", automated: Application.Automated? = nil,
        webhookSecret: String? = nil, server: String = "https://kubernetes.default.svc"
    ) -> Application {
        Application(
            name: name, namespace: "argocd", project: project,
            source: Application.Source(repository: "https://git.example.org/team/\(name).git", path: "manifests"),
            destination: Application.Destination(cluster: .server(server), namespace: name),
            syncPolicy: Application.SyncPolicy(automated: automated),
            webhooks: webhookSecret.map {
                [Application.Webhook(url: "https://cd.example.org/api/webhook", secret: SecretText($0))]
            } ?? [],
            document: ["kind": "Application", "metadata": ["name": .string(name)]])
    }

    public static func commit(_ digit: Character = "a", subject: String = "Change the greeting") throws -> Commit {
        guard let id = CommitID(String(repeating: digit, count: 40)) else {
            throw Failure("test.invalid", "\(digit) is no hexadecimal digit")
        }
        return Commit(
            id: id, tree: String(repeating: "b", count: 40), author: "Ada Lovelace <ada@example.org>",
            authoredAt: Timestamp(milliseconds: 1_795_440_000_000),
            committedAt: Timestamp(milliseconds: 1_795_440_060_000),
            subject: subject, isSigned: false)
    }

    public static func source(_ digit: Character = "a", subject: String = "Change the greeting") throws
        -> RevisionSource
    {
        RevisionSource(
            repository: "https://git.example.org/team/guestbook.git", path: "manifests", targetRevision: "main",
            commit: try commit(digit, subject: subject))
    }

    public static let cluster = ClusterReference(
        name: "in-cluster", server: "https://kubernetes.default.svc", uid: "4ac54a1d-7a4e-4d0a-8d8f-0a5b7f1f2b10")

    public static func configMap(_ name: String, namespace: String = "demo", _ data: [String: String]) throws
        -> Resource
    {
        try Resource([
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": ["name": .string(name), "namespace": .string(namespace)], "data": JSON(data)
        ])
    }

    /// - Parameter data: plain texts; they are written as `stringData`.
    public static func secret(_ name: String, namespace: String = "demo", _ data: [String: String]) throws -> Resource {
        try Resource([
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": ["name": .string(name), "namespace": .string(namespace)], "stringData": JSON(data)
        ])
    }

    /// A reconcile of an application, at a time.
    public static func reconcile(
        _ application: ApplicationReference, at time: Timestamp, sameAs: SequenceNumber? = nil
    ) -> Revision {
        Revision(
            kind: .reconcile, application: application, cause: .poll, actor: .controller, outcome: .succeeded,
            syncStatus: .synced, health: .healthy, startedAt: time, finishedAt: time, sameAs: sameAs)
    }

    /// What a person is about to do.
    public static func intent(
        _ application: ApplicationReference, _ resources: [Resource], at time: Timestamp, kind: Revision.Kind = .sync,
        commit digit: Character = "a"
    ) throws -> Intent {
        Intent(
            kind: kind, application: application, cluster: cluster, cause: .manual,
            actor: Actor(name: "ada", means: .token, tokenID: "abc", address: "192.0.2.7", requestID: "r-1"),
            reason: "because", source: try source(digit), inputs: "inputs-\(digit)", resources: resources,
            startedAt: time)
    }

    /// The end of an attempt in which every resource was created.
    public static func success(of attempt: Attempt, at time: Timestamp) -> Revision {
        let intent = attempt.intent
        var counts = Revision.Counts()
        counts.created = intent.resources.count
        return Revision(
            kind: intent.kind, application: intent.application, cluster: intent.cluster, cause: intent.cause,
            actor: intent.actor, reason: intent.reason, source: intent.source, desired: attempt.desired,
            resources: intent.resources.map {
                ResourceOutcome(key: $0.key, apiVersion: $0.gvk.apiVersion, action: .created)
            }, counts: counts, options: intent.options, outcome: .succeeded, syncStatus: .synced,
            health: .progressing, rolledBackTo: intent.rolledBackTo, attempt: attempt.sequence,
            startedAt: intent.startedAt, finishedAt: time, inputs: intent.inputs)
    }
}
