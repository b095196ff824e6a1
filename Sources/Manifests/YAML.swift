public import Shiplog

/// YAML as Kubernetes reads it, between bytes and `JSON`.
///
/// The reading is that of sigs.k8s.io/yaml, which `kubectl`, the API server and Argo CD share: YAML 1.1 scalars (`yes`
/// and `on` are Booleans, `010` is eight), names of members always strings, nothing that JSON cannot say. Stricter in
/// two things: a name that stands twice in one map and an unknown tag are errors.
public enum YAML {
    /// Reads all documents of a stream; those that hold nothing or `null` are left out.
    ///
    /// UTF-8, or UTF-16 with a byte order mark.
    /// - Parameter file: the name for messages.
    /// - Throws: `manifest.yaml-invalid` with file, line and column; `manifest.yaml-limit` when a limit is passed.
    public static func read(
        _ bytes: [UInt8], file: String, limits: YAMLLimits = .default
    ) throws(Failure) -> [YAMLDocument] {
        let result = bytes.withUnsafeBufferPointer { buffer in
            Result { () throws(Failure) in try read(buffer, file: file, limits: limits) }
        }
        return try result.get()
    }

    /// Reads all documents of a stream; see the other `read`.
    public static func read(
        _ bytes: UnsafeBufferPointer<UInt8>, file: String, limits: YAMLLimits = .default
    ) throws(Failure) -> [YAMLDocument] {
        guard bytes.count <= limits.bytes else {
            throw Failure(
                .yamlLimit, "\(file): the file has \(bytes.count) bytes, more than the limit of \(limits.bytes)",
                remedy: "split the file")
        }
        let parser = try YAMLEventParser(bytes, file: file)
        var composer = YAMLComposer(parser, limits: limits)
        return try composer.documents()
    }

    /// Counts libyaml's events and builds nothing: what `read` is measured against.
    public static func scan(_ bytes: [UInt8]) throws(Failure) -> Int {
        let result = bytes.withUnsafeBufferPointer { buffer in
            Result { () throws(Failure) -> Int in
                var parser = try YAMLEventParser(buffer, file: "input")
                var count = 0
                while !parser.isAtEnd {
                    try parser.next()
                    count += 1
                }
                return count
            }
        }
        return try result.get()
    }
}

/// One document of a YAML or JSON stream.
public struct YAMLDocument: Sendable, Hashable {
    public let json: JSON
    /// Where its content begins, counted from 1.
    public let line: Int
    /// Its place in the stream, counted from 0, documents without content included: what `YAML.line(of:…)` asks for.
    public let index: Int

    public init(json: JSON, line: Int, index: Int) {
        self.json = json
        self.line = line
        self.index = index
    }
}

/// What a stream may cost. The bounds hold for one call of `YAML.read`.
public struct YAMLLimits: Sendable, Hashable {
    /// Of the input.
    public var bytes: Int
    /// How deeply maps and lists may nest, aliases followed.
    public var depth: Int
    /// Maps, lists and scalars, aliases not followed.
    public var nodes: Int
    /// Maps, lists and scalars that aliases repeat.
    public var aliasNodes: Int
    /// Bytes of text that aliases repeat.
    public var aliasBytes: Int

    public static let `default` = YAMLLimits()

    public init(
        bytes: Int = 10 << 20, depth: Int = 100, nodes: Int = 1_000_000, aliasNodes: Int = 100_000,
        aliasBytes: Int = 10 << 20
    ) {
        self.bytes = bytes
        self.depth = depth
        self.nodes = nodes
        self.aliasNodes = aliasNodes
        self.aliasBytes = aliasBytes
    }
}

extension Failure.Code {
    /// Bytes that are no YAML, or YAML that JSON cannot hold.
    public static let yamlInvalid: Self = "manifest.yaml-invalid"
    /// YAML that is too large, too deep, or grows too much through its aliases.
    public static let yamlLimit: Self = "manifest.yaml-limit"
}
