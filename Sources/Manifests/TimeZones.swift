import Foundation
public import Shiplog
import Synchronization

/// The time-zone database, as values. Read once a name.
public enum TimeZones {
    /// The years whose changes of the clock are known; before and after them the last offset holds.
    static let years: ClosedRange<Int64> = 2000...2060
    private static let known = Mutex<[String: ZoneRules]>([:])

    /// - Parameter name: an IANA name, or `UTC`.
    /// - Returns: nil for a name that the database does not have; abbreviations, offsets and `Local` are none.
    public static func rules(named name: String) -> ZoneRules? {
        if name == "UTC" { return .utc }
        guard name.contains("/") || ["GMT", "EST", "MST", "HST", "CET", "EET", "MET", "WET"].contains(name),
            name.utf8.count <= 64
        else { return nil }
        if let rules = known.withLock({ $0[name] }) { return rules }
        guard let zone = TimeZone(identifier: name) else { return nil }
        let rules = rules(of: zone, name)
        // Names come from the database, so there are some hundreds.
        known.withLock { $0[name] = rules }
        return rules
    }

    private static func rules(of zone: TimeZone, _ name: String) -> ZoneRules {
        let start = Date(timeIntervalSince1970: Double((years.lowerBound - 1970) * 31_556_952))
        let end = Date(timeIntervalSince1970: Double((years.upperBound - 1970) * 31_556_952))
        var transitions: [ZoneRules.Transition] = []
        var date = start
        while transitions.count < 500, let next = zone.nextDaylightSavingTimeTransition(after: date), next > date,
            next < end
        {
            transitions.append(
                ZoneRules.Transition(
                    at: Int64(next.timeIntervalSince1970.rounded()), offset: Int64(zone.secondsFromGMT(for: next))))
            date = next
        }
        return ZoneRules(name: name, initial: Int64(zone.secondsFromGMT(for: start)), transitions: transitions)
    }
}
