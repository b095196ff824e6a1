import Shiplog

/// How the words of the core are written into an entry and read back. Released: what is written here never changes.
enum EntryFields {
    // MARK: Writing

    /// nil for the controller itself, which is most rows. The address is personal: it goes into a body.
    static func actor(_ actor: Actor) -> JSON? {
        guard
            actor.name != Actor.controller.name || actor.means != .controller || actor.tokenID != nil
                || actor.requestID != nil
        else { return nil }
        return .members([
            "means": .string(actor.means.rawValue), "name": .string(actor.name),
            "requestID": actor.requestID.map { .string($0) }, "tokenID": actor.tokenID.map { .string($0) }
        ])
    }

    static func application(_ reference: ApplicationReference) -> JSON {
        [
            "name": .string(reference.name), "project": .string(reference.project),
            "uid": .string(reference.uid.value)
        ]
    }

    static func cluster(_ cluster: ClusterReference) -> JSON {
        .members([
            "name": .string(cluster.name), "server": .string(cluster.server), "uid": cluster.uid.map { .string($0) }
        ])
    }

    /// Without the author, who is a person: a body.
    static func source(_ source: RevisionSource) -> JSON {
        .members([
            "commit": [
                "authoredAt": time(source.commit.authoredAt), "committedAt": time(source.commit.committedAt),
                "id": .string(source.commit.id.hex), "signed": .bool(source.commit.isSigned),
                "subject": .string(source.commit.subject), "tree": .string(source.commit.tree)
            ],
            "path": .string(source.path), "previousCommit": source.previousCommit.map { .string($0.hex) },
            "repository": .string(source.repository), "targetRevision": .string(source.targetRevision)
        ])
    }

    /// nil when everything is as by default.
    static func options(_ options: OperationOptions) -> JSON? {
        let flags: KeyValuePairs = [
            "confirmDestructive": options.confirmDestructive, "dryRun": options.dryRun,
            "hooks": options.hooks, "keepSecrets": options.keepSecrets, "prune": options.prune,
            "replace": options.replace
        ]
        var members: [String: JSON] = [:]
        for (name, flag) in flags where flag { members[name] = true }
        if let hold = options.hold { members["hold"] = .string(hold.rawValue) }
        if let reactsTo = options.reactsTo { members["reactsTo"] = sequence(reactsTo) }
        if let deletion = options.deletion { members["deletion"] = .string(deletion.rawValue) }
        if options.isPartial { members["resources"] = .array(options.resources.map(key)) }
        return members.isEmpty ? nil : .object(members)
    }

    /// nil when nothing was counted.
    static func counts(_ counts: Revision.Counts) -> JSON? {
        let numbers: KeyValuePairs = [
            "created": counts.created, "failed": counts.failed, "leftover": counts.leftover, "pruned": counts.pruned,
            "unchanged": counts.unchanged, "updated": counts.updated
        ]
        var members: [String: JSON] = [:]
        for (name, number) in numbers where number != 0 { members[name] = .integer(Int64(number)) }
        return members.isEmpty ? nil : .object(members)
    }

    /// Without message and remedy, which go into a body.
    static func failure(_ failure: Failure) -> JSON {
        var members: [String: JSON] = ["code": .string(failure.code.rawValue)]
        switch failure.next {
        case .retry(let wait):
            members["next"] = "retry"
            if let wait { members["retryAfter"] = integer(wait) }
        case .person: members["next"] = "person"
        case .superseded: members["next"] = "superseded"
        }
        return .object(members)
    }

    static func pin(_ pin: Pin) -> JSON {
        .members([
            "commit": pin.commit.map { .string($0.hex) }, "desired": digest(pin.desired),
            "hold": .string(pin.hold.rawValue), "leftInputs": pin.leftInputs.map { .string($0) },
            "rejected": .array(pin.rejected.map(digest)), "target": sequence(pin.target)
        ])
    }

    /// `null` says that the pin was released.
    static func pinChange(_ change: PinChange) -> JSON {
        switch change {
        case .set(let pin): self.pin(pin)
        case .release: .null
        }
    }

    static func key(_ key: ResourceKey) -> JSON {
        [.string(key.group), .string(key.kind), .string(key.namespace), .string(key.name)]
    }

    static func outcome(_ outcome: ResourceOutcome) -> JSON {
        .members([
            "action": .string(outcome.action.rawValue), "after": outcome.after.map(digest),
            "apiVersion": .string(outcome.apiVersion), "before": outcome.before.map(digest),
            "code": outcome.code.map { .string($0.rawValue) }, "key": key(outcome.key),
            "message": outcome.message.map { .string($0) },
            "phase": outcome.phase == .sync ? nil : .string(outcome.phase.word),
            "startedAfter": outcome.timing.map { integer($0.startedAfter) },
            "took": outcome.timing.map { integer($0.took) },
            "wave": outcome.wave == 0 ? nil : .integer(Int64(outcome.wave))
        ])
    }

    static func time(_ time: Timestamp) -> JSON { integer(time.milliseconds) }
    static func digest(_ digest: Digest) -> JSON { .string(digest.description) }
    static func sequence(_ sequence: SequenceNumber) -> JSON { integer(sequence.value) }

    /// RFC 8785 numbers are doubles: past ±2^53 an integer is written as a string.
    static func integer(_ value: Int64) -> JSON {
        value.magnitude <= 9_007_199_254_740_992 ? .integer(value) : .string(String(value))
    }

    /// The same value with integers that a double could not hold as strings.
    static func exact(_ value: JSON) -> JSON {
        switch value {
        case .integer(let number): integer(number)
        case .array(let elements): .array(elements.map(exact))
        case .object(let members): .object(members.mapValues(exact))
        default: value
        }
    }

    // MARK: Reading

    static func readActor(_ json: JSON?, address: String?) throws(Failure) -> Actor {
        guard let json else {
            return Actor(name: Actor.controller.name, means: Actor.controller.means, address: address)
        }
        let fields = Fields(json, "actor")
        return Actor(
            name: try fields.string("name"), means: try fields.word("means"), tokenID: json["tokenID"]?.string,
            address: address, requestID: json["requestID"]?.string)
    }

    static func readApplication(_ json: JSON) throws(Failure) -> ApplicationReference {
        let fields = Fields(json, "application")
        guard let uid = ApplicationUID(try fields.string("uid")) else { throw fields.wrong("uid") }
        return ApplicationReference(uid: uid, name: try fields.string("name"), project: try fields.string("project"))
    }

    static func readCluster(_ json: JSON) throws(Failure) -> ClusterReference {
        let fields = Fields(json, "cluster")
        return ClusterReference(
            name: try fields.string("name"), server: try fields.string("server"), uid: json["uid"]?.string)
    }

    static func readSource(_ json: JSON, author: String) throws(Failure) -> RevisionSource {
        let fields = Fields(json, "source")
        let commit = Fields(try fields.value("commit"), "commit")
        guard let id = CommitID(try commit.string("id")) else { throw commit.wrong("id") }
        guard let isSigned = try commit.value("signed").bool else { throw commit.wrong("signed") }
        return RevisionSource(
            repository: try fields.string("repository"), path: try fields.string("path"),
            targetRevision: try fields.string("targetRevision"),
            commit: Commit(
                id: id, tree: try commit.string("tree"), author: author, authoredAt: try commit.time("authoredAt"),
                committedAt: try commit.time("committedAt"), subject: try commit.string("subject"), isSigned: isSigned),
            previousCommit: json["previousCommit"]?.string.flatMap { CommitID($0) })
    }

    static func readOptions(_ json: JSON?) throws(Failure) -> OperationOptions {
        guard let json else { return OperationOptions() }
        func flag(_ name: String) -> Bool { json[name]?.bool ?? false }
        var resources: [ResourceKey] = []
        for element in json["resources"]?.array ?? [] { resources.append(try readKey(element)) }
        let fields = Fields(json, "options")
        var options = OperationOptions(
            prune: flag("prune"), dryRun: flag("dryRun"), replace: flag("replace"),
            confirmDestructive: flag("confirmDestructive"), keepSecrets: flag("keepSecrets"),
            hooks: flag("hooks"), hold: json["hold"] == nil ? nil : try fields.word("hold"), resources: resources,
            deletion: json["deletion"] == nil ? nil : try fields.word("deletion"))
        options.reactsTo = try fields.optionalSequence("reactsTo")
        return options
    }

    static func readCounts(_ json: JSON?) -> Revision.Counts {
        func number(_ name: String) -> Int { json?[name]?.integer.flatMap { Int(exactly: $0) } ?? 0 }
        var counts = Revision.Counts()
        counts.created = number("created")
        counts.updated = number("updated")
        counts.unchanged = number("unchanged")
        counts.pruned = number("pruned")
        counts.failed = number("failed")
        counts.leftover = number("leftover")
        return counts
    }

    static func readFailure(_ json: JSON, message: String, remedy: String?) throws(Failure) -> Failure {
        let fields = Fields(json, "failure")
        let next: Failure.Next
        switch try fields.string("next") {
        case "retry": next = .retry(afterMilliseconds: try fields.optionalInteger("retryAfter"))
        case "person": next = .person
        case "superseded": next = .superseded
        default: throw fields.wrong("next")
        }
        return Failure(Failure.Code(rawValue: try fields.string("code")), message, remedy: remedy, next: next)
    }

    static func readPin(_ json: JSON) throws(Failure) -> Pin {
        let fields = Fields(json, "pin")
        guard let list = try fields.value("rejected").array else { throw fields.wrong("rejected") }
        var rejected: [Digest] = []
        for element in list {
            guard let digest = element.string.flatMap({ Digest($0) }) else { throw fields.wrong("rejected") }
            rejected.append(digest)
        }
        guard let target = try fields.optionalSequence("target"), let desired = try fields.optionalDigest("desired")
        else { throw fields.wrong("target") }
        return Pin(
            hold: try fields.word("hold"), target: target, desired: desired,
            commit: json["commit"]?.string.flatMap { CommitID($0) }, leftInputs: json["leftInputs"]?.string,
            rejected: rejected)
    }

    static func readKey(_ json: JSON) throws(Failure) -> ResourceKey {
        let parts = (json.array ?? []).compactMap(\.string)
        guard parts.count == 4 else { throw .corrupt("a stored resource key has no four parts") }
        return ResourceKey(group: parts[0], kind: parts[1], namespace: parts[2], name: parts[3])
    }

    static func readOutcome(_ json: JSON) throws(Failure) -> ResourceOutcome {
        let fields = Fields(json, "resource")
        guard let phase = ApplyOrder.Phase(word: json["phase"]?.string ?? ApplyOrder.Phase.sync.word) else {
            throw fields.wrong("phase")
        }
        var timing: ResourceOutcome.Timing?
        if let took = try fields.optionalInteger("took") {
            timing = .init(startedAfter: try fields.optionalInteger("startedAfter") ?? 0, took: took)
        }
        return ResourceOutcome(
            key: try readKey(try fields.value("key")), apiVersion: try fields.string("apiVersion"),
            action: try fields.word("action"), phase: phase,
            wave: try fields.optionalInteger("wave").map { Int($0) } ?? 0,
            message: json["message"]?.string, code: json["code"]?.string.map { Failure.Code(rawValue: $0) },
            before: try fields.optionalDigest("before"), after: try fields.optionalDigest("after"), timing: timing)
    }
}

/// Reads members of a stored object and says which one is not as it was written.
struct Fields {
    let json: JSON
    let what: String

    init(_ json: JSON, _ what: String) {
        self.json = json
        self.what = what
    }

    func wrong(_ name: String) -> Failure { .corrupt("the member \(name) of a stored \(what) is missing or wrong") }

    func value(_ name: String) throws(Failure) -> JSON {
        guard let value = json[name] else { throw wrong(name) }
        return value
    }

    func string(_ name: String) throws(Failure) -> String {
        guard let text = json[name]?.string else { throw wrong(name) }
        return text
    }

    func integer(_ name: String) throws(Failure) -> Int64 {
        guard let number = try optionalInteger(name) else { throw wrong(name) }
        return number
    }

    func optionalInteger(_ name: String) throws(Failure) -> Int64? {
        guard let value = json[name] else { return nil }
        guard let number = value.integer ?? value.string.flatMap({ Int64($0) }) else { throw wrong(name) }
        return number
    }

    func time(_ name: String) throws(Failure) -> Timestamp { Timestamp(milliseconds: try integer(name)) }

    func optionalSequence(_ name: String) throws(Failure) -> SequenceNumber? {
        guard let number = try optionalInteger(name) else { return nil }
        guard let sequence = SequenceNumber(number) else { throw wrong(name) }
        return sequence
    }

    func optionalDigest(_ name: String) throws(Failure) -> Digest? {
        guard let value = json[name] else { return nil }
        guard let digest = value.string.flatMap({ Digest($0) }) else { throw wrong(name) }
        return digest
    }

    func word<Word: RawRepresentable<String>>(_ name: String) throws(Failure) -> Word {
        guard let word = Word(rawValue: try string(name)) else { throw wrong(name) }
        return word
    }
}
