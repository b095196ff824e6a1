import Shiplog

#if canImport(CZlib)
    import CZlib
#endif

/// How a body or blob is stored. The digests are taken before this: they do not depend on a compressor's version.
enum StoredBytes {
    static let plain: Int64 = 0
    static let zlib: Int64 = 1

    /// Compressed where that saves something.
    static func pack(_ bytes: [UInt8]) -> (encoding: Int64, content: [UInt8]) {
        // Below a few hundred bytes the header and the loss of direct readability in sqlite3 are not worth it.
        guard bytes.count >= 256, let packed = deflate(bytes), packed.count < bytes.count else { return (plain, bytes) }
        return (zlib, packed)
    }

    /// Compressed whether it saves something or not.
    static func deflated(_ bytes: [UInt8]) -> [UInt8]? { deflate(bytes) }

    /// - Parameter size: how many bytes there were; a stream that holds more or fewer is refused.
    /// - Throws: `ledger.corrupt`.
    static func unpack(_ content: [UInt8], encoding: Int64, limit: Int) throws(Failure) -> [UInt8] {
        switch encoding {
        case plain: return content
        case zlib:
            guard let bytes = inflate(content, limit: limit) else {
                throw Failure.corrupt("a compressed row of the ledger cannot be decompressed")
            }
            return bytes
        default: throw Failure.corrupt("a row of the ledger is stored in the unknown encoding \(encoding)")
        }
    }

    #if canImport(CZlib)
        private static func deflate(_ bytes: [UInt8]) -> [UInt8]? {
            var length = compressBound(uLong(bytes.count))
            let packed = [UInt8](unsafeUninitializedCapacity: Int(length)) { buffer, count in
                let result = compress2(buffer.baseAddress, &length, bytes, uLong(bytes.count), 6)
                count = result == Z_OK ? Int(length) : 0
            }
            return packed.isEmpty ? nil : packed
        }

        /// The size is not stored with a body, so the room grows until the stream fits, up to `limit`.
        private static func inflate(_ content: [UInt8], limit: Int) -> [UInt8]? {
            var room = min(limit, max(1024, content.count * 8))
            while true {
                var length = uLong(room)
                var result = Z_OK
                let bytes = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
                    result = uncompress(buffer.baseAddress, &length, content, uLong(content.count))
                    count = result == Z_OK ? Int(length) : 0
                }
                if result == Z_OK { return bytes }
                guard result == Z_BUF_ERROR, room < limit else { return nil }
                room = min(limit, room * 4)
            }
        }
    #else
        private static func deflate(_ bytes: [UInt8]) -> [UInt8]? { nil }
        private static func inflate(_ content: [UInt8], limit: Int) -> [UInt8]? { nil }
    #endif
}

extension StoredBytes {
    /// The most a body or a manifest may hold once decompressed: 64 MiB. A stream that claims more is an attack or damage.
    static let limit = 64 << 20
}
