import Shiplog

/// Argo CD's sync options of an application, by what they would change.
struct SyncOptionReader {
    private enum Effect {
        /// Does here what it does in Argo CD, or is always so.
        case same
        case warned(String)
    }

    private static let known: [String: Effect] = [
        "ApplyOutOfSyncOnly=true": .same,
        "ApplyOutOfSyncOnly=false": .warned("Shiplog applies only what differs"),
        "ClientSideApplyMigration=false": .warned("Shiplog hands over fields of other managers at the first apply"),
        "ClientSideApplyMigration=true": .same,
        "CreateNamespace=false": .same,
        "CreateNamespace=true": .same,
        "Delete=confirm": .same,
        "Delete=false": .same,
        "Delete=true": .same,
        "FailOnSharedResource=false": .warned("an object of another application always fails the sync"),
        "FailOnSharedResource=true": .same,
        "Force=false": .same,
        "Force=true": .same,
        "Prune=confirm": .same,
        "Prune=false": .same,
        "Prune=true": .same,
        "PruneLast=false": .same,
        "PruneLast=true": .same,
        "PrunePropagationPolicy=background": .same,
        "PrunePropagationPolicy=foreground": .same,
        "PrunePropagationPolicy=orphan": .same,
        "Replace=false": .same,
        "Replace=true": .same,
        "RespectIgnoreDifferences=false": .same,
        "RespectIgnoreDifferences=true": .same,
        "ServerSideApply=false": .warned("Shiplog always applies server-side"),
        "ServerSideApply=true": .same,
        "SkipDryRunOnMissingResource=false": .same,
        "SkipDryRunOnMissingResource=true": .same,
        "Validate=false": .same,
        "Validate=true": .same
    ]

    static var names: [String] { known.keys.sorted() }

    static func read(_ options: [String], _ check: FieldCheck) throws(Failure) -> (
        options: Application.SyncOptions, warnings: [String]
    ) {
        var result = Application.SyncOptions(written: options)
        var warnings: [String] = []
        let path = ["spec", "syncPolicy", "syncOptions"]
        for (index, option) in options.enumerated() {
            let place = path + [String(index)]
            let quoted = YAMLComposer.quote(option)
            switch known[option] {
            case .same: break
            case .warned(let why):
                warnings.append(check.place(place) + "the sync option \(option) is kept without effect: \(why)")
            case nil:
                let near = Nearest.of(option, among: known.keys)
                throw check.failure(
                    check.codes.unknown, place, "is \(quoted), which is no known sync option",
                    remedy: near.map { "did you mean \($0)?" } ?? "known are: " + names.joined(separator: ", "))
            }
            switch option {
            case "CreateNamespace=true": result.createNamespace = true
            case "CreateNamespace=false": result.createNamespace = false
            case "PrunePropagationPolicy=background": result.prunePropagation = .background
            case "PrunePropagationPolicy=foreground": result.prunePropagation = .foreground
            case "PrunePropagationPolicy=orphan": result.prunePropagation = .orphan
            default: break
            }
        }
        return (result, warnings)
    }
}
