import HTTPTypes
/// Every address of this server. `schema/openapi.yaml` says the same to programs; a test compares the two.
extension RouteTable {
    static let base = "/api/shiplog/v1"

    static let all: RouteTable = RouteTable(
        routes: applications + projects + history + log + people + machinery
    )

    private static let applications: [Route] = [
        Route(
            .get, base + "/applications", .act(.read), ["q", "project", "sync", "health", "limit", "cursor"],
            ApplicationHandlers.list),
        Route(.get, base + "/applications/{name}", .application(.read), ApplicationHandlers.get),
        // The document says what it is about, so the handler asks for leave.
        Route(.put, base + "/applications/{name}", .act(.read), ApplicationHandlers.put),
        Route(
            .delete, base + "/applications/{name}", .application(.administer), ["cascade", "confirm", "reason"],
            ApplicationHandlers.delete),
        Route(.get, base + "/applications/{name}/resources", .application(.read), ApplicationHandlers.resources),
        Route(.get, base + "/applications/{name}/tree", .application(.read), ["limit"], TreeHandlers.tree),
        Route(
            .get, base + "/applications/{name}/resources/events", .application(.read),
            ["kind", "resource", "group", "namespace"], TreeHandlers.events),
        // A log can say anything: it wants more than looking at applications does.
        Route(
            .get, base + "/applications/{name}/resources/logs", .application(.deploy),
            [
                "kind", "resource", "group", "namespace", "container", "tailLines", "sinceSeconds", "previous", "follow"
            ], TreeHandlers.logs),
        Route(
            .get, base + "/applications/{name}/manifests", .application(.read), ["source"],
            ApplicationHandlers.manifests),
        Route(.get, base + "/applications/{name}/diff", .application(.read), ApplicationHandlers.difference),
        Route(.post, base + "/applications/{name}/sync", .application(.deploy), OperationHandlers.sync),
        Route(.post, base + "/applications/{name}/refresh", .application(.deploy), OperationHandlers.refresh),
        Route(.post, base + "/applications/{name}/rollback", .application(.deploy), OperationHandlers.rollback),
        Route(
            .get, base + "/applications/{name}/rollback-candidates", .application(.read), ["limit"],
            OperationHandlers.candidates),
        Route(.put, base + "/applications/{name}/pin", .application(.deploy), OperationHandlers.pin),
        Route(.delete, base + "/applications/{name}/pin", .application(.deploy), ["reason"], OperationHandlers.unpin),
        Route(.post, base + "/applications/{name}/confirm", .application(.deploy), OperationHandlers.confirm),
        Route(.post, base + "/applications/{name}/terminate", .application(.deploy), OperationHandlers.terminate),
        Route(
            .post, base + "/applications/{name}/accept-cluster", .application(.administer),
            OperationHandlers.acceptCluster),
        Route(.get, base + "/operations/{id}", .act(.read), ["wait"], OperationHandlers.get),
        // Each application of a plan is asked about by itself.
        Route(.post, base + "/plans", .act(.deploy), FleetHandlers.plan),
        Route(.post, base + "/plans/apply", .act(.deploy), FleetHandlers.apply),
        Route(.get, base + "/fleets/{sequence}", .act(.read), ["wait"], FleetHandlers.get)
    ]

    private static let projects: [Route] = [
        Route(.get, base + "/projects", .act(.read), ["limit", "cursor"], ProjectHandlers.list),
        Route(.get, base + "/projects/{project}", .act(.read), ProjectHandlers.get),
        Route(.put, base + "/projects/{project}", .act(.administer), ProjectHandlers.put),
        Route(.delete, base + "/projects/{project}", .act(.administer), ["reason"], ProjectHandlers.delete),
        Route(.get, base + "/projects/{project}/windows", .act(.read), ["at"], ProjectHandlers.windows)
    ]

    private static let history: [Route] = [
        Route(
            .get, base + "/revisions", .act(.read),
            [
                "application", "project", "kind", "cause", "actor", "outcome", "commit", "q", "from", "to",
                "includeUnchanged", "order", "limit", "cursor"
            ], HistoryHandlers.revisions),
        Route(.get, base + "/revisions/{sequence}", .act(.read), HistoryHandlers.revision),
        Route(.get, base + "/revisions/{sequence}/manifests", .act(.read), HistoryHandlers.manifests),
        Route(.get, base + "/revisions/{sequence}/diff", .act(.read), ["against"], HistoryHandlers.difference),
        Route(
            .get, base + "/events", .act(.read),
            [
                "application", "project", "kind", "actor", "outcome", "revision", "from", "to", "order", "limit",
                "cursor"
            ], HistoryHandlers.events),
        Route(.get, base + "/events/{sequence}", .act(.read), HistoryHandlers.event),
        Route(.get, base + "/entries/{sequence}", .act(.read), HistoryHandlers.entry),
        Route(
            .get, base + "/state", .act(.read), ["at", "application", "project", "limit", "cursor"],
            StateHandlers.state),
        Route(
            .get, base + "/state/compare", .act(.read), ["from", "to", "application", "project"],
            StateHandlers.compare),
        Route(
            .get, base + "/blame", .act(.read),
            ["application", "kind", "name", "group", "namespace", "field", "at"], StateHandlers.blame),
        Route(
            .get, base + "/metrics/dora", .act(.read), ["from", "to", "application", "project"], DeliveryHandlers.dora),
        Route(
            .get, base + "/stream", .act(.read), ["after", "application", "includeUnchanged"], StreamHandlers.stream)
    ]

    private static let log: [Route] = [
        Route(.get, "/log/checkpoint", .act(.read), LogHandlers.checkpoint),
        Route(.get, "/log/tile/{tile}", .act(.read), [], isOpenEnded: true, LogHandlers.tile),
        Route(.get, base + "/log", .act(.read), LogHandlers.status),
        Route(.get, base + "/entries/{sequence}/proof", .act(.read), ["size"], LogHandlers.proof),
        Route(.get, base + "/log/consistency", .act(.read), ["from", "to"], LogHandlers.consistency),
        Route(.post, base + "/log/rotate-key", .act(.administer), LogHandlers.rotateKey),
        Route(.post, base + "/log/confirm", .act(.administer), LogHandlers.confirm),
        Route(.post, base + "/log/verify", .act(.audit), LogHandlers.verify),
        Route(.post, base + "/entries/{sequence}/erase", .act(.administer), ErasingHandlers.part),
        Route(
            .post, base + "/applications/{name}/erase-secret", .application(.administer), ErasingHandlers.secret),
        Route(.get, base + "/notifications", .act(.audit), NotificationHandlers.list),
        Route(.get, base + "/notifications/dead", .act(.audit), ["notification"], NotificationHandlers.dead),
        Route(.post, base + "/notifications/{notification}/retry", .act(.administer), NotificationHandlers.retry),
        Route(.post, base + "/exports", .act(.audit), ExportHandlers.export),
        Route(.post, base + "/exports/population", .act(.audit), ExportHandlers.population)
    ]

    private static let people: [Route] = [
        Route(.get, base + "/me", .act(.read), PeopleHandlers.me),
        Route(.post, base + "/session", .open, PeopleHandlers.signIn),
        Route(.delete, base + "/session", .open, PeopleHandlers.signOut),
        Route(.get, base + "/tokens", .act(.audit), PeopleHandlers.tokens),
        Route(.post, base + "/tokens", .act(.administer), PeopleHandlers.makeToken),
        Route(.delete, base + "/tokens/{id}", .act(.administer), PeopleHandlers.revokeToken)
    ]

    private static let machinery: [Route] = [
        Route(.get, base + "/system", .act(.read), SystemHandlers.system),
        Route(.get, "/healthz", .open, SystemHandlers.alive),
        Route(.get, "/livez", .open, SystemHandlers.alive),
        Route(.get, "/readyz", .open, ["verbose"], SystemHandlers.ready),
        Route(.get, "/metrics", .act(.read), SystemHandlers.metrics),
        Route(.post, "/api/webhook", .open, WebhookHandlers.any),
        Route(.post, base + "/webhooks/gitlab", .open, WebhookHandlers.gitlab),
        Route(.post, base + "/webhooks/github", .open, WebhookHandlers.github)
    ]
}
