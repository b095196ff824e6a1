public import LedgerStore
public import Shiplog

/// Which entries are asked for, and which those are: fixed once, so that everything that is made of it fits together.
public struct Selection: Sendable {
    /// What is asked: an entry must fit the filter, and lie between these, both included.
    public struct Question: Sendable, Hashable {
        public var filter: EvidenceFilter
        /// nil for the log's first entry.
        public var first: Int64?
        /// nil for its last.
        public var last: Int64?

        public init(_ filter: EvidenceFilter = EvidenceFilter(), first: Int64? = nil, last: Int64? = nil) {
            self.filter = filter
            self.first = first
            self.last = last
        }
    }

    public let question: Question
    /// Contiguous. Where times were asked for it reaches to the nearest entry on each side that lies outside of them, so
    /// that the edges prove themselves. nil when the log has nothing there.
    public let range: ClosedRange<Int64>?
    /// How many entries the log had.
    public let size: Int64
    let matches: MatchSet

    public var filter: EvidenceFilter { question.filter }
    public var count: Int64 { matches.count }
    public var firstMatch: Int64? { matches.first }
    public var lastMatch: Int64? { matches.last }

    /// Looks for what fits among the first `size` entries.
    /// - Throws: `ledger.read-failed`, `ledger.corrupt`, and what else reading does.
    public static func make(_ question: Question, in ledger: Ledger, size: Int64) async throws(Failure) -> Selection {
        let filter = question.filter
        guard let range = try await range(question, ledger, size) else {
            return Selection(question: question, range: nil, size: size, matches: MatchSet(1...1))
        }
        var matches = MatchSet(range)
        var next = range.lowerBound
        // Of what retention let go nobody can say whether it fits: it has to be looked for.
        var needsEntry = filter.needsEntry
        if filter.includeUnchanged, try await ledger.lacksEntries() { needsEntry = true }
        while next <= range.upperBound {
            // What found nothing changed is nearly all rows: an index leaves it out.
            let candidates: [Int64]
            let page: ClosedRange<Int64>
            if filter.includeUnchanged {
                page = next...min(range.upperBound, next + Ledger.pageOfEntries - 1)
                candidates = Array(page)
            } else {
                let limit = Int(Ledger.pageOfEntries)
                candidates = try await ledger.changed(next...range.upperBound, limit: limit)
                guard let last = candidates.last else { break }
                page = next...last
            }
            if needsEntry {
                for sequence in try await fitting(candidates, filter, ledger) { matches.insert(sequence) }
            } else {
                for sequence in candidates { matches.insert(sequence) }
            }
            next = page.upperBound + 1
            if Task.isCancelled { throw Self.cancelled }
        }
        return Selection(question: question, range: range, size: size, matches: matches)
    }

    static let cancelled = Failure("evidence.cancelled", "the export was given up", next: .superseded)

    private static func fitting(
        _ candidates: [Int64], _ filter: EvidenceFilter, _ ledger: Ledger
    ) async throws(Failure) -> [Int64] {
        var fitting: [Int64] = []
        var rest = candidates[...]
        while let first = rest.first {
            // Candidates that stand close together are read in one go.
            let end = rest.firstIndex { $0 - first >= Ledger.pageOfEntries } ?? rest.endIndex
            let page = rest[..<end]
            rest = rest[end...]
            guard let last = page.last else { break }
            let entries = try await ledger.entries(first...last)
            for sequence in page {
                guard let bytes = entries[Int(sequence - first)] else { continue }
                let entry = try parse(bytes, sequence)
                guard filter.takes(entry) else { continue }
                if filter.text != nil {
                    var texts = [entry.at("source", "commit", "subject")?.string, entry["ticket"]?.string]
                    if entry.at("bodies", "reason") != nil || entry.at("bodies", "detail") != nil {
                        texts.append(try await reason(sequence, ledger))
                    }
                    guard filter.isText(in: texts) else { continue }
                }
                fitting.append(sequence)
            }
        }
        return fitting
    }

    static func parse(_ bytes: [UInt8], _ sequence: Int64) throws(Failure) -> JSON {
        do throws(JSONError) {
            return try JSON(parsing: bytes)
        } catch {
            throw Failure(
                "ledger.corrupt", "the entry #\(sequence) is no JSON", remedy: "run `shiplog ledger verify`")
        }
    }

    private static func reason(_ sequence: Int64, _ ledger: Ledger) async throws(Failure) -> String? {
        guard let number = SequenceNumber(sequence) else { return nil }
        switch try await ledger.record(at: number) {
        case .revision(let stored): return stored.erased.contains("reason") ? nil : stored.value.reason
        case .event(let stored): return stored.value.detail?["reason"]?.string
        case nil: return nil
        }
    }

    // MARK: - The range

    private static func range(
        _ question: Question, _ ledger: Ledger, _ size: Int64
    ) async throws(Failure) -> ClosedRange<Int64>? {
        guard size > 0 else { return nil }
        var first = max(1, question.first ?? 1)
        var last = min(size, question.last ?? size)
        // The times are conditions of the filter; here they only say how much of the log it takes to show that.
        if let from = question.filter.from {
            let before = try await ledger.sequence(at: from.advanced(byMilliseconds: -1))?.value ?? 0
            let edge = try await ledger.nearest(to: min(size, max(1, before)), upwards: false, size: size) ?? 1
            first = max(first, edge)
        }
        if let to = question.filter.to {
            let before = try await ledger.sequence(at: to.advanced(byMilliseconds: -1))?.value ?? 0
            let edge = before >= size ? nil : try await ledger.nearest(to: before + 1, upwards: true, size: size)
            last = min(last, edge ?? size)
        }
        return first <= last ? first...last : nil
    }
}
