import Shiplog

/// Times as Kubernetes writes them.
enum Clock {
    /// RFC 3339 in UTC, whole seconds: `2026-11-23T14:03:22Z`.
    static func seconds(_ time: Timestamp) -> String {
        let text = time.description
        return String(text.prefix(19)) + "Z"
    }

    /// RFC 3339 in UTC with microseconds, as `MicroTime` has it.
    static func micro(_ time: Timestamp) -> String { time.description.dropLast() + "000Z" }

    /// How long ago, as kubectl prints ages: `5s`, `2m30s`, `3h`, `4d`.
    static func age(_ text: String?, now: Timestamp) -> String {
        guard let text, let then = Timestamp(text) else { return "<unknown>" }
        return duration(seconds: max(0, (now.milliseconds - then.milliseconds) / 1000))
    }

    static func duration(seconds: Int64) -> String {
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400)
        switch seconds {
        case ..<120: return "\(seconds)s"
        case ..<600: return "\(minutes)m" + (seconds % 60 == 0 ? "" : "\(seconds % 60)s")
        case ..<10_800: return "\(minutes)m"
        case ..<28_800: return "\(hours)h" + (minutes % 60 == 0 ? "" : "\(minutes % 60)m")
        case ..<172_800: return "\(hours)h"
        case ..<691_200: return "\(days)d" + (hours % 24 == 0 ? "" : "\(hours % 24)h")
        case ..<63_072_000: return "\(days)d"
        default: return "\(days / 365)y" + (days % 365 == 0 ? "" : "\(days % 365)d")
        }
    }
}
