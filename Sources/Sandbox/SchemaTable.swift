import Shiplog

/// The types of the built-in kinds, in a notation of ours.
///
/// One type a line: its name (`^` when it has one owner as a whole), then its members `name:type`. After a member's
/// name `!` means required and `?` that a zero value counts as absent. Types: `s` string, `i` and `l` integers of 32
/// and 64 bits, `d` number, `b` Boolean, `B` base64, `q` quantity, `t` and `u` times in seconds and microseconds,
/// `x` integer or string, `*` anything, `{T}` a map, `[T]` a list (`#` a set, `@a,b` a map keyed by a and b), or a
/// type's name. `~key` and `+` are the strategic merge patch's merge key and `retainKeys`, `=v` a default that is
/// part of a list's key. Field names and keys are those of the Kubernetes API, version 1.36:
/// https://kubernetes.io/docs/reference/kubernetes-api/
struct SchemaTable: Sendable {
    private let structures: [String: Structure]

    /// The table of every built-in type.
    static let shared = SchemaTable([meta, pods, core, workloads, cluster])

    init(_ texts: [String]) {
        var all: [String: Structure] = [:]
        for text in texts {
            var words: [Substring] = []
            for line in text.split(separator: "\n") {
                if line.first != " " {
                    if let structure = Self.structure(words) { all[structure.name] = structure }
                    words = []
                }
                words += line.split(separator: " ")
            }
            if let structure = Self.structure(words) { all[structure.name] = structure }
        }
        structures = all
    }

    subscript(name: String) -> Structure? { structures[name] }

    /// All names, sorted.
    var names: [String] { structures.keys.sorted() }

    private static func structure(_ words: [Substring]) -> Structure? {
        guard let head = words.first else { return nil }
        let isAtomic = head.last == "^"
        let fields = words.dropFirst().compactMap(field)
        return Structure(name: String(isAtomic ? head.dropLast() : head), fields: fields, isAtomic: isAtomic)
    }

    private static func field(_ word: Substring) -> (String, Field)? {
        guard let colon = word.firstIndex(of: ":") else { return nil }
        var name = word[..<colon]
        var field = Field(shape: .any)
        while let flag = name.last, flag == "!" || flag == "?" {
            if flag == "!" { field.isRequired = true } else { field.dropsZero = true }
            name = name.dropLast()
        }
        var rest = word[word.index(after: colon)...]
        field.shape = shape(&rest)
        if rest.first == "^" {
            field.isAtomic = true
            rest = rest.dropFirst()
        }
        var patch = PatchMerge(merges: false, retainsKeys: false)
        if rest.first == "~" {
            patch.merges = true
            let key = rest.dropFirst().prefix { $0.isLetter }
            if !key.isEmpty { patch.key = String(key) }
            rest = rest.dropFirst(1 + key.count)
        }
        if rest.first == "+" {
            patch.retainsKeys = true
            rest = rest.dropFirst()
        }
        if patch.merges || patch.retainsKeys { field.patch = patch }
        if rest.first == "=" { field.defaultValue = .string(String(rest.dropFirst())) }
        field.summary = Explanations.fields[String(name)]
        return (String(name), field)
    }

    private static func shape(_ rest: inout Substring) -> Shape {
        guard let first = rest.first else { return .any }
        switch first {
        case "{":
            rest = rest.dropFirst()
            let value = shape(&rest)
            rest = rest.dropFirst()
            let isAtomic = rest.first == "^"
            if isAtomic { rest = rest.dropFirst() }
            return .map(value, isAtomic: isAtomic)
        case "[":
            rest = rest.dropFirst()
            let element = shape(&rest)
            rest = rest.dropFirst()
            if rest.first == "#" {
                rest = rest.dropFirst()
                return .list(element, .set)
            }
            guard rest.first == "@" else { return .list(element, .atomic) }
            let keys = rest.dropFirst().prefix { $0.isLetter || $0 == "," }
            rest = rest.dropFirst(1 + keys.count)
            return .list(element, .map(keys: keys.split(separator: ",").map(String.init)))
        default:
            let name = rest.prefix { $0.isLetter || $0.isNumber || $0 == "*" }
            rest = rest.dropFirst(name.count)
            return letters[String(name)] ?? .named(String(name))
        }
    }

    private static let letters: [String: Shape] = [
        "s": .string, "i": .int32, "l": .int64, "d": .number, "b": .boolean, "B": .bytes, "q": .quantity,
        "t": .time, "u": .microTime, "x": .intOrString, "*": .opaque
    ]
}
