import Crypto
import Foundation
public import Shiplog

extension ServerConfiguration {
    /// All that is in force, for the ledger: defaults written out, secrets as the files and variables they are read from.
    ///
    /// Read by reflection, so that a setting that is added later cannot be forgotten here. What is no plain value, such as a
    /// `SecretText`, is written as it prints: as dots.
    public var facts: JSON { Self.facts(self) ?? .object([:]) }

    /// SHA-256 of a configuration file's bytes. It holds no secret that the digest could give away: the reader refuses those.
    public static func digest(of bytes: [UInt8]) -> Shiplog.Digest? {
        Shiplog.Digest(bytes: SHA256.hash(data: bytes))
    }

    /// nil for nil.
    static func facts(_ value: Any) -> JSON? {
        switch value {
        case let text as String: return .string(withoutUser(text))
        case let flag as Bool: return .bool(flag)
        case let number as Int: return .integer(Int64(number))
        case let number as Int64: return .integer(number)
        case let duration as Duration: return .string("\(duration)")
        case let word as any RawRepresentable<String>: return .string(word.rawValue)
        case is SecretText: return .string("\(value)")
        default: break
        }
        let mirror = Mirror(reflecting: value)
        switch mirror.displayStyle {
        case .optional: return mirror.children.first.flatMap { facts($0.value) }
        case .collection, .set: return .array(mirror.children.compactMap { facts($0.value) })
        case .struct, .tuple, .class:
            var members: [String: JSON] = [:]
            for (index, child) in mirror.children.enumerated() {
                if let fact = facts(child.value) { members[child.label ?? String(index)] = fact }
            }
            return .object(members)
        case .enum:
            guard let child = mirror.children.first, let label = child.label else { return .string("\(value)") }
            return .object([label: facts(child.value) ?? .object([:])])
        default: return .string("\(value)")
        }
    }

    /// An address without what stands before its `@`: that may be a password.
    private static func withoutUser(_ text: String) -> String {
        guard let scheme = text.firstRange(of: "://") else { return text }
        let rest = text[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard let at = authority.lastIndex(of: "@") else { return text }
        return String(text[..<scheme.upperBound] + rest[rest.index(after: at)...])
    }
}
