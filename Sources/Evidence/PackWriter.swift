import Crypto
import Shiplog

/// The zip file of a pack, and the digests of what is in it.
struct PackWriter {
    private var zip: ZipWriter
    private var digest = SHA256()
    private var name = ""
    private var manifest = ""

    init(at time: Timestamp) { zip = ZipWriter(at: time) }

    mutating func begin(_ name: String, isLarge: Bool = false, isCompressible: Bool = true) {
        zip.begin(name, isLarge: isLarge, isCompressible: isCompressible)
        digest = SHA256()
        self.name = name
    }

    mutating func add(_ bytes: [UInt8], _ sink: ExportSink) async throws {
        // A long body is passed on in parts, so that it is never held twice.
        var rest = bytes[...]
        repeat {
            let part = Array(rest.prefix(1 << 20))
            rest = rest.dropFirst(part.count)
            digest.update(data: part)
            try zip.add(part)
            if zip.pendingCount >= ExportStream.piece { try await sink(zip.take()) }
        } while !rest.isEmpty
    }

    mutating func end(_ sink: ExportSink) async throws {
        try zip.end()
        manifest += Array(digest.finalize()).hex + "  " + name + "\n"
        if zip.pendingCount >= ExportStream.piece { try await sink(zip.take()) }
    }

    mutating func file(_ name: String, _ bytes: [UInt8], _ sink: ExportSink) async throws {
        begin(name)
        try await add(bytes, sink)
        try await end(sink)
    }

    /// Adds the manifest, as `sha256sum --check` reads it, and the directory.
    mutating func finish(_ sink: ExportSink) async throws {
        let text = manifest
        try await file("manifest.sha256", Array(text.utf8), sink)
        zip.finish()
        try await sink(zip.take())
    }
}
