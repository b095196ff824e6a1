import ArgumentParser
import Foundation
import LedgerStore
import Shiplog

/// `shiplog token`.
struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Keys to the API: who may do what, until when.",
        discussion: """
            Examples:
              shiplog token create --name ci --robot --role deployer --project shop --expires 90d
              shiplog token list
              shiplog token revoke nqzkcvtwplmd

            These go to the server, with an administrator's token. On the machine that holds the data, and with no server
            running, --data DIR does the same without one.
            """,
        subcommands: [TokenCreateCommand.self, TokenListCommand.self, TokenRevokeCommand.self])
}

/// Works on a data directory of this machine.
struct LocalTokens {
    static func open(_ path: String, _ access: Ledger.Access) async throws -> Ledger {
        do throws(Failure) {
            return try await Ledger.open(
                try DataDirectory(existing: path), mode: nil, access: access, now: { Moment.now })
        } catch  where error.code == "data.in-use" {
            throw CommandError(
                .refused,
                Failure(
                    error.code, error.message,
                    remedy: "a server is running: leave out --data and use an administrator's token"))
        }
    }

    static var actor: Actor { Actor(name: NSUserName(), means: .local) }

    static func document(_ token: Token) -> JSON {
        let state =
            token.revokedBy != nil ? "revoked" : token.expiresAt.map { $0 <= Moment.now } == true ? "expired" : "active"
        return .members([
            "id": .string(token.id), "name": .string(token.name), "robot": .bool(token.isRobot),
            "role": .string(token.role.rawValue), "projects": .array(token.projects.map { .string($0) }),
            "applications": .array(token.applications.map { .string($0) }),
            "expiresAt": token.expiresAt.map { .string($0.description) },
            "createdAt": .string(token.createdAt.description), "createdBy": .integer(token.createdBy.value),
            "revokedBy": token.revokedBy.map { .integer($0.value) }, "state": .string(state)
        ])
    }
}

/// `shiplog token create`.
struct TokenCreateCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a token. It is printed once, alone on standard output.",
        discussion: """
            Examples:
              shiplog token create --name ci --robot --role deployer --app 'shop-*' --expires 90d > ci.token
              shiplog token create --name ada --role auditor --expires 2027-01-01
            """)

    @Option(help: ArgumentHelp("The person or robot it is for.", valueName: "name"))
    var name: String
    @Option(help: ArgumentHelp("viewer, deployer, auditor or admin.", valueName: "role"))
    var role: Word<Token.Role>
    @Option(help: ArgumentHelp("Only for projects like this; may be given again. (default: *)", valueName: "glob"))
    var project: [String] = []
    @Option(help: ArgumentHelp("Only for applications like this; may be given again. (default: *)", valueName: "glob"))
    var app: [String] = []
    @Option(help: ArgumentHelp("When it ends: a time, or a span such as 90d. (default: never)", valueName: "when"))
    var expires: Expiry?
    @Flag(help: "It is for a program, not for a person.")
    var robot = false
    @Option(help: ArgumentHelp("Make it in this data directory, without a server.", valueName: "dir"))
    var data: String?
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = data == nil ? try await overAPI() : try await locally()
        let secret = answer.text("secret")
        output.out.show(answer) { secret + "\n" }
        guard output.output == .table else { return }
        let token = answer["token"] ?? .object([:])
        let end = token["expiresAt"]?.string.map { "until " + TimeText.short($0) } ?? "without an end"
        Talk.say(
            Terminal.harmless(
                "token \(token.text("id")) for \(token.text("name")), \(token.text("role")), \(end); "
                    + "it is not shown again"))
    }

    private func overAPI() async throws -> JSON {
        try await server.client().post("/tokens", body)
    }

    var body: JSON {
        .members([
            "name": .string(name), "role": .string(role.rawValue), "robot": .bool(robot),
            "projects": project.isEmpty ? nil : .array(project.map { .string($0) }),
            "applications": app.isEmpty ? nil : .array(app.map { .string($0) }),
            "expiresAt": expires.map { .string($0.timestamp.description) }
        ])
    }

    private func locally() async throws -> JSON {
        if let expires, expires.timestamp <= Moment.now {
            throw Failure("token.invalid", "the token would have ended before it begins")
        }
        let ledger = try await LocalTokens.open(data ?? "", .serve)
        do {
            let (token, secret) = try await ledger.createToken(
                Token.Draft(
                    name: name, isRobot: robot, role: role.value, projects: project.isEmpty ? ["*"] : project,
                    applications: app.isEmpty ? ["*"] : app, expiresAt: expires?.timestamp),
                actor: LocalTokens.actor)
            await ledger.close()
            return ["token": LocalTokens.document(token), "secret": .string(secret.revealed)]
        } catch {
            await ledger.close()
            throw error
        }
    }
}

/// A moment to come, or how long until then.
struct Expiry: ExpressibleByArgument, Sendable {
    let timestamp: Timestamp

    init?(argument: String) {
        if let span = TimeText.milliseconds(argument) {
            timestamp = Moment.now.advanced(byMilliseconds: span)
        } else if let moment = Timestamp(argument) {
            timestamp = moment
        } else {
            return nil
        }
    }
}

/// `shiplog token list`.
struct TokenListCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "All tokens, expired and revoked ones included; never their text.",
        discussion: """
            Examples:
              shiplog token list
              shiplog token list --data /var/lib/shiplog -o json
            """)

    @Option(help: ArgumentHelp("Read this data directory, without a server.", valueName: "dir"))
    var data: String?
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer: JSON
        if let data {
            let ledger = try await LocalTokens.open(data, .read)
            let tokens: [Token]
            do {
                tokens = try await ledger.tokens()
            } catch {
                await ledger.close()
                throw error
            }
            await ledger.close()
            answer = ["items": .array(tokens.map(LocalTokens.document))]
        } else {
            answer = try await server.client().get("/tokens")
        }
        let out = output.out
        out.show(answer) {
            out.table(
                ["ID", "NAME", "ROLE", "STATE", "PROJECTS", "APPLICATIONS", "EXPIRES", "CREATED"],
                answer.items.map(Self.row))
        }
    }

    static func row(_ token: JSON) -> [Cell] {
        let globs = { (name: String) in Cell((token[name]?.array ?? []).compactMap(\.string).joined(separator: ",")) }
        return [
            Cell(token.text("id")), Cell(token.text("name") + (token["robot"]?.bool == true ? " (robot)" : "")),
            Cell(token.text("role")), .status(token.text("state")), globs("projects"), globs("applications"),
            Cell(token["expiresAt"]?.string.map { TimeText.short($0) } ?? "never"),
            Cell(TimeText.short(token["createdAt"]?.string))
        ]
    }
}

/// `shiplog token revoke`.
struct TokenRevokeCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "End a token at once.",
        discussion: """
            Examples:
              shiplog token revoke nqzkcvtwplmd
            """)

    @Argument(help: "Its id, as `shiplog token list` shows it.")
    var id: String
    @Option(help: ArgumentHelp("Work on this data directory, without a server.", valueName: "dir"))
    var data: String?
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        if let data {
            let ledger = try await LocalTokens.open(data, .serve)
            do {
                try await ledger.revokeToken(id, actor: LocalTokens.actor)
            } catch {
                await ledger.close()
                throw error
            }
            await ledger.close()
        } else {
            _ = try await server.client().delete("/tokens/" + QueryText.encode(id))
        }
        output.out.show(["id": .string(id), "revoked": true]) { "token/\(Terminal.harmless(id)) revoked\n" }
    }
}
