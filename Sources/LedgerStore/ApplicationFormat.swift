import Shiplog

/// How an application's specification is kept: canonical JSON whose webhook secrets are keyed digests, the secrets
/// themselves sealed under the document's own digest.
struct ApplicationFormat: Sendable {
    let redactor: Redactor

    struct Prepared: Sendable {
        let text: String
        let digest: [UInt8]
        let values: [Redactor.Value]
    }

    func prepare(_ application: Application) throws(Failure) -> Prepared {
        var values: [Redactor.Value] = []
        var webhooks: [JSON] = []
        for (index, webhook) in application.webhooks.enumerated() {
            let path = Self.path(index)
            let secret = JSON.string(webhook.secret.revealed)
            values.append(Redactor.Value(path: path, bytes: secret.canonicalBytes))
            let place = "Application " + application.name
            webhooks.append([
                "secret": .string(redactor.mark(place: place, path: path, secret)), "url": .string(webhook.url)
            ])
        }
        let bytes = Self.document(application, webhooks).canonicalBytes
        return Prepared(
            text: String(decoding: bytes, as: UTF8.self), digest: Hashing.sha256(bytes), values: values)
    }

    /// A stored specification as people wrote it: the document itself, webhook secrets as their keyed digests.
    static func readable(_ specification: JSON) -> JSON {
        var document = specification["document"] ?? .object([:])
        if let webhooks = specification["webhooks"] { document.set(webhooks, at: ["spec", "webhook", "gitlab"]) }
        return document
    }

    private static func path(_ index: Int) -> String { "/webhooks/\(index)/secret" }

    private static func document(_ application: Application, _ webhooks: [JSON]) -> JSON {
        let policy = application.syncPolicy
        let cluster: (String, String) =
            switch application.destination.cluster {
            case .server(let address): ("server", address)
            case .name(let name): ("name", name)
            }
        return .members([
            "annotations": application.annotations.isEmpty ? nil : JSON(application.annotations),
            "automated": policy.automated.map { automated in
                [
                    "allowEmpty": .bool(automated.allowEmpty), "prune": .bool(automated.prune),
                    "selfHeal": .bool(automated.selfHeal)
                ]
            },
            "destination": [cluster.0: .string(cluster.1), "namespace": .string(application.destination.namespace)],
            "document": application.document,
            "finalizers": application.finalizers.isEmpty ? nil : .array(application.finalizers.map { .string($0) }),
            "labels": application.labels.isEmpty ? nil : JSON(application.labels),
            "name": .string(application.name), "namespace": .string(application.namespace),
            "options": [
                "createNamespace": .bool(policy.options.createNamespace),
                "prunePropagation": .string(policy.options.prunePropagation.rawValue),
                "written": .array(policy.options.written.map { .string($0) })
            ],
            "project": .string(application.project),
            "retry": policy.retry.map { retry in
                [
                    "factor": EntryFields.integer(retry.factor),
                    "initial": EntryFields.integer(retry.initialMilliseconds),
                    "limit": .integer(Int64(retry.limit)),
                    "maximum": EntryFields.integer(retry.maximumMilliseconds)
                ]
            },
            "source": [
                "exclude": .string(application.source.directory.exclude),
                "include": .string(application.source.directory.include), "path": .string(application.source.path),
                "recurse": .bool(application.source.directory.recurse),
                "repository": .string(application.source.repository),
                "targetRevision": .string(application.source.targetRevision)
            ],
            "webhooks": webhooks.isEmpty ? nil : .array(webhooks)
        ])
    }

    /// - Parameter secrets: by path; one that is missing was erased, and its webhook is left out: it could not be
    ///   believed anyway.
    static func application(_ text: String, secrets: [String: [UInt8]]) throws(Failure) -> Application {
        let json = try EntryDecoder.parse(Array(text.utf8))
        let fields = Fields(json, "application")
        let source = Fields(try fields.value("source"), "application's source")
        let destination = Fields(try fields.value("destination"), "application's destination")
        let options = Fields(try fields.value("options"), "application's options")
        let cluster: Application.Destination.Cluster
        if let server = destination.json["server"]?.string {
            cluster = .server(server)
        } else {
            cluster = .name(try destination.string("name"))
        }
        var webhooks: [Application.Webhook] = []
        for (index, webhook) in (json["webhooks"]?.array ?? []).enumerated() {
            guard let sealed = secrets[path(index)], let secret = try EntryDecoder.parse(sealed).string else {
                continue
            }
            webhooks.append(
                Application.Webhook(url: webhook["url"]?.string ?? "", secret: SecretText(secret)))
        }
        return Application(
            name: try fields.string("name"), namespace: try fields.string("namespace"),
            labels: json["labels"]?.stringMap ?? [:], annotations: json["annotations"]?.stringMap ?? [:],
            finalizers: (json["finalizers"]?.array ?? []).compactMap(\.string), project: try fields.string("project"),
            source: Application.Source(
                repository: try source.string("repository"), path: try source.string("path"),
                targetRevision: try source.string("targetRevision"),
                directory: Application.Directory(
                    recurse: source.json["recurse"]?.bool ?? false, include: try source.string("include"),
                    exclude: try source.string("exclude"))),
            destination: Application.Destination(cluster: cluster, namespace: try destination.string("namespace")),
            syncPolicy: Application.SyncPolicy(
                automated: json["automated"].map { automated in
                    Application.Automated(
                        prune: automated["prune"]?.bool ?? false, selfHeal: automated["selfHeal"]?.bool ?? false,
                        allowEmpty: automated["allowEmpty"]?.bool ?? false)
                },
                options: Application.SyncOptions(
                    createNamespace: options.json["createNamespace"]?.bool ?? false,
                    prunePropagation: try options.word("prunePropagation"),
                    written: (options.json["written"]?.array ?? []).compactMap(\.string)),
                retry: try json["retry"].map { (retry) throws(Failure) in
                    let fields = Fields(retry, "application's retry")
                    return Application.Retry(
                        limit: Int(try fields.integer("limit")), initialMilliseconds: try fields.integer("initial"),
                        factor: try fields.integer("factor"), maximumMilliseconds: try fields.integer("maximum"))
                }),
            webhooks: webhooks, document: try fields.value("document"))
    }
}
