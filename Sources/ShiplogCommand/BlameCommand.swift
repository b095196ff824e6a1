import ArgumentParser
import Shiplog

/// `Deployment/web`, `deployment.apps/web`.
struct ResourceArgument: ExpressibleByArgument, Sendable, Equatable {
    let kind: String
    let group: String?
    let name: String

    init?(argument: String) {
        let halves = argument.split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count == 2, let first = halves.first, let last = halves.last, !first.isEmpty, !last.isEmpty else {
            return nil
        }
        let parts = first.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let kind = parts.first, !kind.isEmpty else { return nil }
        self.kind = String(kind)
        group = parts.count == 2 ? String(parts[1]) : nil
        name = String(last)
    }
}

/// `shiplog blame`.
struct BlameCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "blame", abstract: "Which revision last changed a resource, or one field of it, and by whom.",
        discussion: """
            Examples:
              shiplog blame guestbook Deployment/web
              shiplog blame guestbook Deployment/web .spec.replicas
              shiplog blame guestbook Deployment.apps/web 'spec.template.spec.containers[0].image' --at yesterday

            It reads the manifests that were applied, newest first, to where the present value began. Values of Secrets
            are shown as keyed digests.
            """)

    @Argument(help: "The application.", completion: .applications)
    var app: String
    @Argument(help: "The resource, as KIND/NAME or KIND.GROUP/NAME.")
    var resource: ResourceArgument
    @Argument(help: "A field of its manifest, such as .spec.replicas.")
    var field: String?
    @Option(name: [.customShort("n"), .long], help: ArgumentHelp("Its namespace.", valueName: "name"))
    var namespace: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("As it was then, a time or a sequence. (default: now)", valueName: "time"))
    var at: InstantArgument?
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let query = QueryText([
            ("application", app), ("kind", resource.kind), ("name", resource.name), ("group", resource.group),
            ("namespace", namespace), ("field", field), ("at", at?.text)
        ])
        let blame = try await server.client().get("/blame", query)
        let out = output.out
        out.show(blame) { Self.text(blame, out) }
    }

    private static func text(_ blame: JSON, _ out: Output) -> String {
        let revision = blame["revision"] ?? .object([:])
        let value = { (json: JSON?) in json.map { Cell($0.string ?? $0.canonicalString) } }
        return out.facts([
            ("Resource", Cell(blame["resource"]?.resourceName ?? "")), ("Field", blame.cell("field")),
            ("Value", value(blame["value"])), ("Before", value(blame["previousValue"])),
            ("Change", .status(blame.text("change"))), ("Revision", Cell(revision.sequence("sequence"), .strong)),
            ("Kind", Cell(revision.text("kind") + ", " + revision.text("cause"))),
            ("By", Cell(revision.text("actor", "name") + " (" + revision.text("actor", "means") + ")")),
            ("Commit", revision.cell("commit")), ("Subject", revision.cell("subject")),
            ("Deployed", revision.cell("deployedAt")),
            ("Left so by", blame["previous"]?.integer.map { Cell("#\($0)") })
        ])
    }
}
