/// When a sync window opens: five fields as Argo CD's cron library reads them (`robfig/cron`, its standard parser).
///
/// Minute, hour, day of the month, month, day of the week; `*`, `?`, numbers, names (`JAN`, `mon`), ranges, lists and
/// steps. With both days restricted, either is enough. No seconds, no `@hourly`, no `TZ=`: Argo CD refuses them too.
public struct CronSchedule: Sendable, Hashable {
    /// As it was written.
    public let text: String
    /// Bit n stands for the value n.
    private let minutes: UInt64
    private let hours: UInt64
    private let days: UInt64
    private let months: UInt64
    private let weekdays: UInt64
    /// A field that restricts nothing: then the other day field alone decides.
    private let anyDay: Bool
    private let anyWeekday: Bool

    /// - Throws: `window.schedule-invalid`, with the field that is wrong.
    public init(_ text: String) throws(Failure) {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
        if text.hasPrefix("@") {
            throw Self.invalid(
                text, "Argo CD's schedules have no words such as \(words.first ?? text)", "write five fields")
        }
        if text.hasPrefix("TZ=") || text.hasPrefix("CRON_TZ=") {
            throw Self.invalid(text, "a schedule names no time zone", "write it as timeZone")
        }
        guard words.count == 5 else {
            throw Self.invalid(
                text, "it has \(words.count) fields, and five are needed",
                "write minute, hour, day of the month, month and day of the week, such as 0 22 * * MON-FRI")
        }
        self.text = text
        var fields: [(bits: UInt64, isAny: Bool)] = []
        for (word, field) in zip(words, Field.all) { fields.append(try field.bits(word, of: text)) }
        (minutes, hours) = (fields[0].bits, fields[1].bits)
        (days, anyDay) = fields[2]
        months = fields[3].bits
        (weekdays, anyWeekday) = fields[4]
    }

    /// The first moment of the wall clock from `wall` on, at most `limit`, that the schedule names.
    /// - Parameters: seconds since 1970 as if the wall clock were in UTC.
    func first(from wall: Int64, before limit: Int64) -> Int64? {
        var minute = wall.floorDivided(by: 60) + (wall.modulo(60) == 0 ? 0 : 1)
        while minute * 60 < limit {
            let day = minute.floorDivided(by: 1440)
            let date = CivilDate(day: day)
            guard months.has(date.month) else {
                minute = CivilDate.firstOfNextMonth(after: date) * 1440
                continue
            }
            guard matches(date, day) else {
                minute = (day + 1) * 1440
                continue
            }
            if let found = timeOfDay(from: minute.modulo(1440)) {
                let second = (day * 1440 + found) * 60
                return second < limit ? second : nil
            }
            minute = (day + 1) * 1440
        }
        return nil
    }

    private func matches(_ date: CivilDate, _ day: Int64) -> Bool {
        let (byDay, byWeekday) = (days.has(date.day), weekdays.has((day + 4).modulo(7)))
        return anyDay || anyWeekday ? byDay && byWeekday : byDay || byWeekday
    }

    private func timeOfDay(from start: Int64) -> Int64? {
        for hour in (start / 60)..<24 where hours.has(hour) {
            for minute in (hour == start / 60 ? start % 60 : 0)..<60 where minutes.has(minute) {
                return hour * 60 + minute
            }
        }
        return nil
    }

    static func invalid(_ text: String, _ why: String, _ remedy: String) -> Failure {
        Failure(.windowScheduleInvalid, "the schedule \"\(text.prefix(100))\" cannot be read: \(why)", remedy: remedy)
    }

    private struct Field {
        let name: String
        let range: ClosedRange<Int64>
        var names: [String] = []

        static let all = [
            Field(name: "minute", range: 0...59), Field(name: "hour", range: 0...23),
            Field(name: "day of the month", range: 1...31),
            Field(
                name: "month", range: 1...12,
                names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
            Field(name: "day of the week", range: 0...6, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"])
        ]

        func bits(_ word: String, of text: String) throws(Failure) -> (bits: UInt64, isAny: Bool) {
            var result: (bits: UInt64, isAny: Bool) = (0, false)
            for part in word.split(separator: ",", omittingEmptySubsequences: false) {
                let (bits, isAny) = try self.part(String(part), of: text)
                result.bits |= bits
                if isAny { result.isAny = true }
            }
            return result
        }

        private func part(_ part: String, of text: String) throws(Failure) -> (UInt64, Bool) {
            let halves = part.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            guard let place = halves.first, halves.count <= 2 else { throw wrong(part, text, "it has several steps") }
            var step: Int64 = 1
            if halves.count == 2 {
                guard let number = Self.number(halves[1]), number > 0 else {
                    throw wrong(part, text, "a step must be a number from 1 on")
                }
                step = number
            }
            let ends = place.split(separator: "-", omittingEmptySubsequences: false).map(String.init)
            let first: Int64
            var last: Int64
            if place == "*" || place == "?" {
                (first, last) = (range.lowerBound, range.upperBound)
            } else if ends.count == 2 {
                (first, last) = (try value(ends[0], part, text), try value(ends[1], part, text))
            } else if ends.count == 1 {
                first = try value(place, part, text)
                // `5/15` goes on to the end of the range.
                last = halves.count == 2 ? range.upperBound : first
            } else {
                throw wrong(part, text, "it has several hyphens")
            }
            guard first <= last else { throw wrong(part, text, "its end comes before its beginning") }
            last = min(last, range.upperBound)
            var bits: UInt64 = 0
            var value = first
            while value <= last {
                bits |= 1 << UInt64(value)
                guard value <= last - step else { break }
                value += step
            }
            // As in the library: a star with a step restricts.
            return (bits, (place == "*" || place == "?") && step == 1)
        }

        private func value(_ word: String, _ part: String, _ text: String) throws(Failure) -> Int64 {
            if let index = names.firstIndex(of: word.lowercased()) { return Int64(index) + range.lowerBound }
            guard let number = Self.number(word) else { throw wrong(part, text, "\"\(word.prefix(20))\" is no value") }
            guard range.contains(number) else {
                throw wrong(part, text, "\(number) is not from \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }

        private static func number(_ word: String) -> Int64? {
            guard !word.isEmpty, word.utf8.count <= 4, word.utf8.allSatisfy({ (48...57).contains($0) }) else {
                return nil
            }
            return Int64(word)
        }

        private func wrong(_ part: String, _ text: String, _ why: String) -> Failure {
            invalid(
                text, "the \(name) \"\(part.prefix(40))\": \(why)",
                name == "day of the week" && part.contains("7")
                    ? "write 0 or SUN for Sunday" : "correct this field")
        }
    }
}

extension Failure.Code {
    /// A sync window's schedule that is none.
    public static let windowScheduleInvalid: Self = "window.schedule-invalid"
}

/// A day of the Gregorian calendar. Howard Hinnant's algorithms, http://howardhinnant.github.io/date_algorithms.html
struct CivilDate: Sendable, Hashable {
    let year: Int64
    let month: Int64
    let day: Int64

    /// - Parameter day: since 1970-01-01.
    init(day number: Int64) {
        let shifted = number + 719_468
        let era = shifted.floorDivided(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// The day's number since 1970-01-01.
    static func number(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted.floorDivided(by: 400)
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    static func firstOfNextMonth(after date: CivilDate) -> Int64 {
        date.month == 12 ? number(date.year + 1, 1, 1) : number(date.year, date.month + 1, 1)
    }
}

extension Int64 {
    func floorDivided(by divisor: Int64) -> Int64 { (self - modulo(divisor)) / divisor }
    func modulo(_ divisor: Int64) -> Int64 { ((self % divisor) + divisor) % divisor }
}

extension UInt64 {
    fileprivate func has(_ bit: Int64) -> Bool { bit >= 0 && bit < 64 && self & (1 << UInt64(bit)) != 0 }
}
