import CYAML
import Shiplog

/// Builds `JSON` from events as they come, without a tree in between.
struct YAMLComposer: ~Copyable {
    /// A value that an alias may repeat, and what repeating it costs.
    private struct Anchor {
        let value: JSON
        let nodes: Int
        let bytes: Int
        /// Levels of maps and lists below the node itself; -1 for a scalar.
        let height: Int
    }

    // Not private: the compiler (6.3) fails on a private type inside the generic stack of another file.
    struct Member {
        let name: String
        let line: Int
        let value: JSON
    }

    private var parser: YAMLEventParser
    private let limits: YAMLLimits
    private var names = YAMLTextTable()

    // What has been built so far, aliases included.
    private var nodes = 0
    private var bytes = 0
    private var aliasNodes = 0
    private var aliasBytes = 0
    private var deepest = 0

    private var anchors: [String: Anchor] = [:]
    /// Anchors whose node has not ended: an alias to one of them would contain itself.
    private var openAnchors: [String] = []

    // Members of the maps and elements of the lists that are being read, innermost last: each is built once, at its
    // final size.
    private var members = YAMLStack<Member>()
    private var elements = YAMLStack<JSON>()

    init(_ parser: consuming YAMLEventParser, limits: YAMLLimits) {
        self.parser = parser
        self.limits = limits
    }

    mutating func documents() throws(Failure) -> [YAMLDocument] {
        var result: [YAMLDocument] = []
        var index = 0
        try parser.next()
        while true {
            try parser.next()
            guard parser.type == YAML_DOCUMENT_START_EVENT else { return result }
            anchors.removeAll(keepingCapacity: true)
            try parser.next()
            let line = parser.line
            let json = try node(depth: 0)
            try parser.next()
            if json != .null { result.append(YAMLDocument(json: json, line: line, index: index)) }
            index += 1
        }
    }

    /// The node that the current event begins; ends at its last event.
    private mutating func node(depth: Int) throws(Failure) -> JSON {
        let type = parser.type
        if type == YAML_ALIAS_EVENT { return try alias(depth: depth) }
        nodes &+= 1
        guard parser.hasAnchor, let name = parser.anchor else { return try content(type, depth: depth) }
        let before = (nodes: nodes - 1, bytes: bytes, deepest: deepest)
        deepest = depth - 1
        openAnchors.append(name)
        let value = try content(type, depth: depth)
        openAnchors.removeLast()
        anchors[name] = Anchor(
            value: value, nodes: nodes - before.nodes, bytes: bytes - before.bytes, height: deepest - depth)
        deepest = max(deepest, before.deepest)
        return value
    }

    private mutating func content(_ type: yaml_event_type_t, depth: Int) throws(Failure) -> JSON {
        if type == YAML_SCALAR_EVENT { return try scalar() }
        guard depth < limits.depth else { throw tooDeep() }
        if depth > deepest { deepest = depth }
        // Only lists and maps need asking: a scalar costs more bytes of input than it weighs.
        guard nodes - aliasNodes <= limits.nodes else {
            throw parser.failure(
                "more than \(limits.nodes) values in one file", code: .yamlLimit, remedy: "split the file")
        }
        if parser.hasTag, let tag = parser.tag {
            let own = type == YAML_MAPPING_START_EVENT ? "map" : "seq"
            guard tag == "tag:yaml.org,2002:" + own || tag == "!" else { throw unknownTag(tag) }
        }
        return type == YAML_MAPPING_START_EVENT ? try map(depth: depth) : try list(depth: depth)
    }

    private mutating func list(depth: Int) throws(Failure) -> JSON {
        let base = elements.count
        try parser.next()
        while parser.type != YAML_SEQUENCE_END_EVENT {
            elements.push(try node(depth: depth + 1))
            try parser.next()
        }
        return .array(elements.popAll(from: base))
    }

    private mutating func map(depth: Int) throws(Failure) -> JSON {
        let base = members.count
        var merged: [String: JSON]?
        try parser.next()
        while parser.type != YAML_MAPPING_END_EVENT {
            if isMergeKey {
                try parser.next()
                try merge(into: &merged, depth: depth + 1)
                try parser.next()
                continue
            }
            let line = parser.line
            let name = try memberName()
            try parser.next()
            members.push(Member(name: name, line: line, value: try node(depth: depth + 1)))
            try parser.next()
        }
        var result = [String: JSON](minimumCapacity: members.count - base)
        var twice: (name: String, line: Int)?
        members.popEach(from: base) { member in
            let before = result.updateValue(member.value, forKey: member.name)
            if before != nil, twice == nil { twice = (member.name, member.line) }
        }
        if let twice {
            throw parser.failure(
                "the name \(Self.quote(twice.name)) stands twice in one map", line: twice.line, column: nil,
                remedy: "remove one of the two")
        }
        // What is written in the map itself wins, wherever the merge key stands.
        if let merged { result.merge(merged) { own, _ in own } }
        return .object(result)
    }

    // MARK: Names of members

    private var isMergeKey: Bool {
        guard parser.type == YAML_SCALAR_EVENT else { return false }
        let text = parser.text
        guard text.count == 2, text[0] == UInt8(ascii: "<"), text[1] == UInt8(ascii: "<") else { return false }
        return parser.isPlain || parser.tag == "tag:yaml.org,2002:merge"
    }

    private mutating func memberName() throws(Failure) -> String {
        switch parser.type {
        case YAML_SCALAR_EVENT:
            nodes &+= 1
            bytes &+= parser.text.count
            guard !parser.hasAnchor, !parser.hasTag else { break }
            guard parser.isPlain else { return names.text(parser.text) }
            switch YAMLScalar.resolve(parser.text) {
            case .string: return names.text(parser.text)
            case .number(let value): return Self.name(of: value)
            case .integer(let value): return String(value)
            case .bool(let value): return value ? "true" : "false"
            case .null: throw parser.failure("a map's member has no name", remedy: "quote the name: \"null\"")
            case .notJSON: return String(decoding: parser.text, as: UTF8.self).lowercased()
            }
        case YAML_ALIAS_EVENT: break
        default: throw parser.failure("the name of a map's member is itself a map or a list")
        }
        let value = try node(depth: 0)
        switch value {
        case .string(let name): return name
        case .integer(let number): return String(number)
        case .number(let number): return Self.name(of: number)
        case .bool(let flag): return flag ? "true" : "false"
        case .null, .array, .object: throw parser.failure("the name of a map's member is \(value.typeName)")
        }
    }

    /// sigs.k8s.io/yaml writes a float that is a name with the digits of a 32-bit one.
    private static func name(of value: Double) -> String {
        let short = Float(value)
        return short.isFinite ? JSON.number(Double(short.description) ?? value).canonicalString : String(value)
    }

    static func quote(_ name: String) -> String {
        let clean = name.unicodeScalars.prefix(64).map { $0.properties.generalCategory == .control ? "\u{FFFD}" : $0 }
        var text = String.UnicodeScalarView()
        text.append(contentsOf: clean)
        return "\"" + String(text) + (name.unicodeScalars.count > 64 ? "…" : "") + "\""
    }

    // MARK: Merge keys

    /// https://yaml.org/type/merge.html: a map, or a list of maps of which the earlier win.
    private mutating func merge(into merged: inout [String: JSON]?, depth: Int) throws(Failure) {
        let (line, column) = (parser.line, parser.column)
        let value = try node(depth: depth)
        var result: [String: JSON] = [:]
        for source in value.array ?? [value] {
            guard case .object(let members) = source else {
                throw parser.failure("a merge key (<<) wants a map or a list of maps", line: line, column: column)
            }
            result.merge(members) { first, _ in first }
        }
        // A second merge key in the same map overrides the first, as in go-yaml v2.
        if let before = merged { result.merge(before) { second, _ in second } }
        merged = result
    }

    // MARK: Aliases

    private mutating func alias(depth: Int) throws(Failure) -> JSON {
        let name = parser.anchor ?? ""
        if openAnchors.contains(name) {
            throw parser.failure("the value of the anchor \(Self.quote(name)) contains itself")
        }
        guard let anchor = anchors[name] else {
            throw parser.failure("the anchor \(Self.quote(name)) is not defined above")
        }
        guard depth + anchor.height < limits.depth else { throw tooDeep() }
        nodes += anchor.nodes
        bytes += anchor.bytes
        aliasNodes += anchor.nodes
        aliasBytes += anchor.bytes
        if depth + anchor.height > deepest { deepest = depth + anchor.height }
        guard aliasNodes <= limits.aliasNodes, aliasBytes <= limits.aliasBytes else {
            throw parser.failure(
                "the aliases of this file repeat too much", code: .yamlLimit,
                remedy: "write the values out, or use fewer aliases of aliases")
        }
        return anchor.value
    }

    private func tooDeep() -> Failure {
        parser.failure("nested more than \(limits.depth) levels deep", code: .yamlLimit)
    }

    // MARK: Scalars

    private mutating func scalar() throws(Failure) -> JSON {
        let text = parser.text
        bytes &+= text.count
        // "!" asks for the plain reading; libyaml says so in isPlain and keeps the tag.
        if parser.hasTag, let tag = parser.tag, tag != "!" { return try tagged(tag) }
        guard parser.isPlain else { return .string(String(decoding: text, as: UTF8.self)) }
        return try json(YAMLScalar.resolve(text))
    }

    private func json(_ scalar: YAMLScalar) throws(Failure) -> JSON {
        switch scalar {
        case .string: .string(String(decoding: parser.text, as: UTF8.self))
        case .integer(let value): .integer(value)
        case .bool(let value): .bool(value)
        case .null: .null
        case .number(let value): .number(value)
        case .notJSON: throw parser.failure("JSON, and so Kubernetes, has no infinite numbers and no NaN")
        }
    }

    private func tagged(_ tag: String) throws(Failure) -> JSON {
        let prefix = "tag:yaml.org,2002:"
        guard tag.hasPrefix(prefix) else { throw unknownTag(tag) }
        let resolved = YAMLScalar.resolve(parser.text)
        switch (tag.dropFirst(prefix.count), resolved) {
        case ("str", _): return .string(String(decoding: parser.text, as: UTF8.self))
        case ("int", .integer), ("float", .integer), ("float", .number), ("int", .number), ("bool", .bool),
            ("null", .null):
            return try json(resolved)
        case ("timestamp", .string) where parser.text.count >= 8 && parser.text[4] == UInt8(ascii: "-"):
            return .string(String(decoding: parser.text, as: UTF8.self))
        case ("binary", _):
            guard let decoded = Base64.decode(parser.text.filter { $0 != 0x0A && $0 != 0x20 }),
                let text = String(validating: decoded, as: UTF8.self)
            else { throw parser.failure("a !!binary value is not the base64 of UTF-8 text") }
            return .string(text)
        case ("int", _), ("float", _), ("bool", _), ("null", _), ("timestamp", _):
            throw parser.failure("the value is not what its tag !!\(tag.dropFirst(prefix.count)) says")
        default: throw unknownTag(tag)
        }
    }

    private func unknownTag(_ tag: String) -> Failure {
        parser.failure("Kubernetes knows no tag \(Self.quote(tag))", remedy: "remove the tag")
    }
}
