import CZlib
import Shiplog

/// Raw DEFLATE (RFC 1951), a piece at a time.
///
/// zlib's stream points back at its own place in memory, so it stands on the heap and never moves.
final class Deflater {
    private let stream: UnsafeMutablePointer<z_stream>
    private var isOpen: Bool

    /// - Parameter level: 0 copies, 1 is fast, 9 is small.
    init(level: Int32) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // Negative window bits: no header of zlib's around the data.
        isOpen =
            deflateInit2_(
                stream, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size)) == Z_OK
    }

    deinit {
        if isOpen { deflateEnd(stream) }
        stream.deallocate()
    }

    /// Adds what comes out of `input` to `output`.
    /// - Parameter isLast: ends the data; the next piece begins anew.
    /// - Throws: `evidence.zip-failed`.
    func add(_ input: [UInt8], isLast: Bool, to output: inout [UInt8]) throws(Failure) {
        guard isOpen else { throw Self.failed }
        var isSound = true
        input.withUnsafeBufferPointer { bytes in
            stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress)
            stream.pointee.avail_in = uInt(bytes.count)
            var room: UInt32 = 0
            repeat {
                var result = Z_OK
                let piece = [UInt8](unsafeUninitializedCapacity: 32 << 10) { target, count in
                    stream.pointee.next_out = target.baseAddress
                    stream.pointee.avail_out = 32 << 10
                    result = deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
                    room = stream.pointee.avail_out
                    count = (32 << 10) - Int(room)
                }
                output += piece
                isSound = result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR
            } while isSound && room == 0
            stream.pointee.next_in = nil
        }
        guard isSound else { throw Self.failed }
        if isLast { deflateReset(stream) }
    }

    private static let failed = Failure("evidence.zip-failed", "the pack could not be compressed: out of memory")
}

/// Raw DEFLATE back into what it was, a piece at a time.
final class Inflater {
    private let stream: UnsafeMutablePointer<z_stream>
    private var isOpen: Bool
    private(set) var isAtEnd = false
    private var input: [UInt8] = []
    private var position = 0

    init() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        isOpen = inflateInit2_(stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    }

    deinit {
        if isOpen { inflateEnd(stream) }
        stream.deallocate()
    }

    var isHungry: Bool { position == input.count }

    /// Gives it the next piece, once it has used up the one before.
    func feed(_ bytes: [UInt8]) {
        input = bytes
        position = 0
    }

    /// What comes next, at most 64 KiB; nil when the data are damaged.
    func next() -> [UInt8]? {
        guard isOpen, !isAtEnd else { return [] }
        let capacity = 64 << 10
        var result = Z_OK
        let rest = input.count - position
        let output = [UInt8](unsafeUninitializedCapacity: capacity) { target, count in
            input.withUnsafeBufferPointer { bytes in
                stream.pointee.next_in = bytes.baseAddress.map { UnsafeMutablePointer(mutating: $0 + position) }
                stream.pointee.avail_in = uInt(rest)
                stream.pointee.next_out = target.baseAddress
                stream.pointee.avail_out = uInt(capacity)
                result = inflate(stream, Z_NO_FLUSH)
                position += rest - Int(stream.pointee.avail_in)
                count = capacity - Int(stream.pointee.avail_out)
            }
        }
        switch result {
        case Z_STREAM_END: isAtEnd = true
        case Z_OK: break
        // No progress was possible: only that more is wanted.
        case Z_BUF_ERROR where output.isEmpty && isHungry: break
        default: return nil
        }
        return output
    }
}

/// CRC-32 as zip has it.
struct Checksum {
    private(set) var value: UInt32 = 0

    mutating func add(_ bytes: [UInt8]) {
        value = UInt32(truncatingIfNeeded: crc32_z(uLong(value), bytes, bytes.count))
    }
}
