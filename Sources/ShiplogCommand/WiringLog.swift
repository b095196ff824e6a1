import Foundation
import Logging
import Manifests
import Shiplog

/// One line an event, on standard error: for people on a terminal, JSON for whatever collects logs elsewhere.
struct LineLog: LogHandler {
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    let isJSON: Bool
    let label: String

    /// Sets up logging for the whole process. May be called once.
    static func bootstrap(_ settings: ServerConfiguration.Logging) {
        let isJSON =
            switch settings.format {
            case .auto: isatty(STDERR_FILENO) == 0
            case .text: false
            case .json: true
            }
        let level = Logger.Level(rawValue: settings.level.rawValue) ?? .info
        LoggingSystem.bootstrap { label in LineLog(logLevel: level, isJSON: isJSON, label: label) }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = metadata
        if let own = event.metadata { fields.merge(own) { $1 } }
        if let error = event.error { fields["error"] = "\(error)" }
        let time = Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)).description
        let line = isJSON ? json(event, fields, time) : text(event, fields, time)
        // One write a line: lines of several threads do not run into each other.
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }

    private func json(_ event: LogEvent, _ fields: Logger.Metadata, _ time: String) -> String {
        var members: [String: JSON] = [:]
        for (key, value) in fields { members[key] = Self.json(value) }
        members["time"] = .string(time)
        members["level"] = .string(event.level.rawValue)
        members["message"] = .string("\(event.message)")
        members["logger"] = .string(label)
        return String(decoding: JSON.object(members).canonicalBytes, as: UTF8.self)
    }

    private static func json(_ value: Logger.MetadataValue) -> JSON {
        switch value {
        case .string(let text): Int64(text).map { .integer($0) } ?? .string(text)
        case .stringConvertible(let value): .string("\(value)")
        case .array(let values): .array(values.map(json))
        case .dictionary(let members): .object(members.mapValues(json))
        }
    }

    private func text(_ event: LogEvent, _ fields: Logger.Metadata, _ time: String) -> String {
        let details = fields.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        let level = event.level.rawValue.uppercased()
        return Terminal.harmless(
            "\(time) \(level.padding(toLength: 7, withPad: " ", startingAt: 0)) \(event.message)\(details)")
    }
}

/// Text from elsewhere on a person's terminal.
enum Terminal {
    /// Control characters written out: a commit's subject must not move the cursor or colour the screen.
    static func harmless(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 9: result.unicodeScalars.append(scalar)
            case 0..<32, 127..<160, 0x202A...0x202E, 0x2066...0x2069:
                result += "\\u{" + String(scalar.value, radix: 16) + "}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
