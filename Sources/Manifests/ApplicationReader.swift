public import Shiplog

/// Reads Argo CD's `Application` (`argoproj.io/v1alpha1`) unchanged.
///
/// Nothing is dropped in silence: a field that would change what is applied and is not supported yet is refused by
/// its name, a harmless one is kept in `document` and warned about, an unknown one is refused with the name it may
/// have been meant to be.
public enum ApplicationReader {
    /// One document.
    /// - Parameters:
    ///   - place: turns a path of names into the place that a message quotes, such as `apps.yaml:7: `.
    /// - Throws: `application.invalid`, `application.unsupported`, `application.unknown-field`.
    public static func read(
        _ json: JSON, place: @escaping ([String]) -> String = { _ in "" }
    ) throws(Failure) -> (application: Application, warnings: [String]) {
        var check = FieldCheck(
            codes: .init(
                invalid: .applicationInvalid, unknown: "application.unknown-field",
                unsupported: .applicationUnsupported), place: place)
        guard json.object != nil else { throw check.invalid([], "an Application must be a map, not \(json.typeName)") }
        try refuseOtherKinds(json, check)
        try check.check(json, ApplicationFields.document)
        var reading = Reading(json: json, check: check)
        let application = try reading.application()
        return (application, check.warnings + reading.warnings)
    }

    /// All Applications of a YAML stream, or of a JSON one when the file's name says so.
    /// - Throws: what the other `read` and `YAML.read` throw, with file and line.
    public static func read(
        _ bytes: [UInt8], file: String
    ) throws(Failure) -> [(application: Application, warnings: [String])] {
        try DocumentStream.read(bytes, file: file) { (json, place) throws(Failure) in try read(json, place: place) }
    }

    private static func refuseOtherKinds(_ json: JSON, _ check: FieldCheck) throws(Failure) {
        let (apiVersion, kind) = (json["apiVersion"]?.string ?? "", json["kind"]?.string ?? "")
        if kind == "ApplicationSet" || kind == "AppProject" {
            throw check.failure(
                check.codes.unsupported, ["kind"], "is \(kind), which is not supported yet",
                remedy: "write Applications")
        }
        guard kind == "Application" else { throw check.invalid(["kind"], "must be Application") }
        guard apiVersion == "argoproj.io/v1alpha1" else {
            throw check.invalid(["apiVersion"], "must be argoproj.io/v1alpha1")
        }
    }
}

extension Failure.Code {
    /// An Application, or a part of it, that cannot be meant.
    public static let applicationInvalid: Self = "application.invalid"
    /// A field of Argo CD's that would change what is applied and that this version does not act on.
    public static let applicationUnsupported: Self = "application.unsupported"
}

/// Takes the values out of a document whose fields and types have been checked.
private struct Reading {
    let json: JSON
    let check: FieldCheck
    var warnings: [String] = []

    init(json: JSON, check: FieldCheck) {
        self.json = json
        self.check = check
    }

    mutating func application() throws(Failure) -> Application {
        let annotations = json.at("metadata", "annotations")?.stringMap ?? [:]
        for name in annotations.keys.sorted() where name.hasPrefix("notifications.argoproj.io/") {
            warnings.append(
                "the annotation \(name) is kept without effect: the server's configuration says who is told")
        }
        // It would be looked at and synced although somebody said that it must not be.
        if annotations["argocd.argoproj.io/skip-reconcile"] == "true" {
            throw check.failure(
                check.codes.unsupported, ["metadata", "annotations", "argocd.argoproj.io/skip-reconcile"],
                "is \"true\", which is not supported yet", remedy: "remove it, and leave out syncPolicy.automated")
        }
        // Among a parent's manifests it has a wave and options as any object there, and its finalizer counts.
        let isChild = annotations[Ownership.annotation] != nil
        let ofObjects = ["sync-wave", "sync-options", "compare-options"].map { "argocd.argoproj.io/" + $0 }
        for name in annotations.keys.sorted()
        where name.hasPrefix("argocd.argoproj.io/") && !(isChild && ofObjects.contains(name)) {
            warnings.append("the annotation \(name) is kept without effect")
        }
        warnings += try IgnoreRuleReader.read(
            json.at("spec", "ignoreDifferences"), ["spec", "ignoreDifferences"], check,
            unsupported: check.codes.unsupported
        ).warnings
        try checkRollback(annotations)
        try checkInformation()
        let finalizers = strings("metadata", "finalizers")
        for name in finalizers where !isChild && name.hasPrefix("resources-finalizer.argocd.argoproj.io") {
            warnings.append(
                "the finalizer \(name) counts only among a parent's manifests: "
                    + "`shiplog app delete --cascade` deletes what was deployed")
        }
        return Application(
            name: try name(), namespace: text("metadata", "namespace"),
            labels: json.at("metadata", "labels")?.stringMap ?? [:],
            annotations: annotations.filter { $0.key != Self.lastApplied },
            finalizers: finalizers,
            project: text("spec", "project").isEmpty ? "default" : text("spec", "project"),
            source: try source(), destination: try destination(), syncPolicy: try syncPolicy(),
            webhooks: try webhooks(), document: Self.withoutSecrets(json))
    }

    /// What is asked of Shiplog itself is never taken for something else: nobody would notice before it is needed.
    private func checkRollback(_ annotations: [String: String]) throws(Failure) {
        let path = ["metadata", "annotations"]
        if annotations[AutomaticRollback.annotation] != nil, AutomaticRollback(annotations: annotations) == nil {
            throw check.invalid(
                path + [AutomaticRollback.annotation], "must be a duration from 1s to 168h, such as 10m")
        }
        guard let flag = annotations[AutomaticRollback.degradedAnnotation] else { return }
        guard flag == "true" || flag == "false" else {
            throw check.invalid(path + [AutomaticRollback.degradedAnnotation], "must be \"true\" or \"false\"")
        }
        guard flag == "false" || annotations[AutomaticRollback.annotation] != nil else {
            throw check.invalid(
                path + [AutomaticRollback.degradedAnnotation], "needs \(AutomaticRollback.annotation) beside it")
        }
    }

    private func text(_ path: String...) -> String { json.at(path[...])?.string ?? "" }
    private func flag(_ path: String...) -> Bool { json.at(path[...])?.bool ?? false }
    private func strings(_ path: String...) -> [String] { (json.at(path[...])?.array ?? []).compactMap(\.string) }

    /// A DNS subdomain, as the API server asks of an Application's name.
    private func name() throws(Failure) -> String {
        let name = text("metadata", "name")
        guard !name.isEmpty else { throw check.invalid(["metadata", "name"], "is missing") }
        let isGood =
            name.utf8.count <= 253
            && name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
                !label.isEmpty && label.first != "-" && label.last != "-"
                    && label.utf8.allSatisfy {
                        UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0
                            || $0 == UInt8(ascii: "-")
                    }
            }
        guard isGood else {
            throw check.invalid(
                ["metadata", "name"], "may have small letters, digits, hyphens and dots only, 253 at most",
                remedy: "choose a name such as my-app; each part begins and ends with a letter or a digit")
        }
        return name
    }

    // MARK: Source and destination

    private func source() throws(Failure) -> Application.Source {
        let path = ["spec", "source"]
        guard json.at(path[...])?.object != nil else { throw check.invalid(path, "is missing") }
        let directory = Application.Directory(
            recurse: flag("spec", "source", "directory", "recurse"),
            include: text("spec", "source", "directory", "include"),
            exclude: text("spec", "source", "directory", "exclude"))
        let revision = text("spec", "source", "targetRevision")
        let source = Application.Source(
            repository: try repository(), path: try sourcePath(), targetRevision: revision.isEmpty ? "HEAD" : revision,
            directory: directory)
        // Its globs are judged here, where the document can still be named.
        _ = try DirectorySource(DirectoryOptions(include: directory.include, exclude: directory.exclude))
        return source
    }

    private func repository() throws(Failure) -> String {
        let path = ["spec", "source", "repoURL"]
        let url = text("spec", "source", "repoURL")
        guard !url.isEmpty else { throw check.invalid(path, "is missing") }
        guard !url.unicodeScalars.contains(where: { $0.value <= 0x20 || $0.value == 0x7F }), !url.hasPrefix("-") else {
            throw check.invalid(
                path, "is no address of a repository",
                remedy: "write it without spaces, such as https://git.example.com/team/app.git")
        }
        guard let scheme = url.range(of: "://") else { return url }
        let name = url[..<scheme.lowerBound].lowercased()
        guard ["https", "http", "ssh", "git", "file"].contains(name) else {
            throw check.failure(
                check.codes.unsupported, path, "has the scheme \(YAMLComposer.quote(name)), which is not supported",
                remedy: "use https, ssh, http, git or file")
        }
        let authority = url[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        if let at = authority.lastIndex(of: "@"), name != "ssh" || authority[..<at].contains(":") {
            throw check.invalid(
                path, "holds a user name or a password",
                remedy: "remove it and put the credentials under git.credentials in the configuration")
        }
        return url
    }

    private func sourcePath() throws(Failure) -> String {
        let path = ["spec", "source", "path"]
        let text = text("spec", "source", "path")
        guard !text.isEmpty else {
            throw check.invalid(path, "is missing", remedy: "write path: . for the root of the repository")
        }
        let parts = text.split(separator: "/").filter { $0 != "." }
        guard !text.hasPrefix("/"), !parts.contains("..") else {
            throw check.invalid(path, "leads out of the repository", remedy: "write it from the root of the repository")
        }
        return parts.joined(separator: "/")
    }

    private func destination() throws(Failure) -> Application.Destination {
        let path = ["spec", "destination"]
        let (server, name) = (text("spec", "destination", "server"), text("spec", "destination", "name"))
        let namespace = text("spec", "destination", "namespace")
        switch (server.isEmpty, name.isEmpty) {
        case (false, true): return .init(cluster: .server(server), namespace: namespace)
        case (true, false): return .init(cluster: .name(name), namespace: namespace)
        case (true, true): throw check.invalid(path, "names no cluster", remedy: "set server or name")
        case (false, false): throw check.invalid(path, "has both server and name", remedy: "remove one of the two")
        }
    }

    // MARK: Policy

    private mutating func syncPolicy() throws(Failure) -> Application.SyncPolicy {
        let (options, optionWarnings) = try SyncOptionReader.read(strings("spec", "syncPolicy", "syncOptions"), check)
        warnings += optionWarnings
        let automated = json.at("spec", "syncPolicy", "automated")
        // `automated: {}` switches it on; `enabled: false` is how newer Argo CD switches it off and keeps the rest.
        let isAutomated = automated?.object != nil && automated?["enabled"]?.bool != false
        return Application.SyncPolicy(
            automated: isAutomated
                ? .init(
                    prune: automated?["prune"]?.bool ?? false, selfHeal: automated?["selfHeal"]?.bool ?? false,
                    allowEmpty: automated?["allowEmpty"]?.bool ?? false) : nil,
            options: options, retry: try retry())
    }

    private func retry() throws(Failure) -> Application.Retry? {
        let path = ["spec", "syncPolicy", "retry"]
        guard let retry = json.at(path[...]), retry.object != nil else { return nil }
        func milliseconds(_ name: String) -> Int64? {
            guard let value = retry.at("backoff", name) else { return nil }
            return (value.string ?? value.integer.map { String($0) }).flatMap(GoDuration.milliseconds)
        }
        let limit = retry["limit"]?.integer ?? 0
        guard let exact = Int(exactly: limit) else { throw check.invalid(path + ["limit"], "is too large") }
        var result = Application.Retry(limit: exact)
        if let duration = milliseconds("duration") { result.initialMilliseconds = duration }
        if let maximum = milliseconds("maxDuration") { result.maximumMilliseconds = maximum }
        if let factor = retry.at("backoff", "factor")?.integer {
            guard (1...1000).contains(factor) else {
                throw check.invalid(path + ["backoff", "factor"], "must be from 1 to 1000")
            }
            result.factor = factor
        }
        return result
    }

    // MARK: Webhooks and what is kept

    private func webhooks() throws(Failure) -> [Application.Webhook] {
        let path = ["spec", "webhook", "gitlab"]
        var result: [Application.Webhook] = []
        for (index, entry) in (json.at(path[...])?.array ?? []).enumerated() {
            guard let secret = entry["secret"]?.string, !secret.isEmpty else {
                throw check.invalid(path + [String(index), "secret"], "is missing")
            }
            let url = entry["url"]?.string ?? ""
            if let part = ShownAddress.secretPart(ofWebhook: url) {
                throw check.invalid(
                    path + [String(index), "url"], "holds \(part)",
                    remedy: "remove it: the address is kept and shown as it stands, and secret says whom to believe")
            }
            result.append(.init(url: url, secret: SecretText(secret)))
        }
        return result
    }

    /// `spec.info` is kept for whoever looks at it.
    private func checkInformation() throws(Failure) {
        guard let found = ShownAddress.login(in: json.at("spec", "info") ?? .null, ["spec", "info"]) else { return }
        throw check.invalid(
            found, "holds an address with a user name or a password",
            remedy: "remove it: what stands there is kept and shown as it stands")
    }

    /// kubectl keeps the whole document in it, the webhook's secret included.
    private static let lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

    private static func withoutSecrets(_ json: JSON) -> JSON {
        var document = json
        document["status"] = nil
        document["operation"] = nil
        document.set(nil, at: ["metadata", "managedFields"])
        document.set(nil, at: ["metadata", "annotations", lastApplied])
        if let hooks = document.at("spec", "webhook", "gitlab")?.array {
            let clean = hooks.map { hook in
                var hook = hook
                hook["secret"] = nil
                return hook
            }
            document.set(.array(clean), at: ["spec", "webhook", "gitlab"])
        }
        return document
    }
}

extension String {
    /// Where the text first occurs.
    fileprivate func range(of text: String) -> Range<String.Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}
