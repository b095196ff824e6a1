import Crypto
import Foundation
import Shiplog

/// Takes secret values out of documents and puts keyed digests in their place.
///
/// A digest is HMAC-SHA256 over where the value stands and the value: the same value at the same place gives the same
/// mark, so that revisions can be compared; at another place it gives another, so that nobody sees who shares a password.
struct Redactor: Sendable {
    let key: SymmetricKey

    /// A value that was taken out.
    struct Value: Sendable, Hashable {
        /// RFC 6901, into the redacted document.
        let path: String
        /// The canonical JSON of the value.
        let bytes: [UInt8]
    }

    static let mark = "hmac:"
    private static let maps: Set<String> = ["data", "stringData"]

    /// What a Secret has besides its values. Whatever else stands in one is a value: `stringdata`, say, is a slip of the
    /// pen that no API server keeps, and a ledger would for ever.
    private static let open: Set<String> = ["apiVersion", "kind", "metadata", "type", "immutable"]

    /// A manifest or live object without `managedFields` and `last-applied-configuration`, and of a Secret without its
    /// values; `stringData` is folded into `data`, as an API server does.
    func redact(_ resource: Resource) -> (object: JSON, values: [Value]) {
        var object = Self.stripped(resource.object)
        guard resource.isSecret else { return (object, []) }
        var values: [Value] = []
        let place = resource.key.trackingForm
        if case .object(let texts)? = object["stringData"] {
            var data = object["data"]?.object ?? [:]
            var left: [String: JSON] = [:]
            for (name, value) in texts {
                if let text = value.string {
                    data[name] = .string(Data(text.utf8).base64EncodedString())
                } else {
                    left[name] = value
                }
            }
            // What is not even a map of strings stays where it is, sealed, for the API server to refuse.
            object["stringData"] = left.isEmpty ? nil : .object(left)
            if object["data"] == nil || object["data"]?.isNull == true || object["data"]?.object != nil {
                object["data"] = .object(data)
            }
        }
        for member in (object.object ?? [:]).keys.sorted() where !Self.open.contains(member) {
            guard let content = object[member], !content.isNull else { continue }
            if case .object(let entries) = content, Self.maps.contains(member) {
                var marks: [String: JSON] = [:]
                for (name, value) in entries {
                    let path = "/" + member + "/" + Self.escaped(name)
                    let sealed = Self.canonical(value)
                    values.append(Value(path: path, bytes: sealed.canonicalBytes))
                    marks[name] = .string(mark(place: place, path: path, sealed))
                }
                object[member] = .object(marks)
            } else {
                let path = "/" + Self.escaped(member)
                values.append(Value(path: path, bytes: content.canonicalBytes))
                object[member] = .string(mark(place: place, path: path, content))
            }
        }
        return (object, values.sorted { $0.path < $1.path })
    }

    /// The mark for a value at a place.
    func mark(place: String, path: String, _ value: JSON) -> String {
        var hmac = HMAC<SHA256>(key: key)
        hmac.update(data: Data((place + "\0" + path + "\0").utf8))
        hmac.update(data: value.canonicalBytes)
        return Self.mark + Array(hmac.finalize()).hex
    }

    /// Where the marks of a redacted Secret stand.
    static func markedPaths(in object: JSON) -> [String] {
        guard object["kind"]?.string == "Secret", object["apiVersion"]?.string?.contains("/") == false else {
            return []
        }
        return (object.object ?? [:]).flatMap { member, content -> [String] in
            switch content {
            case .null: []
            case .object(let entries) where maps.contains(member):
                entries.keys.map { "/" + member + "/" + escaped($0) }
            case _ where maps.contains(member): ["/" + member]
            // Stored before values were looked for there too: as it was written.
            case .string(let text) where !open.contains(member) && text.hasPrefix(mark): ["/" + escaped(member)]
            default: []
            }
        }.sorted()
    }

    /// Base64 that only differs in its line ends is the same value to Kubernetes.
    private static func canonical(_ value: JSON) -> JSON {
        guard let text = value.string else { return value }
        let joined = text.utf8.contains { $0 == 0x0A || $0 == 0x0D } ? text.filter { !$0.isNewline } : text
        guard let data = Data(base64Encoded: joined) else { return value }
        return .string(data.base64EncodedString())
    }

    private static func stripped(_ object: JSON) -> JSON {
        guard var metadata = object["metadata"], metadata.object != nil else { return object }
        let lastApplied = "kubectl.kubernetes.io/last-applied-configuration"
        guard metadata["managedFields"] != nil || metadata.at("annotations", lastApplied) != nil else { return object }
        metadata["managedFields"] = nil
        if var annotations = metadata["annotations"], annotations[lastApplied] != nil {
            annotations[lastApplied] = nil
            metadata["annotations"] = annotations == .object([:]) ? nil : annotations
        }
        var copy = object
        copy["metadata"] = metadata
        return copy
    }

    /// RFC 6901 §3.
    static func escaped(_ name: String) -> String {
        guard name.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return name }
        return String(name.flatMap { $0 == "~" ? Array("~0") : $0 == "/" ? Array("~1") : [$0] })
    }

    static func pathParts(_ pointer: String) -> [String] {
        pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map { part in
            var name = ""
            var escaping = false
            for character in part {
                if escaping {
                    name.append(character == "1" ? "/" : "~")
                    escaping = false
                } else if character == "~" {
                    escaping = true
                } else {
                    name.append(character)
                }
            }
            return name
        }
    }
}
