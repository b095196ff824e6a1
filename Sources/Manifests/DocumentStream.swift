import Shiplog

/// The documents of a YAML stream, or of a JSON one when the file's name says so, each read by whoever knows its kind.
enum DocumentStream {
    /// - Parameter take: given a document, and what turns a path of names into the file and line of the nearest one.
    /// - Throws: what `YAML.read` and `take` throw.
    static func read<Value>(
        _ bytes: [UInt8], file: String,
        _ take: (JSON, _ place: @escaping ([String]) -> String) throws(Failure) -> Value
    ) throws(Failure) -> [Value] {
        let documents =
            file.hasSuffix(".json")
            ? try JSONStream.read(bytes, file: file, limits: .default) : try YAML.read(bytes, file: file)
        var result: [Value] = []
        for document in documents {
            result.append(
                try take(document.json) { path in
                    let line = YAML.nearestLine(to: path, inDocument: document.index, of: bytes) ?? document.line
                    return "\(file):\(line): "
                })
        }
        return result
    }
}
