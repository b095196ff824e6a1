import Foundation
import Shiplog

/// Events of the Open Cybersecurity Schema Framework, 1.6.0: <https://schema.ocsf.io/1.6.0>.
enum OCSFFormat {
    static let version = "1.6.0"

    private enum Class: Int64 {
        case authentication = 3002
        case applicationLifecycle = 6002
        case apiActivity = 6003

        var category: Int64 { self == .authentication ? 3 : 6 }
        var name: String {
            switch self {
            case .authentication: "Authentication"
            case .applicationLifecycle: "Application Lifecycle"
            case .apiActivity: "API Activity"
            }
        }
    }

    static func event(_ entry: ExportedEntry) -> JSON {
        let (kind, activity, activityName) = classified(entry)
        let (status, statusName): (Int64, String) =
            switch entry.outcome {
            case "failed", "refused": (2, "Failure")
            case "superseded": (99, "superseded")
            default: (1, "Success")
            }
        var event = JSON.members([
            "activity_id": .integer(activity), "activity_name": .string(activityName),
            "category_uid": .integer(kind.category),
            "category_name": kind == .authentication ? "Identity & Access Management" : "Application Activity",
            "class_uid": .integer(kind.rawValue), "class_name": .string(kind.name),
            "type_uid": .integer(kind.rawValue * 100 + activity), "time": .integer(entry.recordedAt.milliseconds),
            // Medium for what was refused or failed: somebody may want to look.
            "severity_id": .integer(status == 2 ? 3 : 1), "severity": status == 2 ? "Medium" : "Informational",
            "status_id": .integer(status), "status": .string(statusName),
            "status_code": (entry.json.at("failure", "code") ?? entry.json.at("facts", "code")),
            "metadata": .members([
                "version": .string(version), "uid": .string(entry.leafText), "sequence": .integer(entry.sequence),
                "event_code": .string(entry.kind),
                "product": ["name": "Shiplog", "vendor_name": "Shiplog", "uid": .string(entry.ledger)],
                "correlation_uid": entry.json.at("actor", "requestID")
            ]),
            "actor": actor(entry), "raw_data": .string(String(decoding: entry.bytes, as: UTF8.self))
        ])
        switch kind {
        case .authentication:
            event["user"] = ["name": .string(entry.actor)]
            event["service"] = ["name": "shiplog"]
        case .applicationLifecycle: event["app"] = application(entry)
        case .apiActivity:
            event["api"] = ["operation": .string(operation(entry)), "service": ["name": "shiplog"]]
            // Addresses are personal: they stand in a body, which a stream does not carry.
            event["src_endpoint"] = ["svc_name": .string(entry.means)]
            if let name = entry.application {
                event["resources"] = [
                    .members(["name": .string(name), "type": "Application", "uid": entry.json.at("application", "uid")])
                ]
            }
        }
        return event
    }

    private static func classified(_ entry: ExportedEntry) -> (Class, Int64, String) {
        if entry.isRevision {
            switch entry.change {
            case .deployed: return (.applicationLifecycle, 1, "Install")
            case .removed: return (.applicationLifecycle, 2, "Remove")
            case .upgraded, .rolledBack: return (.applicationLifecycle, 8, "Update")
            case nil: return (.applicationLifecycle, 99, entry.kind)
            }
        }
        switch entry.kind {
        case "session.opened": return (.authentication, 1, "Logon")
        case "session.closed": return (.authentication, 2, "Logoff")
        case "server.started": return (.applicationLifecycle, 3, "Start")
        case "server.stopped": return (.applicationLifecycle, 4, "Stop")
        case "request.refused":
            switch entry.json.at("facts", "method")?.string {
            case "POST": return (.apiActivity, 1, "Create")
            case "GET", "HEAD": return (.apiActivity, 2, "Read")
            case "PUT", "PATCH": return (.apiActivity, 3, "Update")
            case "DELETE": return (.apiActivity, 4, "Delete")
            default: return (.apiActivity, 0, "Unknown")
            }
        default: break
        }
        switch entry.kind.split(separator: ".").last {
        case "created", "started", "delivered": return (.apiActivity, 1, "Create")
        case "exported", "verified", "viewed": return (.apiActivity, 2, "Read")
        case "changed", "set", "rotated", "accepted", "confirmed": return (.apiActivity, 3, "Update")
        case "deleted", "revoked", "released", "erased": return (.apiActivity, 4, "Delete")
        default: return (.apiActivity, 99, entry.kind)
        }
    }

    private static func operation(_ entry: ExportedEntry) -> String {
        guard let method = entry.json.at("facts", "method")?.string, let route = entry.json.at("facts", "route")?.string
        else { return entry.kind }
        return method + " " + route
    }

    private static func actor(_ entry: ExportedEntry) -> JSON {
        guard entry.means != Actor.Means.controller.rawValue else { return ["app_name": .string(entry.actor)] }
        return [
            "user": .members(["name": .string(entry.actor), "credential_uid": entry.json.at("actor", "tokenID")]),
            "app_name": .string(entry.means)
        ]
    }

    private static func application(_ entry: ExportedEntry) -> JSON {
        .members([
            "name": .string(entry.application ?? "shiplog"),
            "vendor_name": entry.application == nil ? "Shiplog" : nil, "uid": entry.json.at("application", "uid"),
            "version": entry.json.at("source", "commit", "id")
        ])
    }
}
