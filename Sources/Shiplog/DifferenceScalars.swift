/// When two values that are written differently mean the same to Kubernetes.
enum ScalarComparison {
    static func areEqual(
        _ desired: JSON, _ live: JSON, _ kind: GroupKind, _ fields: [String], isKnown: Bool
    ) -> Bool {
        // Swift takes two spellings of one Unicode text for equal; a server does not.
        if case .string(let left) = desired, case .string(let right) = live, left == right {
            return left.utf8.elementsEqual(right.utf8)
        }
        if areEqualNumbers(desired, live) || desired == live { return true }
        guard isKnown, !isInFreeText(fields) else { return false }
        if KnownFields.isQuantity(fields), let left = Quantity(desired), let right = Quantity(live) {
            return left == right
        }
        if KnownFields.isBase64(kind, fields), let left = desired.string, let right = live.string,
            let bytes = Base64.decode(left)
        {
            return bytes == Base64.decode(right)
        }
        return false
    }

    /// `1` and `1.0`.
    static func areEqualNumbers(_ left: JSON, _ right: JSON) -> Bool {
        switch (left, right) {
        case (.integer(let whole), .number(let number)), (.number(let number), .integer(let whole)):
            Int64(exactly: number) == whole
        case (.number(let first), .number(let second)): first == second
        default: false
        }
    }

    /// Whether the two may be one value that the server writes its own way.
    static func mayBeRewritten(_ desired: JSON, _ live: JSON, _ fields: [String], isKnown: Bool) -> Bool {
        if isInFreeText(fields) { return desired.string == nil || live.string == nil }
        if desired.typeName != live.typeName { return true }
        // An empty string asks a typed field for its default.
        if isKnown { return desired == "" }
        if let left = Quantity(desired), let right = Quantity(live), left == right { return true }
        if let left = desired.string.flatMap(Timestamp.init), let right = live.string.flatMap(Timestamp.init) {
            return left == right
        }
        // A kind of durations writes `90m` as `1h30m0s`.
        if let left = desired.string.flatMap(GoDuration.milliseconds),
            let right = live.string.flatMap(GoDuration.milliseconds)
        {
            return left == right
        }
        return false
    }

    /// Maps whose members people name: no member has a default, and no server touches one.
    private static let freeMaps: Set<String> = [
        "labels", "annotations", "matchLabels", "nodeSelector", "data", "binaryData", "stringData", "limits", "requests"
    ]

    static func isFreeMap(_ fields: [String]) -> Bool {
        guard let last = fields.last else { return false }
        return freeMaps.contains(last) || fields == ["spec", "selector"]
    }

    static func isInFreeMap(_ fields: [String]) -> Bool { isFreeMap(Array(fields.dropLast())) }

    /// In a free map whose values are plain strings.
    private static func isInFreeText(_ fields: [String]) -> Bool {
        guard let parent = fields.dropLast().last else { return false }
        return ["labels", "annotations", "matchLabels", "nodeSelector"].contains(parent)
    }
}

/// What a server stamps, counts or keeps apart: it is never desired and never a difference.
enum ServerFields {
    private static let metadata: Set<String> = [
        "name", "namespace", "generateName", "managedFields", "resourceVersion", "generation", "creationTimestamp",
        "deletionTimestamp", "deletionGracePeriodSeconds", "uid", "selfLink"
    ]

    static func stripped(_ object: JSON) -> JSON {
        guard case .object(var members) = object else { return object }
        for name in ["apiVersion", "kind", "status"] { members[name] = nil }
        if case .object(var inner) = members["metadata"] {
            for name in metadata { inner[name] = nil }
            members["metadata"] = .object(inner)
        }
        return .object(members)
    }
}

/// A Secret's values.
enum SecretData {
    static let lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

    /// A Secret with `stringData` folded into `data`, as the server does it; any other object as it is.
    static func folded(_ resource: Resource) -> Resource {
        guard resource.isSecret, let texts = resource.object["stringData"] else { return resource }
        var result = resource
        result.set(nil, at: "stringData")
        guard let members = texts.object, !members.isEmpty else { return result }
        for (name, value) in members {
            guard let text = value.string else { continue }
            result.set(.string(Base64.encode(Array(text.utf8))), at: "data", name)
        }
        return result
    }

    /// Whether the field of that object must not be shown.
    static func hides(_ path: FieldPath, in resource: Resource) -> Bool {
        guard resource.isSecret else { return false }
        let fields = path.fields
        if fields.first == "data" || fields.first == "stringData" { return true }
        guard fields.starts(with: ["metadata", "annotations"]) else { return false }
        // The annotation holds the whole object; a change of all annotations holds it too.
        return fields.count < 3 || fields[2] == lastApplied
    }
}

/// Base64 as Kubernetes writes bytes: the standard alphabet, padded.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// nil when it is none. Line breaks in it are passed over, as Go's decoder does.
    static func decode(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count / 4 * 3)
        var bits: UInt32 = 0
        var count = 0
        var padding = 0
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") { continue }
            if byte == UInt8(ascii: "=") {
                padding += 1
                continue
            }
            guard padding == 0, let value = value(of: byte) else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 1
            if count.isMultiple(of: 4) {
                bytes.append(UInt8(truncatingIfNeeded: bits >> 16))
                bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
                bytes.append(UInt8(truncatingIfNeeded: bits))
                bits = 0
            }
        }
        switch (count % 4, padding) {
        case (0, 0): return bytes
        case (2, 2):
            bytes.append(UInt8(truncatingIfNeeded: bits >> 4))
            return bytes
        case (3, 1):
            bytes.append(UInt8(truncatingIfNeeded: bits >> 10))
            bytes.append(UInt8(truncatingIfNeeded: bits >> 2))
            return bytes
        default: return nil
        }
    }

    private static func value(of byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var index = 0
        while index < bytes.count {
            let group = bytes[index..<min(index + 3, bytes.count)]
            var bits: UInt32 = 0
            for byte in group { bits = bits << 8 | UInt32(byte) }
            bits <<= UInt32(8 * (3 - group.count))
            for place in 0..<4 {
                if place <= group.count {
                    text.append(alphabet[Int(bits >> UInt32(18 - 6 * place) & 63)])
                } else {
                    text.append(UInt8(ascii: "="))
                }
            }
            index += 3
        }
        return String(decoding: text, as: UTF8.self)
    }
}
