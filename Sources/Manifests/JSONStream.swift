import Shiplog

/// Several JSON texts, one after the other, as a `.json` file may hold them.
enum JSONStream {
    static func read(_ bytes: [UInt8], file: String, limits: YAMLLimits) throws(Failure) -> [YAMLDocument] {
        guard bytes.count <= limits.bytes else {
            throw Failure(
                .yamlLimit, "\(file): the file has \(bytes.count) bytes, more than the limit of \(limits.bytes)",
                remedy: "split the file")
        }
        var result: [YAMLDocument] = []
        // A byte order mark is no JSON, but editors write it.
        var position = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        var index = 0
        while let start = bytes[position...].firstIndex(where: { !isSpace($0) }) {
            let end = endOfValue(bytes, from: start)
            do throws(JSONError) {
                let json = try JSON(parsing: bytes[start..<end], depth: limits.depth)
                let line = TextPosition.of(start, in: bytes).line
                if json != .null { result.append(YAMLDocument(json: json, line: line, index: index)) }
            } catch {
                let (line, column) = TextPosition.of(start + error.offset, in: bytes)
                throw Failure(.jsonInvalid, "\(file):\(line):\(column): \(error.message)")
            }
            index += 1
            position = end
        }
        return result
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

    /// Where the value that starts here ends, as far as brackets and quotes tell; the reader judges the rest.
    private static func endOfValue(_ bytes: [UInt8], from start: Int) -> Int {
        guard bytes[start] == UInt8(ascii: "{") || bytes[start] == UInt8(ascii: "[") else {
            return bytes[start...].firstIndex(where: isSpace) ?? bytes.count
        }
        var depth = 0
        var inString = false
        var index = start
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\\") where inString: index += 1
            case UInt8(ascii: "\""): inString.toggle()
            case UInt8(ascii: "{") where !inString, UInt8(ascii: "[") where !inString: depth += 1
            case UInt8(ascii: "}") where !inString, UInt8(ascii: "]") where !inString:
                depth -= 1
                if depth == 0 { return index + 1 }
            default: break
            }
            index += 1
        }
        return bytes.count
    }
}

extension TextPosition {
    static func of(_ offset: Int, in bytes: [UInt8]) -> (line: Int, column: Int) {
        bytes.withUnsafeBufferPointer { of(offset, in: $0) }
    }
}

extension Failure.Code {
    /// A `.json` file that is no JSON.
    static let jsonInvalid: Self = "manifest.json-invalid"
}
