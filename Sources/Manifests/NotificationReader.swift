import Shiplog

/// `notifications` of the configuration.
enum NotificationReader {
    private static func secret(_ name: String) -> Field {
        .refused("may not stand in the configuration; use \(name)File or \(name)Env", unlessEmpty: false)
    }

    static let field = Field.list(
        .map([
            "name": .string,
            "url": .string,
            "urlFile": .string,
            "urlEnv": .string,
            "secret": secret("secret"),
            "secretFile": .string,
            "secretEnv": .string,
            "token": secret("token"),
            "tokenFile": .string,
            "tokenEnv": .string,
            "kinds": .strings,
            "outcomes": .strings,
            "applications": .strings,
            "projects": .strings,
            "timeout": .duration,
            "tries": .integer,
            "backoff": .map(["initial": .duration, "maximum": .duration])
        ]))

    static let maximumEntries = 64

    static func read(
        _ list: JSON?, _ path: [String], _ check: FieldCheck
    ) throws(Failure) -> [ServerConfiguration.Notification] {
        let entries = list?.array ?? []
        guard entries.count <= maximumEntries else {
            throw check.invalid(path, "has more than \(maximumEntries) entries")
        }
        var result: [ServerConfiguration.Notification] = []
        for (index, entry) in entries.enumerated() {
            let one = try Entry(json: entry, path: path + [String(index)], check: check).read()
            guard !result.contains(where: { $0.name == one.name }) else {
                throw check.invalid(path + [String(index), "name"], "is the name of another notification too")
            }
            result.append(one)
        }
        return result
    }

    private struct Entry {
        let json: JSON
        let path: [String]
        let check: FieldCheck

        func read() throws(Failure) -> ServerConfiguration.Notification {
            var result = ServerConfiguration.Notification(name: try name(), address: try address())
            result.secret = try secret("secret")
            result.token = try secret("token")
            result.kinds = try kinds()
            result.outcomes = strings("outcomes")
            result.applications = try globs("applications")
            result.projects = try globs("projects")
            result.timeout = try duration(["timeout"], result.timeout, 100...300_000)
            result.initial = try duration(["backoff", "initial"], result.initial, 10...3_600_000)
            result.maximum = try duration(["backoff", "maximum"], result.maximum, 10...86_400_000)
            guard result.initial <= result.maximum else {
                throw check.invalid(path + ["backoff", "maximum"], "must not be less than initial")
            }
            if let tries = json["tries"], !tries.isNull {
                guard let number = tries.integer, (1...100).contains(number) else {
                    throw check.invalid(path + ["tries"], "must be from 1 to 100")
                }
                result.tries = Int(number)
            }
            return result
        }

        /// A file's name too.
        private func name() throws(Failure) -> String {
            guard let name = json["name"]?.string, !name.isEmpty else {
                throw check.invalid(path + ["name"], "is missing")
            }
            let isPlain = name.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "-")
            }
            guard isPlain, name.utf8.count <= 63, !name.hasPrefix("-") else {
                throw check.invalid(path + ["name"], "may have small letters, digits and hyphens only, 63 at most")
            }
            return name
        }

        private func address() throws(Failure) -> ServerConfiguration.Notification.Address {
            let hidden = try secret("url")
            guard let url = json["url"]?.string, !url.isEmpty else {
                guard let hidden else { throw check.invalid(path + ["url"], "is missing") }
                return .secret(hidden)
            }
            guard hidden == nil else { throw check.invalid(path, "has more than one url") }
            guard url.hasPrefix("http://") || url.hasPrefix("https://"), !url.contains("@"), !url.contains("?"),
                !url.contains("#")
            else {
                throw check.invalid(
                    path + ["url"], "must be an http or https address without user and query",
                    remedy: "put an address that is itself a secret into a file, and name it with urlFile")
            }
            return .plain(url)
        }

        private func secret(_ name: String) throws(Failure) -> SecretReference? {
            func text(_ name: String) -> String? { json[name]?.string.flatMap { $0.isEmpty ? nil : $0 } }
            switch (text(name + "File"), text(name + "Env")) {
            case (let file?, nil): return .file(file)
            case (nil, let variable?): return .environment(variable)
            case (nil, nil): return nil
            case (_?, _?): throw check.invalid(path, "has both \(name)File and \(name)Env")
            }
        }

        private func strings(_ name: String) -> [String] { (json[name]?.array ?? []).compactMap(\.string) }

        private func kinds() throws(Failure) -> [String] {
            let known = Set(Revision.Kind.allCases.map(\.rawValue) + Event.Kind.allCases.map(\.rawValue))
            for (index, kind) in strings("kinds").enumerated() {
                guard known.contains(kind) else {
                    throw check.invalid(
                        path + ["kinds", String(index)], "is no kind of row",
                        remedy: "docs/auditing-events.md lists them; sync, rollback and reconcile are revisions")
                }
                // They would make each other, for ever.
                guard !kind.hasPrefix("notification.") else {
                    throw check.invalid(
                        path + ["kinds", String(index)], "tells of notifications, which are not told of")
                }
            }
            return strings("kinds")
        }

        private func globs(_ name: String) throws(Failure) -> [String] {
            for (index, text) in strings(name).enumerated() where Glob(text) == nil {
                throw check.invalid(path + [name, String(index)], "is no glob")
            }
            return strings(name)
        }

        private func duration(
            _ place: [String], _ standard: Duration, _ range: ClosedRange<Int64>
        ) throws(Failure) -> Duration {
            guard let value = json.at(place[...]), let text = value.string ?? value.integer.map({ String($0) }) else {
                return standard
            }
            guard let milliseconds = GoDuration.milliseconds(text), range.contains(milliseconds) else {
                throw check.invalid(
                    path + place, "must be from \(range.lowerBound) ms to \(range.upperBound / 1000) s")
            }
            return .milliseconds(milliseconds)
        }
    }
}
