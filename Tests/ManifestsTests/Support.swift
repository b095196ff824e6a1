import Glibc
import Manifests
import Shiplog
import Testing

/// The root of the checkout, found from this file's own place, links followed.
let checkout: String = {
    guard let path = realpath(#filePath, nil) else { return "." }
    defer { free(path) }
    return String(cString: path).split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        .joined(separator: "/")
}()

/// The bytes of a file of the checkout.
func file(_ path: String) throws -> [UInt8] {
    let stream = try #require(fopen(checkout + "/" + path, "rb"), "cannot open \(path)")
    defer { fclose(stream) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = fread(&chunk, 1, chunk.count, stream)
        if count == 0 { return bytes }
        bytes += chunk[..<count]
    }
}

/// The names in a directory of the checkout, sorted.
func names(in path: String) throws -> [String] {
    let directory = try #require(opendir(checkout + "/" + path), "cannot open \(path)")
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
}

func yaml(_ text: String, limits: YAMLLimits = .default) throws -> [JSON] {
    try YAML.read(Array(text.utf8), file: "test.yaml", limits: limits).map(\.json)
}

/// The failure that reading ends with.
func yamlFailure(_ text: String, limits: YAMLLimits = .default) throws -> Failure {
    try #require(throws: Failure.self) { try yaml(text, limits: limits) }
}

/// SplitMix64: the same numbers in every run.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
