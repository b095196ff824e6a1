import Crypto
import Foundation
import GRDB
public import Shiplog

/// A key to the API: whom it names, what it may do, until when.
public struct Token: Sendable, Hashable {
    public enum Role: String, Sendable, Hashable, CaseIterable {
        case viewer, deployer, auditor, admin
    }

    public struct Draft: Sendable, Hashable {
        /// The person or robot it names.
        public var name: String
        public var isRobot: Bool
        public var role: Role
        /// Globs; empty for none.
        public var projects: [String]
        public var applications: [String]
        /// nil for never.
        public var expiresAt: Timestamp?

        public init(
            name: String, isRobot: Bool = false, role: Role, projects: [String] = ["*"], applications: [String] = ["*"],
            expiresAt: Timestamp? = nil
        ) {
            self.name = name
            self.isRobot = isRobot
            self.role = role
            self.projects = projects
            self.applications = applications
            self.expiresAt = expiresAt
        }
    }

    /// Public; part of the token itself.
    public let id: String
    public let draft: Draft
    public let createdAt: Timestamp
    /// The event that made it.
    public let createdBy: SequenceNumber
    /// The event that revoked it.
    public let revokedBy: SequenceNumber?

    public init(
        id: String, draft: Draft, createdAt: Timestamp, createdBy: SequenceNumber, revokedBy: SequenceNumber? = nil
    ) {
        self.id = id
        self.draft = draft
        self.createdAt = createdAt
        self.createdBy = createdBy
        self.revokedBy = revokedBy
    }

    public var name: String { draft.name }
    public var isRobot: Bool { draft.isRobot }
    public var role: Role { draft.role }
    public var projects: [String] { draft.projects }
    public var applications: [String] { draft.applications }
    public var expiresAt: Timestamp? { draft.expiresAt }
}

/// `shp_ID_SECRET`: an id of twelve letters to find the row by, and 256 random bits in base64url.
///
/// What is stored is SHA-256 of the whole: a slow password hash would only slow the server down, for there is nothing to
/// guess in 256 random bits. `docs/decisions/0010-tokens-in-the-ledger.md`.
enum TokenText {
    static let prefix = "shp_"

    static func make() -> (id: String, text: String) {
        let id = Names.random(12)
        let secret = SymmetricKey(size: .bits256).withUnsafeBytes { Data($0) }.base64EncodedString()
        let url = String(secret.compactMap { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 == "=" ? nil : $0 })
        return (id, prefix + id + "_" + url)
    }

    /// The id within a token's text.
    static func id(of text: String) -> String? {
        guard text.utf8.count == 60, text.hasPrefix(prefix) else { return nil }
        let rest = text.dropFirst(prefix.count)
        guard let end = rest.firstIndex(of: "_"), rest.distance(from: rest.startIndex, to: end) == 12 else {
            return nil
        }
        return String(rest[..<end])
    }

    static func hash(_ text: String) -> [UInt8] { Hashing.sha256(Array(text.utf8)) }

    /// Takes as long whichever byte differs.
    static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for (first, second) in zip(left, right) { difference |= first ^ second }
        return difference == 0
    }
}

extension Ledger {
    /// Makes a token. Its text is given back once and stored nowhere.
    public func createToken(_ draft: Token.Draft, actor: Actor) async throws(Failure) -> (Token, secret: SecretText) {
        guard !draft.name.isEmpty, draft.name.utf8.count <= 200 else {
            throw Failure("token.invalid", "a token's name has 1 to 200 bytes")
        }
        let (id, text) = TokenText.make()
        let hash = TokenText.hash(text)
        let facts = JSON.members([
            "applications": .array(draft.applications.map { .string($0) }),
            "expiresAt": draft.expiresAt.map(EntryFields.time), "hash": .string(hash.hex), "id": .string(id),
            "name": .string(draft.name), "projects": .array(draft.projects.map { .string($0) }),
            "robot": draft.isRobot ? true : nil, "role": .string(draft.role.rawValue)
        ])
        let (sequence, at) = try await writer.write(
            prepare: { () throws(Failure) in
                try EntryFormat1.draft(Event(.tokenCreated, actor: actor, facts: facts))
            },
            { transaction, entry in
                let sequence = try transaction.append(entry, to: .event)
                try transaction.run(
                    "INSERT INTO token (id, hash, created_by) VALUES (?, ?, ?)", [id, Data(hash), sequence.value])
                return (sequence, transaction.end.recordedAt)
            })
        let token = Token(id: id, draft: draft, createdAt: Timestamp(milliseconds: at), createdBy: sequence)
        return (token, SecretText(text))
    }

    /// The token that this text is; nil for anything else, expired and revoked ones included.
    public func authenticate(_ secret: SecretText) async throws(Failure) -> Token? {
        guard let id = TokenText.id(of: secret.revealed) else { return nil }
        let hash = TokenText.hash(secret.revealed)
        let now = now()
        return try await read("checking a token") { db in
            let statement = try db.cachedStatement(
                sql: "SELECT id, hash, created_by, revoked_by FROM token WHERE id = ? AND revoked_by IS NULL")
            guard let row = try Row.fetchOne(statement, arguments: [id]),
                TokenText.isEqual(Array(try row.held("hash") as Data), hash)
            else { return nil }
            let token = try Self.token(db, row)
            if let end = token.expiresAt, end <= now { return nil }
            return token
        }
    }

    /// All tokens, revoked and expired ones included, newest first.
    public func tokens() async throws(Failure) -> [Token] {
        try await read("reading tokens") { db in
            try Row.fetchAll(db, sql: "SELECT id, hash, created_by, revoked_by FROM token ORDER BY created_by DESC")
                .map { try Self.token(db, $0) }
        }
    }

    /// - Throws: `token.unknown` when there is none of that id that is not revoked.
    @discardableResult
    public func revokeToken(_ id: String, actor: Actor) async throws(Failure) -> SequenceNumber {
        try await writer.write { transaction in
            guard try transaction.exists("SELECT 1 FROM token WHERE id = ? AND revoked_by IS NULL", [id]) else {
                throw Failure(
                    .tokenUnknown, "there is no token of that id that is not revoked",
                    remedy: "list them with shiplog token list")
            }
            let event = Event(.tokenRevoked, actor: actor, facts: ["id": .string(id)])
            let sequence = try transaction.append(try EntryFormat1.draft(event), to: .event)
            try transaction.run("UPDATE token SET revoked_by = ? WHERE id = ?", [sequence.value, id])
            return sequence
        }
    }

    /// Everything but the hash is read from the event that made it: a row changed by hand changes nothing.
    private static func token(_ db: Database, _ row: Row) throws -> Token {
        let (id, hash): (String, Data) = (try row.held("id"), try row.held("hash"))
        guard let event = try Reading.event(db, at: try row.held("created_by")), event.value.kind == .tokenCreated,
            event.value.facts["hash"]?.string == Array(hash).hex, event.value.facts["id"]?.string == id
        else { throw Failure.corrupt("a token is not the one that its event names") }
        let facts = Fields(event.value.facts, "token")
        let draft = Token.Draft(
            name: try facts.string("name"), isRobot: facts.json["robot"]?.bool ?? false, role: try facts.word("role"),
            projects: (facts.json["projects"]?.array ?? []).compactMap(\.string),
            applications: (facts.json["applications"]?.array ?? []).compactMap(\.string),
            expiresAt: try facts.optionalInteger("expiresAt").map { Timestamp(milliseconds: $0) })
        return Token(
            id: id, draft: draft, createdAt: event.recordedAt, createdBy: event.sequence,
            revokedBy: (try row.held("revoked_by") as Int64?).flatMap { SequenceNumber($0) })
    }
}
