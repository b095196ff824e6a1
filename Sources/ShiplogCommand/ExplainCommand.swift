import ArgumentParser

/// `shiplog explain`: the loop's decisions on files, with no server.
struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "What the controller would decide about files; no server is needed.",
        discussion: """
            Examples:
              shiplog explain order deploy/
              shiplog explain diff --desired app.yaml --live live.yaml
              kubectl get all -o yaml | shiplog explain health -
              shiplog explain window -f project.yaml --app application.yaml

            The same code decides in the loop. -o json is for tests of your own.
            """,
        subcommands: [
            ExplainOrderCommand.self,
            ExplainDiffCommand.self,
            ExplainHealthCommand.self,
            ExplainWindowCommand.self
        ])
}
