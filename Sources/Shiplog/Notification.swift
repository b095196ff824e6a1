/// How one target of notifications stands.
public struct NotificationStatus: Sendable, Hashable {
    public struct Delivery: Sendable, Hashable {
        public var sequence: SequenceNumber
        public var at: Timestamp
        /// What the target answered.
        public var status: Int

        public init(sequence: SequenceNumber, at: Timestamp, status: Int) {
            self.sequence = sequence
            self.at = at
            self.status = status
        }
    }

    /// One that did not arrive, and is tried again.
    public struct Trouble: Sendable, Hashable {
        public var sequence: SequenceNumber
        /// How often it was tried.
        public var tries: Int
        public var code: Failure.Code
        /// What the target answered, if it did.
        public var status: Int?
        public var next: Timestamp

        public init(sequence: SequenceNumber, tries: Int, code: Failure.Code, status: Int?, next: Timestamp) {
            self.sequence = sequence
            self.tries = tries
            self.code = code
            self.status = status
            self.next = next
        }
    }

    public var name: String
    /// nil when it is a secret.
    public var url: String?
    /// Everything up to here was delivered, given up or not asked for; 0 before the first.
    public var cursor: Int64
    /// Rows of the log behind it.
    public var behind: Int64
    public var delivered: Delivery?
    public var trouble: Trouble?
    /// Dead letters that somebody wants delivered after all.
    public var again: [SequenceNumber]

    public init(name: String, url: String?, cursor: Int64 = 0) {
        self.name = name
        self.url = url
        self.cursor = cursor
        behind = 0
        again = []
    }
}

/// A notification that was given up.
public struct DeadLetter: Sendable, Hashable {
    public var notification: String
    /// The row it was to tell of.
    public var sequence: SequenceNumber
    /// The event that says it was given up.
    public var event: SequenceNumber
    public var at: Timestamp
    public var tries: Int
    public var code: Failure.Code
    /// What the target answered last, if it did.
    public var status: Int?
    /// Somebody wants it delivered after all, and it has not been yet.
    public var isTriedAgain: Bool

    public init(
        notification: String, sequence: SequenceNumber, event: SequenceNumber, at: Timestamp, tries: Int,
        code: Failure.Code, status: Int?, isTriedAgain: Bool
    ) {
        self.notification = notification
        self.sequence = sequence
        self.event = event
        self.at = at
        self.tries = tries
        self.code = code
        self.status = status
        self.isTriedAgain = isTriedAgain
    }

    /// The letters that are dead, out of the events that tell of them, newest first: one a target and row, and none that
    /// was delivered after all.
    public static func fold(
        _ events: [(sequence: SequenceNumber, recordedAt: Timestamp, value: Event)]
    ) -> [DeadLetter] {
        struct Place: Hashable {
            let notification: String
            let sequence: SequenceNumber
        }
        var settled: Set<Place> = []
        var again: Set<Place> = []
        var letters: [DeadLetter] = []
        for event in events {
            let facts = event.value.facts
            guard let name = facts["notification"]?.string,
                let sequence = facts["sequence"]?.integer.flatMap({ SequenceNumber($0) })
            else { continue }
            let place = Place(notification: name, sequence: sequence)
            guard !settled.contains(place) else { continue }
            switch event.value.kind {
            case .notificationRetried: again.insert(place)
            case .notificationDelivered: settled.insert(place)
            case .notificationDead:
                settled.insert(place)
                letters.append(
                    DeadLetter(
                        notification: name, sequence: sequence, event: event.sequence, at: event.recordedAt,
                        tries: facts["tries"]?.integer.flatMap { Int(exactly: $0) } ?? 0,
                        code: Failure.Code(rawValue: facts["code"]?.string ?? ""),
                        status: facts["status"]?.integer.flatMap { Int(exactly: $0) },
                        isTriedAgain: again.contains(place)))
            default: break
            }
        }
        return letters
    }
}
