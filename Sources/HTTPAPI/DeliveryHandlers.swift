import HTTPTypes
import Hummingbird
import LedgerStore
import Shiplog

/// The four measures of DORA, computed from rows: each figure names the sequences it came from, so that anybody can
/// compute it again from the entries.
enum DeliveryHandlers {
    /// The thirty days before now, unless asked for.
    static let standardWindow: Int64 = 30 * 86_400_000

    @Sendable static func dora(_ call: Call) async throws -> Response {
        let now = call.parts.now()
        let to = try call.query.time("to") ?? now
        let from = try call.query.time("from") ?? to.advanced(byMilliseconds: -standardWindow)
        guard from < to else { throw Problem.invalid("from", "must lie before to") }
        let names = Set(call.query.all("application"))
        let projects = Set(call.query.all("project"))
        let applications = try await call.ledger.everyApplication().filter { application in
            (names.isEmpty || names.contains(application.name))
                && call.principal.may(.read, Subject(application.reference))
        }
        let read = try await call.ledger.deliveries(of: applications.map(\.uid), from: from, to: to)
        let registered = Dictionary(applications.map { ($0.uid, $0) }, uniquingKeysWith: { $1 })
        var found: [(application: RegisteredApplication, delivery: ApplicationDelivery, deployments: [Deployment])] = []
        var exclusions = DeliveryExclusions()
        for delivery in read.items {
            guard let application = registered[delivery.uid] else { continue }
            // A deployment belongs to the project that the application was in then.
            let deployments = delivery.deployments.filter { deployment in
                (projects.isEmpty || projects.contains(deployment.project))
                    && call.principal.may(.read, .application(name: application.name, project: deployment.project))
            }
            guard !deployments.isEmpty || projects.isEmpty || projects.contains(application.application.project) else {
                continue
            }
            exclusions += delivery.exclusions
            found.append((application, delivery, deployments))
        }
        let window = DeliveryWindow(from: from, to: to)
        let everything = found.flatMap(\.deployments)
        let byProject = Dictionary(grouping: everything, by: \.project)
        return .json([
            "from": from.projection, "to": to.projection, "asOf": .integer(read.asOf?.value ?? 0),
            "rules": rules, "exclusions": exclusions.projection, "total": window.figures(everything),
            "projects": .array(
                byProject.sorted { $0.key < $1.key }.map { project, deployments in
                    window.figures(deployments).with(["project": .string(project)])
                }),
            "applications": .array(
                found.sorted { $0.application.name < $1.application.name }.map { one in
                    window.figures(one.deployments).with([
                        "application": one.application.reference.projection,
                        "exclusions": one.delivery.exclusions.projection,
                        "deployments": .array(one.deployments.map(\.projection))
                    ])
                })
        ])
    }

    /// What the figures mean, in the words of docs/delivery.md; a report that is kept tells it too.
    private static let rules: JSON = [
        "deployment": """
        Attempts in a row of one application that applied the same manifests from a commit. It belongs to the window \
        in which its first attempt was recorded; what became of it is looked up to asOf.
        """,
        "deploymentFrequency": "Successful deployments that are no rollbacks, a day.",
        "leadTime": """
        From the commit's time to the first row that says Healthy after it was applied. A commit counts once an \
        application.
        """,
        "changeFailRate": """
        Deployments that are no rollbacks and failed, were Degraded before Healthy or within 24 hours, or were \
        followed by a rollback, of all that are no rollbacks.
        """,
        "timeToRestore": """
        From the first such row (from the deployment's end, when only a rollback tells) to the next row that says \
        Healthy; after a rollback or a failure, one of a later deployment.
        """,
        "exclusions": "Dry runs, self-heals, superseded attempts, repeated manifests, attempts without a commit."
    ]
}

/// A window, and figures in it as the API writes them.
private struct DeliveryWindow {
    let from: Timestamp
    let to: Timestamp

    func figures(_ deployments: [Deployment]) -> JSON {
        let figures = DeliveryFigures(deployments, from: from, to: to)
        return [
            "deploymentFrequency": .members([
                "deployments": .integer(Int64(figures.deployed.count)),
                "perDay": figures.deploymentsPerDay.map { .number($0) },
                "sequences": Self.sequences(figures.deployed.compactMap(\.succeeded?.sequence))
            ]),
            "leadTime": .members([
                "measured": .integer(Int64(figures.measured.count)),
                "medianMs": figures.leadTime.map { .integer($0.median) },
                "p90Ms": figures.leadTime.map { .integer($0.ninetieth) },
                "sequences": Self.sequences(figures.measured.compactMap(\.healthy?.sequence))
            ]),
            "changeFailRate": .members([
                "failed": .integer(Int64(figures.failed.count)), "changes": .integer(Int64(figures.changes.count)),
                "rate": figures.changeFailRate.map { .number($0) },
                "sequences": Self.sequences(figures.failed.compactMap(\.first))
            ]),
            "timeToRestore": .members([
                "restored": .integer(Int64(figures.restored.count)), "open": .integer(Int64(figures.open.count)),
                "medianMs": figures.timeToRestore.map { .integer($0.median) },
                "p90Ms": figures.timeToRestore.map { .integer($0.ninetieth) },
                "sequences": Self.sequences(figures.restored.compactMap(\.restored?.sequence)),
                "openSequences": Self.sequences(figures.open.compactMap(\.first))
            ]),
            "rollbacks": .integer(Int64(figures.rollbacks.count))
        ]
    }

    private static func sequences(_ numbers: [SequenceNumber]) -> JSON {
        .array(numbers.sorted().map(\.projection))
    }
}

extension JSON {
    fileprivate func with(_ members: [String: JSON]) -> JSON {
        .object((object ?? [:]).merging(members) { $1 })
    }
}

extension DeliveryExclusions {
    fileprivate var projection: JSON {
        [
            "dryRuns": .integer(Int64(dryRuns)), "selfHeals": .integer(Int64(selfHeals)),
            "superseded": .integer(Int64(superseded)), "repeated": .integer(Int64(repeated)),
            "withoutCommit": .integer(Int64(withoutCommit))
        ]
    }
}

extension Deployment {
    fileprivate var projection: JSON {
        .members([
            "kind": .string(kind.rawValue), "project": .string(project), "commit": commit.map { .string($0) },
            "attempts": .array(attempts.map(\.projection)), "succeeded": succeeded?.projection,
            "healthy": healthy?.projection, "broken": broken?.projection, "restored": restored?.projection,
            "trouble": trouble.isEmpty ? nil : .array(trouble.map { .string($0.rawValue) }),
            "leadTimeMs": leadTime.map { .integer($0) }
        ])
    }
}

extension Deployment.Moment {
    fileprivate var projection: JSON { ["sequence": sequence.projection, "at": at.projection] }
}
