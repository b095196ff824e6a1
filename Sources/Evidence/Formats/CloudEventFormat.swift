import Foundation
import Shiplog

/// CloudEvents 1.0 in JSON; what a sync or a rollback did to a service is an event of CDEvents 0.5.1.
///
/// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>,
/// <https://github.com/cdevents/spec/blob/v0.5.1/cloudevents-binding.md>.
enum CloudEventFormat {
    static let cdeventsVersion = "0.5.1"
    /// The version of these events within that release.
    private static let serviceVersion = "0.3.0"

    static func event(_ entry: ExportedEntry) -> JSON {
        let service = service(entry)
        let type = service?.type ?? "dev.shiplog." + entry.kind
        return .members([
            "specversion": "1.0", "id": .string(entry.leafText), "source": .string(source(entry)),
            "type": .string(type), "time": .string(entry.recordedAt.description),
            "subject": entry.application.map { .string($0) }, "datacontenttype": "application/json",
            // The sequence extension: compared as text, so all are equally long.
            "sequence": .string(padded(entry.sequence)), "data": service?.data ?? entry.json
        ])
    }

    private static func source(_ entry: ExportedEntry) -> String { "urn:shiplog:ledger:" + entry.ledger }

    private static func padded(_ number: Int64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 19 - digits.count)) + digits
    }

    /// nil where CDEvents has no word for it, or not all that it requires is known.
    private static func service(_ entry: ExportedEntry) -> (type: String, data: JSON)? {
        guard let change = entry.change, let name = entry.application, let cluster = entry.json["cluster"],
            let environment = cluster["name"]?.string ?? cluster["uid"]?.string
        else { return nil }
        let artifact = artifact(entry, name)
        guard change == .removed || artifact != nil else { return nil }
        let type = "dev.cdevents.service.\(change.rawValue).\(serviceVersion)"
        let content = JSON.members([
            "environment": .members(["id": .string(environment), "source": cluster["server"]]),
            "artifactId": change == .removed ? nil : artifact.map { .string($0) }
        ])
        let data: JSON = [
            "context": [
                "specversion": .string(cdeventsVersion), "id": .string(entry.leafText),
                "source": .string(source(entry)), "type": .string(type),
                "timestamp": .string(entry.recordedAt.description)
            ],
            "subject": ["id": .string(name), "content": content], "customData": entry.json,
            "customDataContentType": "application/json"
        ]
        return (type, data)
    }

    /// What was deployed, as a package URL: the commit, or the manifests' digest where there was none.
    /// <https://github.com/package-url/purl-spec>
    private static func artifact(_ entry: ExportedEntry, _ name: String) -> String? {
        let source = entry.json["source"]
        let commit = source?.at("commit", "id")?.string
        guard let version = commit ?? entry.json["desired"]?.string else { return nil }
        var text = "pkg:generic/" + encoded(name) + "@" + encoded(version)
        if let commit, let repository = source?["repository"]?.string {
            text += "?vcs_url=" + encoded("git+" + repository + "@" + commit)
        }
        return text
    }

    private static func encoded(_ text: String) -> String {
        var result: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: result.append(byte)
            default: result += Array(("%" + String(byte, radix: 16, uppercase: true)).utf8)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
