import Crypto
import Shiplog

/// A member of a pack, read from front to back while its digest is taken.
final class PackReader {
    let name: String
    private let contents: ZipReader.Contents
    private var buffer: [UInt8] = []
    private var position = 0
    private var isOver = false
    private var hash = SHA256()

    init(_ name: String, _ contents: ZipReader.Contents) {
        self.name = name
        self.contents = contents
    }

    /// Takes in more; false at the end.
    private func fill() throws(Failure) -> Bool {
        guard !isOver else { return false }
        guard let piece = try contents.next() else {
            isOver = true
            return false
        }
        hash.update(data: piece)
        if position > 0 {
            buffer.removeFirst(position)
            position = 0
        }
        buffer += piece
        return true
    }

    /// The next line without its end; nil when there is no whole one any more.
    /// - Parameter limit: bytes; a longer one is refused.
    func line(limit: Int) throws(Failure) -> [UInt8]? {
        var searched = 0
        while true {
            if let end = buffer[(position + searched)...].firstIndex(of: 0x0A) {
                defer { position = end + 1 }
                return Array(buffer[position..<end])
            }
            searched = buffer.count - position
            guard searched <= limit else { throw ZipReader.invalid("\(name) has a line that is too long") }
            guard try fill() else { return nil }
        }
    }

    /// The next bytes; nil when there are not so many left.
    func bytes(_ count: Int) throws(Failure) -> ArraySlice<UInt8>? {
        while buffer.count - position < count {
            guard try fill() else { return nil }
        }
        defer { position += count }
        return buffer[position..<(position + count)]
    }

    /// Whether everything was read.
    func isAtEnd() throws(Failure) -> Bool {
        while position == buffer.count {
            guard try fill() else { return true }
        }
        return false
    }

    /// Of the whole member, in hexadecimal digits; reads what is left.
    func digest() throws(Failure) -> String {
        position = buffer.count
        while try fill() { position = buffer.count }
        return Array(hash.finalize()).hex
    }
}
