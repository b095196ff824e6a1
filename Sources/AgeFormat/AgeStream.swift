import Crypto
public import Shiplog

/// The age format, version 1 (https://c2sp.org/age), as a stream: what goes in comes out in pieces of 64 KiB, however long
/// the whole is.
enum AgeStream {
    /// Bytes of plain text in a chunk; each has a tag of 16 behind it.
    static let chunk = 64 << 10

    /// Eleven bytes of counter, and whether it is the last chunk.
    static func nonce(_ counter: UInt64, isLast: Bool) -> [UInt8] {
        [0, 0, 0] + (0..<8).map { UInt8(truncatingIfNeeded: counter >> (8 * (7 - UInt64($0)))) } + [isLast ? 1 : 0]
    }
}

/// Encrypts. Nothing is readable unless `finish` has been written too: a file cut short does not pass for a whole one.
public struct AgeEncryptor {
    private let key: SymmetricKey
    private var counter: UInt64 = 0
    private var pending: [UInt8] = []
    /// What a file begins with: write it before anything else.
    public let head: [UInt8]

    /// - Parameter recipients: at least one; a passphrase stands alone.
    /// - Throws: `age.recipient-invalid`.
    public init(to recipients: [AgeRecipient]) throws(Failure) {
        let passphrases = recipients.filter { if case .passphrase = $0 { true } else { false } }
        guard !recipients.isEmpty, passphrases.isEmpty || recipients.count == 1 else {
            throw Failure(
                .ageRecipientInvalid, "a file is encrypted to recipients, at least one, or with a passphrase alone",
                remedy: "name either recipients or a passphrase")
        }
        let fileKey = SymmetricKey(size: .bits128)
        var stanzas: [AgeStanza] = []
        for recipient in recipients { stanzas.append(try .wrap(fileKey, for: recipient)) }
        let nonce = Sealing.random(16)
        head = AgeHeader.write(stanzas, fileKey) + nonce
        key = Sealing.derive(fileKey, salt: nonce, "payload")
    }

    /// - Returns: what can be written now.
    public mutating func encrypt(_ bytes: some Collection<UInt8>) throws(Failure) -> [UInt8] {
        pending += bytes
        var result: [UInt8] = []
        var start = 0
        // One chunk stays: only the end tells whether it is the last.
        while pending.count - start > AgeStream.chunk {
            result += try seal(pending[start..<start + AgeStream.chunk], isLast: false)
            start += AgeStream.chunk
        }
        pending.removeFirst(start)
        return result
    }

    /// The end. Nothing can be encrypted after it.
    public mutating func finish() throws(Failure) -> [UInt8] {
        defer { pending = [] }
        return try seal(pending[...], isLast: true)
    }

    private mutating func seal(_ bytes: ArraySlice<UInt8>, isLast: Bool) throws(Failure) -> [UInt8] {
        defer { counter += 1 }
        return try Sealing.seal(bytes, key, nonce: AgeStream.nonce(counter, isLast: isLast))
    }
}

/// Decrypts. What it gives back is what was encrypted, in that order; that it is all of it only `finish` knows.
public struct AgeDecryptor {
    private let identity: AgeIdentity
    private var key: SymmetricKey?
    private var pending: [UInt8] = []
    private var counter: UInt64 = 0

    public init(_ identity: AgeIdentity) { self.identity = identity }

    /// - Throws: `age.damaged`, `age.no-match`, `age.unsupported`.
    public mutating func decrypt(_ bytes: some Collection<UInt8>) throws(Failure) -> [UInt8] {
        pending += bytes
        if key == nil {
            guard let end = try AgeHeader.end(in: pending), pending.count >= end + 16 else { return [] }
            let fileKey = try AgeHeader.open(Array(pending[..<end]), identity)
            key = Sealing.derive(fileKey, salt: Array(pending[end..<end + 16]), "payload")
            pending.removeFirst(end + 16)
        }
        var result: [UInt8] = []
        var start = 0
        while pending.count - start > AgeStream.chunk + 16 {
            result += try open(pending[start..<start + AgeStream.chunk + 16], isLast: false)
            start += AgeStream.chunk + 16
        }
        pending.removeFirst(start)
        return result
    }

    /// The end of the file has been reached.
    /// - Throws: `age.damaged` when this is not its end.
    public mutating func finish() throws(Failure) -> [UInt8] {
        guard key != nil else { throw .ageDamaged("it ends within its header") }
        let bytes = try open(pending[...], isLast: true)
        guard !bytes.isEmpty || counter == 1 else { throw .ageDamaged("its last chunk is empty") }
        pending = []
        return bytes
    }

    private mutating func open(_ chunk: ArraySlice<UInt8>, isLast: Bool) throws(Failure) -> [UInt8] {
        guard let key, let bytes = Sealing.open(chunk, key, nonce: AgeStream.nonce(counter, isLast: isLast)) else {
            throw .ageDamaged(isLast ? "it was changed, or is cut short" : "chunk \(counter + 1) was changed")
        }
        counter += 1
        return bytes
    }
}
