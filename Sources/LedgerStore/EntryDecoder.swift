import Shiplog

/// A row as it was read: the verbatim entry and what is left of its bodies.
struct RawRecord: Sendable {
    let entry: [UInt8]
    /// Decompressed content by name; nil for an erased one.
    let bodies: [String: [UInt8]?]
}

/// Reads entries of every released format back into the core's words.
enum EntryDecoder {
    /// What stands where an erased text stood.
    static let erasedText = "(erased)"

    static func parse(_ entry: [UInt8]) throws(Failure) -> JSON {
        do throws(JSONError) {
            return try JSON(parsing: entry)
        } catch {
            throw .corrupt("an entry of the ledger is no JSON (\(error))")
        }
    }

    static func record(_ raw: RawRecord) throws(Failure) -> LedgerRecord {
        let json = try parse(raw.entry)
        let fields = Fields(json, "entry")
        guard try fields.integer("format") == EntryFormat1.number else {
            throw Failure(
                .ledgerNewerSchema, "an entry is in a format that this version does not know",
                remedy: "use the version of shiplog that wrote it, or a newer one")
        }
        guard let sequence = try fields.optionalSequence("sequence") else { throw fields.wrong("sequence") }
        let recordedAt = try fields.time("recordedAt")
        let bodies = try Bodies(raw.bodies)
        let kind = try fields.string("kind")
        if Revision.Kind(rawValue: kind) != nil {
            return .revision(
                StoredRevision(
                    sequence: sequence, recordedAt: recordedAt, value: try revision(json, bodies),
                    pin: try pinChange(json), erased: bodies.erased))
        }
        return .event(
            StoredEvent(
                sequence: sequence, recordedAt: recordedAt, value: try event(json, bodies), pin: try pinChange(json),
                gone: try keys(bodies["gone"]), erased: bodies.erased))
    }

    private static func revision(_ json: JSON, _ bodies: Bodies) throws(Failure) -> Revision {
        let fields = Fields(json, "revision")
        let messages = bodies["messages"]
        let message = messages?["message"]?.string ?? erasedText
        let outcome: Revision.Outcome
        switch json["outcome"]?.string ?? "succeeded" {
        case "succeeded": outcome = .succeeded
        case "failed":
            outcome = .failed(
                try EntryFields.readFailure(
                    try fields.value("failure"), message: message, remedy: messages?["remedy"]?.string))
        case "superseded": outcome = .superseded(message)
        default: throw fields.wrong("outcome")
        }
        var resources: [ResourceOutcome] = []
        for element in bodies["resources"]?.array ?? [] { resources.append(try EntryFields.readOutcome(element)) }
        return Revision(
            kind: try fields.word("kind"),
            application: try EntryFields.readApplication(try fields.value("application")),
            cluster: try json["cluster"].map(EntryFields.readCluster), cause: try fields.word("cause"),
            actor: try EntryFields.readActor(json["actor"], address: bodies["address"]?.string),
            reason: bodies.text("reason"), ticket: json["ticket"]?.string,
            source: try source(json["source"], author: bodies["author"]?.string),
            desired: try fields.optionalDigest("desired"), liveBefore: try fields.optionalDigest("liveBefore"),
            resources: resources, counts: EntryFields.readCounts(json["counts"]),
            options: try EntryFields.readOptions(json["options"]), outcome: outcome,
            syncStatus: json["sync"] == nil ? .synced : try fields.word("sync"),
            health: json["health"] == nil ? .healthy : try fields.word("health"),
            rolledBackTo: try fields.optionalSequence("rolledBackTo"), attempt: try fields.optionalSequence("attempt"),
            retry: try fields.optionalInteger("retry").flatMap { Int(exactly: $0) } ?? 0,
            startedAt: try fields.time("startedAt"), finishedAt: try fields.time("finishedAt"),
            sameAs: try fields.optionalSequence("sameAs"), inputs: json["inputs"]?.string,
            warnings: (messages?["warnings"]?.array ?? []).compactMap(\.string))
    }

    private static func source(_ json: JSON?, author: String?) throws(Failure) -> RevisionSource? {
        guard let json else { return nil }
        return try EntryFields.readSource(json, author: author ?? erasedText)
    }

    private static func event(_ json: JSON, _ bodies: Bodies) throws(Failure) -> Event {
        let fields = Fields(json, "event")
        let reference = try json["application"].map(EntryFields.readApplication)
        return Event(
            try fields.word("kind"), application: reference,
            actor: try EntryFields.readActor(json["actor"], address: bodies["address"]?.string),
            revision: try fields.optionalSequence("revision"), outcome: json["outcome"]?.string ?? "succeeded",
            facts: json["facts"] ?? .object([:]), detail: bodies["detail"])
    }

    /// The intent of an `attempt.started` event, without its manifests.
    static func intent(of event: StoredEvent) throws(Failure) -> (intent: Intent, desired: Digest) {
        let facts = event.value.facts
        let fields = Fields(facts, "intent")
        guard event.value.kind == .attemptStarted, let application = event.value.application,
            let desired = try fields.optionalDigest("desired")
        else { throw fields.wrong("desired") }
        let detail = event.value.detail
        let pin: PinChange? = event.pin
        let intent = Intent(
            kind: try fields.word("kind"), application: application,
            cluster: try EntryFields.readCluster(try fields.value("cluster")), cause: try fields.word("cause"),
            actor: event.value.actor, reason: detail?["reason"]?.string, ticket: facts["ticket"]?.string,
            source: try source(facts["source"], author: detail?["author"]?.string), inputs: facts["inputs"]?.string,
            resources: [], prunes: try keys(detail?["prunes"]), options: try EntryFields.readOptions(facts["options"]),
            rolledBackTo: try fields.optionalSequence("rolledBackTo"),
            retry: try fields.optionalInteger("retry").flatMap { Int(exactly: $0) } ?? 0, pin: pin,
            group: try fields.optionalSequence("group"), startedAt: try fields.time("startedAt"))
        return (intent, desired)
    }

    private static func pinChange(_ json: JSON) throws(Failure) -> PinChange? {
        guard let pin = json["pin"] else { return nil }
        return pin.isNull ? .release : .set(try EntryFields.readPin(pin))
    }

    private static func keys(_ json: JSON?) throws(Failure) -> [ResourceKey] {
        var keys: [ResourceKey] = []
        for element in json?.array ?? [] { keys.append(try EntryFields.readKey(element)) }
        return keys
    }

    /// Parsed bodies, and the names of those that are gone.
    private struct Bodies {
        private var values: [String: JSON] = [:]
        let erased: [String]

        init(_ raw: [String: [UInt8]?]) throws(Failure) {
            var erased: [String] = []
            for (name, content) in raw {
                guard let content else {
                    erased.append(name)
                    continue
                }
                values[name] = try EntryDecoder.parse(content)
            }
            self.erased = erased.sorted()
        }

        subscript(name: String) -> JSON? { values[name] }

        /// An erased text reads as that, not as one that never was.
        func text(_ name: String) -> String? {
            values[name]?.string ?? (erased.contains(name) ? EntryDecoder.erasedText : nil)
        }
    }
}
