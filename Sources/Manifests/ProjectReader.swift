public import Shiplog

/// Reads Argo CD's `AppProject` (`argoproj.io/v1alpha1`) unchanged, as strictly as `ApplicationReader` reads Applications.
public enum ProjectReader {
    /// One document.
    /// - Parameter place: turns a path of names into the place that a message quotes.
    /// - Throws: `project.invalid`, `project.unsupported`, `project.unknown-field`, `window.schedule-invalid`.
    public static func read(
        _ json: JSON, place: @escaping ([String]) -> String = { _ in "" }
    ) throws(Failure) -> (project: AppProject, warnings: [String]) {
        var check = FieldCheck(
            codes: .init(invalid: .projectInvalid, unknown: "project.unknown-field", unsupported: .projectUnsupported),
            place: place)
        guard json.object != nil else { throw check.invalid([], "an AppProject must be a map, not \(json.typeName)") }
        guard json["kind"]?.string == "AppProject" else { throw check.invalid(["kind"], "must be AppProject") }
        guard json["apiVersion"]?.string == "argoproj.io/v1alpha1" else {
            throw check.invalid(["apiVersion"], "must be argoproj.io/v1alpha1")
        }
        try check.check(json, ProjectFields.document)
        var reading = ProjectReading(json: json, check: check)
        let project = try reading.project()
        return (project, check.warnings + reading.warnings)
    }

    /// All AppProjects of a YAML stream, or of a JSON one when the file's name says so.
    /// - Throws: what the other `read` and `YAML.read` throw, with file and line.
    public static func read(
        _ bytes: [UInt8], file: String
    ) throws(Failure) -> [(project: AppProject, warnings: [String])] {
        try DocumentStream.read(bytes, file: file) { (json, place) throws(Failure) in try read(json, place: place) }
    }
}

/// Takes the values out of a document whose fields and types have been checked.
private struct ProjectReading {
    let json: JSON
    let check: FieldCheck
    var warnings: [String] = []

    static let windowLimit = 200
    static let byteLimit = 256 << 10

    init(json: JSON, check: FieldCheck) {
        self.json = json
        self.check = check
    }

    mutating func project() throws(Failure) -> AppProject {
        let name = json.at("metadata", "name")?.string ?? ""
        guard !name.isEmpty else { throw check.invalid(["metadata", "name"], "is missing") }
        guard Self.isName(name) else {
            throw check.invalid(
                ["metadata", "name"], "may have small letters, digits, hyphens and dots only, 253 at most",
                remedy: "choose a name such as team-shop")
        }
        if let found = ShownAddress.login(in: json["spec"] ?? .null, ["spec"]) {
            throw check.invalid(
                found, "holds an address with a user name or a password",
                remedy: "remove it: what stands there is kept and shown as it stands")
        }
        var document = json
        document["status"] = nil
        document.set(nil, at: ["metadata", "managedFields"])
        document.set(nil, at: ["metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"])
        guard document.canonicalBytes.count <= Self.byteLimit else {
            throw check.invalid([], "the project is larger than 256 KiB", remedy: "split it")
        }
        return AppProject(
            name: name,
            sourceRepositories: try patterns(
                json.at("spec", "sourceRepos"), ["spec", "sourceRepos"], mayDeny: true),
            destinations: try destinations(),
            clusterKinds: AppProject.KindList(
                allowed: try kinds("clusterResourceWhitelist") ?? [],
                refused: try kinds("clusterResourceBlacklist") ?? []),
            namespacedKinds: AppProject.KindList(
                allowed: try kinds("namespaceResourceWhitelist"),
                refused: try kinds("namespaceResourceBlacklist") ?? []),
            windows: try windows(), orphaned: try orphaned(), document: document)
    }

    private static func isName(_ name: String) -> Bool {
        name.utf8.count <= 253
            && name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
                !label.isEmpty && label.first != "-" && label.last != "-"
                    && label.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 }
            }
    }

    /// Patterns that can be matched; `!*` would refuse everything, which nobody can mean.
    private func patterns(_ list: JSON?, _ path: [String], mayDeny: Bool = false) throws(Failure) -> [String] {
        let texts = (list?.array ?? []).map { $0.string ?? "" }
        for (index, text) in texts.enumerated() { try pattern(text, path + [String(index)], mayDeny: mayDeny) }
        return texts
    }

    private func pattern(_ text: String, _ path: [String], mayDeny: Bool) throws(Failure) {
        let glob = mayDeny && text.hasPrefix("!") ? String(text.dropFirst()) : text
        guard text != "!*" || !mayDeny else {
            throw check.invalid(path, "is !*, which refuses everything", remedy: "remove it")
        }
        guard Glob(glob) != nil else {
            throw check.invalid(path, "is no pattern", remedy: "close its brackets and braces")
        }
    }

    private func destinations() throws(Failure) -> [AppProject.Destination] {
        var result: [AppProject.Destination] = []
        for (index, entry) in (json.at("spec", "destinations")?.array ?? []).enumerated() {
            let path = ["spec", "destinations", String(index)]
            let item = AppProject.Destination(
                server: entry["server"]?.string ?? "", name: entry["name"]?.string ?? "",
                namespace: entry["namespace"]?.string ?? "")
            guard !item.server.isEmpty || !item.name.isEmpty else {
                throw check.invalid(path, "names no cluster", remedy: "set server or name; * is any")
            }
            try pattern(item.server, path + ["server"], mayDeny: true)
            try pattern(item.name, path + ["name"], mayDeny: true)
            try pattern(item.namespace, path + ["namespace"], mayDeny: true)
            result.append(item)
        }
        return result
    }

    private func kinds(_ list: String...) throws(Failure) -> [AppProject.KindRule]? {
        let path = ["spec"] + list
        guard let entries = json.at(path[...])?.array else { return nil }
        var result: [AppProject.KindRule] = []
        for (index, entry) in entries.enumerated() {
            let own = path + [String(index)]
            let rule = AppProject.KindRule(
                group: entry["group"]?.string ?? "", kind: entry["kind"]?.string ?? "", name: entry["name"]?.string)
            // What is ignored among orphans may be named without its kind.
            guard !rule.kind.isEmpty || list.count > 1 else { throw check.invalid(own + ["kind"], "is missing") }
            try pattern(rule.group, own + ["group"], mayDeny: false)
            try pattern(rule.kind, own + ["kind"], mayDeny: false)
            try pattern(rule.name ?? "", own + ["name"], mayDeny: false)
            result.append(rule)
        }
        return result
    }

    private mutating func orphaned() throws(Failure) -> AppProject.Orphaned? {
        guard let block = json.at("spec", "orphanedResources"), block.object != nil else { return nil }
        warnings.append(
            "spec.orphanedResources is kept without effect: nothing is looked for that belongs to nobody yet")
        return AppProject.Orphaned(
            warn: block["warn"]?.bool ?? false, ignored: try kinds("orphanedResources", "ignore") ?? [])
    }

    // MARK: Windows

    private func windows() throws(Failure) -> [SyncWindow] {
        let entries = json.at("spec", "syncWindows")?.array ?? []
        guard entries.count <= Self.windowLimit else {
            throw check.invalid(["spec", "syncWindows"], "has more than \(Self.windowLimit) windows")
        }
        var result: [SyncWindow] = []
        for (index, entry) in entries.enumerated() {
            result.append(try window(entry, ["spec", "syncWindows", String(index)]))
        }
        return result
    }

    private func window(_ entry: JSON, _ path: [String]) throws(Failure) -> SyncWindow {
        guard let kind = SyncWindow.Kind(rawValue: entry["kind"]?.string ?? "") else {
            throw check.invalid(path + ["kind"], "must be allow or deny")
        }
        guard let text = entry["schedule"]?.string, !text.isEmpty else {
            throw check.invalid(path + ["schedule"], "is missing")
        }
        let schedule: CronSchedule
        do throws(Failure) { schedule = try CronSchedule(text) } catch {
            throw check.failure(
                error.code, path + ["schedule"], "is no schedule: " + error.message, remedy: error.remedy)
        }
        let duration = entry["duration"]?.string ?? ""
        // Argo CD reads it as Go does: a number needs its unit.
        guard duration.contains(where: \.isLetter), let length = GoDuration.milliseconds(duration), length >= 1000
        else {
            throw check.invalid(
                path + ["duration"], "must be a duration of a second or more, such as 1h30m",
                remedy: "write it with its unit: s, m or h")
        }
        let zoneName = entry["timeZone"]?.string ?? ""
        guard let zone = TimeZones.rules(named: zoneName.isEmpty ? "UTC" : zoneName) else {
            throw check.invalid(
                path + ["timeZone"], "is no time zone that is known here",
                remedy: "write an IANA name such as Europe/Amsterdam")
        }
        let window = SyncWindow(
            kind: kind, schedule: schedule, duration: length / 1000, durationText: duration, zone: zone,
            applications: try patterns(entry["applications"], path + ["applications"]),
            namespaces: try patterns(entry["namespaces"], path + ["namespaces"]),
            clusters: try patterns(entry["clusters"], path + ["clusters"]),
            andOperator: entry["andOperator"]?.bool ?? false,
            manualSync: entry["manualSync"]?.bool ?? false, syncOverrun: entry["syncOverrun"]?.bool ?? false,
            about: entry["description"]?.string ?? "")
        guard !window.applications.isEmpty || !window.namespaces.isEmpty || !window.clusters.isEmpty else {
            throw check.invalid(
                path, "speaks of no application", remedy: "give applications, namespaces or clusters; \"*\" is any")
        }
        return window
    }
}
