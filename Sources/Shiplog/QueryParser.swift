/// Reads a path expression by descent, in jq's order of binding: `|`, `or`, `and`, comparisons, steps.
struct QueryParser {
    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var depth = 0

    private static let maximumDepth = 32

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    mutating func whole() throws(QueryError) -> QueryExpression {
        let expression = try pipeline()
        if takeWord("as") { throw outside("a variable") }
        skipBlanks()
        if let next = peek { throw unexpected(next) }
        return expression
    }

    // MARK: - By order of binding

    private mutating func pipeline() throws(QueryError) -> QueryExpression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth else { throw QueryError("it nests too deep") }
        var result = try alternatives()
        while take("|") { result = .pipe(result, try alternatives()) }
        return result
    }

    private mutating func alternatives() throws(QueryError) -> QueryExpression {
        var result = try conjunctions()
        while takeWord("or") { result = .or(result, try conjunctions()) }
        return result
    }

    private mutating func conjunctions() throws(QueryError) -> QueryExpression {
        var result = try comparison()
        while takeWord("and") { result = .and(result, try comparison()) }
        return result
    }

    private mutating func comparison() throws(QueryError) -> QueryExpression {
        let left = try postfix()
        skipBlanks()
        for sign in QueryExpression.Comparison.allCases where takeText(sign.rawValue) {
            let result = QueryExpression.compare(left, sign, try postfix())
            skipBlanks()
            if let next = peek, "=!<>".unicodeScalars.contains(next) {
                throw QueryError("comparisons do not follow one another")
            }
            return result
        }
        return left
    }

    private mutating func postfix() throws(QueryError) -> QueryExpression {
        skipBlanks()
        let base = try term()
        var steps: [QueryExpression.Step] = []
        if base == .identity, let name = try directName() { steps.append(.field(name)) }
        while true {
            if takeText("?") { continue }
            if takeText("[") {
                steps.append(try bracket())
            } else if peek == ".", peek(1) == "[" {
                position += 1
            } else if peek == "." {
                position += 1
                guard let name = try directName() else { throw outside("the recursive ..") }
                steps.append(.field(name))
            } else {
                break
            }
        }
        return steps.isEmpty ? base : .steps(base, steps)
    }

    /// A name or a string right after a point.
    private mutating func directName() throws(QueryError) -> String? {
        if peek == "\"" { return try string() }
        guard let first = peek, Self.startsName(first) else { return nil }
        return word()
    }

    private mutating func bracket() throws(QueryError) -> QueryExpression.Step {
        skipBlanks()
        let step: QueryExpression.Step
        switch peek {
        case "]": step = .each
        case "\"": step = .field(try string())
        default:
            guard let number = try number() else { throw outside("what is between its square brackets") }
            guard let index = number.integer.flatMap({ Int(exactly: $0) }) else {
                throw QueryError("an index is a whole number")
            }
            step = .index(index)
        }
        skipBlanks()
        if peek == ":" { throw outside("a slice") }
        guard takeText("]") else { throw missing("]") }
        return step
    }

    // MARK: - Terms

    private mutating func term() throws(QueryError) -> QueryExpression {
        guard let next = peek else { throw QueryError("it ends where something has to follow") }
        switch next {
        case ".":
            position += 1
            if peek == "." { throw outside("the recursive ..") }
            return .identity
        case "(":
            position += 1
            let inner = try pipeline()
            guard take(")") else { throw missing(")") }
            return inner
        case "\"": return .literal(.string(try string()))
        case "-", "0"..."9":
            guard let number = try number() else { throw unexpected(next) }
            return .literal(number)
        default:
            guard Self.startsName(next) else { throw unexpected(next) }
            return try named(word())
        }
    }

    private mutating func named(_ name: String) throws(QueryError) -> QueryExpression {
        switch name {
        case "true": return .literal(true)
        case "false": return .literal(false)
        case "null": return .literal(.null)
        case "not": return .function(.not)
        case "length": return .function(.length)
        case "type": return .function(.type)
        case "select":
            guard take("(") else { throw missing("( after select") }
            let condition = try pipeline()
            guard take(")") else { throw missing(")") }
            return .select(condition)
        case "has", "startswith", "endswith", "contains":
            let argument = try argument(of: name)
            switch (name, argument) {
            case ("has", .string), ("has", .integer): return .function(.has(argument))
            case ("startswith", .string(let text)): return .function(.startsWith(text))
            case ("endswith", .string(let text)): return .function(.endsWith(text))
            case ("contains", .string(let text)): return .function(.contains(text))
            default: throw outside("\(name) of anything but a string")
            }
        default: throw outside(name)
        }
    }

    private mutating func argument(of name: String) throws(QueryError) -> JSON {
        guard take("(") else { throw missing("( after \(name)") }
        skipBlanks()
        let value: JSON
        if peek == "\"" {
            value = .string(try string())
        } else if let number = try number() {
            value = number
        } else {
            throw outside("\(name) of anything but a string")
        }
        guard take(")") else {
            skipBlanks()
            throw peek == nil ? missing(")") : outside("\(name) of anything but a string")
        }
        return value
    }

    // MARK: - Words

    private var peek: Unicode.Scalar? { peek(0) }
    private func peek(_ distance: Int) -> Unicode.Scalar? {
        position + distance < scalars.count ? scalars[position + distance] : nil
    }

    private mutating func skipBlanks() {
        while let next = peek, next == " " || next == "\t" || next == "\n" || next == "\r" { position += 1 }
    }

    /// After blanks.
    private mutating func take(_ text: String) -> Bool {
        skipBlanks()
        return takeText(text)
    }

    private mutating func takeText(_ text: String) -> Bool {
        let wanted = Array(text.unicodeScalars)
        guard position + wanted.count <= scalars.count,
            scalars[position..<(position + wanted.count)].elementsEqual(wanted)
        else { return false }
        position += wanted.count
        return true
    }

    private mutating func takeWord(_ word: String) -> Bool {
        skipBlanks()
        let start = position
        guard takeText(word) else { return false }
        if let next = peek, Self.startsName(next) || Self.isDigit(next) {
            position = start
            return false
        }
        return true
    }

    private static func startsName(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "_": true
        default: false
        }
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

    private mutating func word() -> String {
        var text = ""
        while let next = peek, Self.startsName(next) || Self.isDigit(next) {
            text.unicodeScalars.append(next)
            position += 1
        }
        return text
    }

    /// nil when there is none.
    private mutating func number() throws(QueryError) -> JSON? {
        skipBlanks()
        guard let first = peek, first == "-" || Self.isDigit(first) else { return nil }
        var text = ""
        while let next = peek, Self.isDigit(next) || "-+.eE".unicodeScalars.contains(next) {
            text.unicodeScalars.append(next)
            position += 1
        }
        guard let value = try? JSON(parsing: text) else { throw QueryError("\(text) is no number") }
        return value
    }

    private mutating func string() throws(QueryError) -> String {
        let start = position
        position += 1
        while let next = peek, next != "\"" {
            if next == "\\" {
                if peek(1) == "(" { throw outside("a string with \\( in it") }
                position += 1
            }
            position += 1
        }
        guard peek == "\"" else { throw missing("the closing quote") }
        position += 1
        var text = ""
        text.unicodeScalars.append(contentsOf: scalars[start..<position])
        guard let value = (try? JSON(parsing: text))?.string else { throw QueryError("\(text) is no string") }
        return value
    }

    // MARK: - What is wrong

    private func outside(_ what: String) -> QueryError {
        QueryError("it uses \(what), which is outside of the part of jq that is understood", isOutside: true)
    }

    private func missing(_ what: String) -> QueryError { QueryError("\(what) is missing") }

    private func unexpected(_ scalar: Unicode.Scalar) -> QueryError {
        switch scalar {
        case ",": outside("a comma; write two expressions")
        case "[", "{": outside("a list or map of its own")
        case "+", "-", "*", "/", "%": outside("arithmetic or //")
        case "=": outside("an assignment")
        case "$": outside("a variable")
        case "@": outside("a format")
        case "#": outside("a comment")
        case ")": QueryError("a ) has no ( before it")
        default: QueryError("\(JSON.string(String(scalar)).canonicalString) is not understood there")
        }
    }
}
