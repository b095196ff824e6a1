import CYAML
import Shiplog

extension YAML {
    /// The line (from 1) of the member or element at a path, names and decimal indexes, in one document of a stream.
    ///
    /// Reading keeps no positions, so that it costs nothing; who has an error to report asks here and pays for a
    /// second scan. JSON is YAML enough for this too.
    /// - Returns: nil when there is no such path (it may come through an alias) or the bytes cannot be parsed.
    public static func line(of path: [String], inDocument document: Int, of bytes: [UInt8]) -> Int? {
        bytes.withUnsafeBufferPointer { buffer in
            do throws(Failure) {
                var locator = YAMLLocator(try YAMLEventParser(buffer, file: ""))
                return try locator.line(of: path[...], document: document)
            } catch {
                return nil
            }
        }
    }

    /// The line of the last step of a path that is there: for a message about something missing.
    static func nearestLine(to path: [String], inDocument document: Int, of bytes: [UInt8]) -> Int? {
        for count in stride(from: path.count, through: 0, by: -1) {
            if let line = line(of: Array(path.prefix(count)), inDocument: document, of: bytes) { return line }
        }
        return nil
    }
}

private struct YAMLLocator: ~Copyable {
    private var parser: YAMLEventParser

    init(_ parser: consuming YAMLEventParser) { self.parser = parser }

    mutating func line(of path: ArraySlice<String>, document: Int) throws(Failure) -> Int? {
        try parser.next()
        for _ in 0..<document {
            try parser.next()
            guard parser.type == YAML_DOCUMENT_START_EVENT else { return nil }
            while parser.type != YAML_DOCUMENT_END_EVENT { try parser.next() }
        }
        try parser.next()
        guard parser.type == YAML_DOCUMENT_START_EVENT else { return nil }
        try parser.next()
        var line = parser.line
        for step in path {
            switch parser.type {
            case YAML_MAPPING_START_EVENT:
                guard let found = try enterMember(step) else { return nil }
                line = found
            case YAML_SEQUENCE_START_EVENT:
                guard let index = Int(step), try enterElement(index) else { return nil }
                line = parser.line
            default: return nil
            }
        }
        return line
    }

    /// Ends at the member's value; answers the line of its name.
    private mutating func enterMember(_ name: String) throws(Failure) -> Int? {
        try parser.next()
        while parser.type != YAML_MAPPING_END_EVENT {
            let isIt = parser.type == YAML_SCALAR_EVENT && parser.text.elementsEqual(name.utf8)
            let line = parser.line
            try skip()
            try parser.next()
            if isIt { return line }
            try skip()
            try parser.next()
        }
        return nil
    }

    private mutating func enterElement(_ index: Int) throws(Failure) -> Bool {
        try parser.next()
        var rest = index
        while parser.type != YAML_SEQUENCE_END_EVENT {
            if rest == 0 { return true }
            rest -= 1
            try skip()
            try parser.next()
        }
        return false
    }

    /// From a node's first event to its last.
    private mutating func skip() throws(Failure) {
        var depth = 0
        while true {
            switch parser.type {
            case YAML_MAPPING_START_EVENT, YAML_SEQUENCE_START_EVENT: depth += 1
            case YAML_MAPPING_END_EVENT, YAML_SEQUENCE_END_EVENT: depth -= 1
            default: break
            }
            if depth <= 0 { return }
            try parser.next()
        }
    }
}
