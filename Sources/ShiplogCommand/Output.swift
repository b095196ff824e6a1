import Foundation
import Manifests
import Shiplog

/// Prints data on standard output in the format that was asked for.
struct Output: Sendable {
    let format: OutputFormat
    let headers: Bool
    let color: Bool

    /// - Parameter text: for people; asked for only when the format is `table`.
    func show(_ json: JSON, _ text: () -> String) {
        switch format {
        case .table: write(text())
        case .json: write(json.prettyString + "\n")
        case .yaml: write(YAML.write(json))
        }
    }

    func table(_ columns: [String], _ rows: [[Cell]]) -> String {
        Table(columns: columns, rows: rows).text(headers: headers, color: color)
    }

    /// One value a line as it comes: JSON lines, or a document of a YAML stream.
    func stream(_ json: JSON, _ text: () -> String) {
        switch format {
        case .table: write(text())
        case .json: write(json.canonicalString + "\n")
        case .yaml: write("---\n" + YAML.write(json))
        }
        flushOutput()
    }

    /// Names and values, one a line; what has no value is left out.
    func facts(_ pairs: [(String, Cell?)]) -> String {
        Table(columns: ["", ""], rows: pairs.compactMap { name, cell in cell.map { [Cell(name + ":"), $0] } })
            .text(headers: false, color: color)
    }

    func paint(_ text: String, _ style: Style?) -> String {
        guard color, let style else { return text }
        return style.paint(text)
    }

    private func write(_ text: String) { print(text, terminator: text.hasSuffix("\n") || text.isEmpty ? "" : "\n") }
}

extension JSON {
    /// The string at a path; empty when there is none.
    func text(_ path: String...) -> String { at(path[...])?.string ?? "" }
    /// A number at a path, as people quote revisions: `#12`.
    func sequence(_ path: String...) -> String { at(path[...])?.integer.map { "#\($0)" } ?? "" }
    var items: [JSON] { self["items"]?.array ?? [] }
    /// The first seven digits of the commit at a path.
    func commit(_ path: String...) -> String { String((at(path[...])?.string ?? "").prefix(7)) }
    /// A cell of a member, left out when it has no value.
    func cell(_ path: String...) -> Cell? {
        guard let text = at(path[...])?.string, !text.isEmpty else { return nil }
        return Cell(text)
    }
    /// `Deployment apps/web`: kind, namespace and name of a resource.
    var resourceName: String {
        let namespace = text("namespace")
        return text("kind") + " " + (namespace.isEmpty ? "" : namespace + "/") + text("name")
    }
}
