import CYAML
import Shiplog

/// libyaml's event parser over bytes that stay where they are; owns the parser and the event it holds.
struct YAMLEventParser: ~Copyable {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let event: UnsafeMutablePointer<yaml_event_t>
    private let input: UnsafeBufferPointer<UInt8>
    let file: String

    /// - Parameter bytes: must outlive the parser, which keeps the pointer.
    init(_ bytes: UnsafeBufferPointer<UInt8>, file: String) throws(Failure) {
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        guard yaml_parser_initialize(parser) == 1 else {
            parser.deallocate()
            throw Failure(.yamlLimit, "\(file): no memory for the YAML parser", next: .retry(afterMilliseconds: nil))
        }
        self.parser = parser
        event = .allocate(capacity: 1)
        event.initialize(to: yaml_event_t())
        input = bytes
        self.file = file
        yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
    }

    deinit {
        yaml_event_delete(event)
        yaml_parser_delete(parser)
        event.deallocate()
        parser.deallocate()
    }

    /// Frees the current event and reads the next one.
    mutating func next() throws(Failure) {
        yaml_event_delete(event)
        guard yaml_parser_parse(parser, event) == 1 else { throw syntaxError() }
    }

    var type: yaml_event_type_t { event.pointee.type }
    var isAtEnd: Bool { event.pointee.type == YAML_STREAM_END_EVENT }
    /// Counted from 1.
    var line: Int { event.pointee.start_mark.line &+ 1 }
    var column: Int { event.pointee.start_mark.column &+ 1 }

    /// The text of a scalar event; valid until the next event.
    var text: UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: shiplog_yaml_scalar_value(event), count: shiplog_yaml_scalar_length(event))
    }
    /// Whether a scalar event is to be resolved: plain without a tag, or with the tag `!`.
    var isPlain: Bool { shiplog_yaml_scalar_is_plain(event) == 1 }
    var hasAnchor: Bool { shiplog_yaml_anchor(event) != nil }
    /// The anchor that a node sets or an alias refers to.
    var anchor: String? { shiplog_yaml_anchor(event).map { String(cString: $0) } }
    var hasTag: Bool { shiplog_yaml_tag(event) != nil }
    /// In its long form, `tag:yaml.org,2002:str`.
    var tag: String? { shiplog_yaml_tag(event).map { String(cString: $0) } }

    /// A failure at the current event.
    func failure(_ message: String, code: Failure.Code = .yamlInvalid, remedy: String? = nil) -> Failure {
        failure(message, line: line, column: column, code: code, remedy: remedy)
    }

    func failure(
        _ message: String, line: Int, column: Int?, code: Failure.Code = .yamlInvalid, remedy: String? = nil
    ) -> Failure {
        Failure(
            code, "\(file):\(line)" + (column.map { ":\($0)" } ?? "") + ": " + message,
            remedy: remedy ?? "correct the file at that place")
    }

    private func syntaxError() -> Failure {
        let state = parser.pointee
        let problem = state.problem.map { String(cString: $0) } ?? "not readable as YAML"
        switch state.error {
        case YAML_MEMORY_ERROR:
            return Failure(.yamlLimit, "\(file): no memory to read it", next: .retry(afterMilliseconds: nil))
        case YAML_READER_ERROR:
            return readerError(problem, offset: state.problem_offset)
        default: break
        }
        var message = problem
        let mark = state.problem_mark
        if let context = state.context.map({ String(cString: $0) }) {
            message += ", " + context
            if state.context_mark.line != mark.line { message += " that begins in line \(state.context_mark.line + 1)" }
        }
        return failure(
            message, line: mark.line + 1, column: mark.column + 1,
            remedy: isTab(line: mark.line, column: mark.column)
                ? "indent with blanks: YAML does not allow tabs there" : nil)
    }

    /// The reader knows only an offset, and reads ahead of the scanner, so that no mark can be used.
    private func readerError(_ problem: String, offset: Int) -> Failure {
        let isUTF16 =
            parser.pointee.encoding == YAML_UTF16LE_ENCODING || parser.pointee.encoding == YAML_UTF16BE_ENCODING
        guard !isUTF16, offset <= input.count else { return Failure(.yamlInvalid, "\(file): \(problem)") }
        let (line, column) = TextPosition.of(offset, in: input)
        let isText = problem.hasPrefix("control")
        return failure(
            isText ? problem : "not UTF-8 (\(problem))", line: line, column: column,
            remedy: isText ? "write it as an escape in a double-quoted string" : "save the file as UTF-8")
    }

    private func isTab(line: Int, column: Int) -> Bool {
        var current = 0
        var index = 0
        while current < line, index < input.count {
            if input[index] == UInt8(ascii: "\n") { current += 1 }
            index += 1
        }
        // Before the place the parser stopped at, only white space counts as indentation.
        let end = min(input.count, index + column + 1)
        guard index < end else { return false }
        for byte in input[index..<end] where byte != UInt8(ascii: " ") { return byte == UInt8(ascii: "\t") }
        return false
    }
}

/// Where a byte stands, for people.
enum TextPosition {
    /// Line and column (in bytes), both counted from 1.
    static func of(_ offset: Int, in bytes: UnsafeBufferPointer<UInt8>) -> (line: Int, column: Int) {
        var line = 1
        var start = 0
        for index in 0..<min(max(0, offset), bytes.count) where bytes[index] == UInt8(ascii: "\n") {
            line += 1
            start = index + 1
        }
        return (line, max(0, offset - start) + 1)
    }
}
