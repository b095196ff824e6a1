import Foundation
import Shiplog
import Testing

/// One file of `Cases/`: adding a case is adding a file.
struct Case: Sendable, CustomTestStringConvertible, CustomStringConvertible {
    let name: String
    let text: String

    var testDescription: String { name }
    var description: String { name }

    /// The file as JSON; what is no JSON fails the test that asks.
    func json() throws -> JSON { try JSON(parsing: text) }

    /// The files of a folder, by name.
    static func all(in folder: String) -> [Case] {
        let place = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
            "Cases/\(folder)")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: place.path)) ?? []
        return names.sorted().compactMap { name in
            guard let text = try? String(contentsOf: place.appendingPathComponent(name), encoding: .utf8) else {
                return nil
            }
            return Case(name: name, text: text)
        }
    }

    /// One file of a table: lines of cells between bars; the first line names the columns, `#` starts a comment.
    static func table(_ file: String) throws -> [[String]] {
        let place = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Cases/\(file)")
        return try String(contentsOf: place, encoding: .utf8).split(separator: "\n").filter { !$0.hasPrefix("#") }
            .dropFirst()
            .map { line in
                line.split(separator: "|", omittingEmptySubsequences: false).map {
                    $0.trimmingCharacters(in: .whitespaces)
                }
            }
    }
}

/// What a case lacks.
struct MissingPart: Error, CustomStringConvertible {
    let description: String
}

extension JSON {
    func part(_ name: String) throws -> JSON {
        guard let part = self[name] else { throw MissingPart(description: "the case has no \(name)") }
        return part
    }

    func texts(_ name: String) throws -> [String] {
        guard let list = try part(name).array?.map(\.string) else {
            throw MissingPart(description: "\(name) is no list")
        }
        return list.compactMap(\.self)
    }

    func resources(_ name: String) throws -> [Resource] {
        try (self[name]?.array ?? []).map { try Resource($0) }
    }
}

extension Optional {
    /// The value, or an error that names what is missing.
    func get(_ what: String) throws -> Wrapped {
        guard let self else { throw MissingPart(description: what) }
        return self
    }
}

extension Case {
    /// Whether the difference of the case is the one it says, and its fields if it names them.
    func expectDifference(schema: ListKeys = .builtIn, ignoring rules: IgnoredDifferences = .none) throws {
        let json = try json()
        let (desired, live) = (try Resource(try json.part("desired")), try Resource(try json.part("live")))
        let difference =
            if let predicted = json["predicted"] {
                Difference.afterDryRun(
                    predicted: try Resource(predicted), live: live, desired: desired, schema: schema, ignoring: rules)
            } else {
                Difference.compare(desired: desired, live: live, schema: schema, ignoring: rules)
            }
        let word =
            switch difference {
            case .same: "same"
            case .differs: "differs"
            case .undecided: "undecided"
            }
        let lines = difference.changes.map(\.line)
        #expect(word == json["difference"]?.string, "\(lines)")
        if json["fields"] != nil { #expect(lines == (try json.texts("fields")), "\(lines)") }
    }
}
