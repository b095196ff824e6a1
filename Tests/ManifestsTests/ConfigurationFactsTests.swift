import Foundation
import Manifests
import Shiplog
import Testing

@Suite("What the ledger keeps of the settings") struct ConfigurationFactsTests {
    @Test("defaults are written out, and what is not set is left out") func defaults() {
        let facts = ServerConfiguration().facts
        #expect(facts["listen"] == "127.0.0.1:8080")
        #expect(facts.at("controller", "workers") == 8)
        #expect(facts.at("controller", "interval") == "180.0 seconds")
        #expect(facts.at("logging", "level") == "info")
        #expect(facts["tls"] == nil && facts.at("webhooks", "gitlab") == nil)
    }

    @Test("secrets are where they are read from, and an address has no user") func secrets() throws {
        let text = """
            git:
              credentials:
              - {url: 'https://git.example.org/', username: bot, passwordEnv: GIT_PASSWORD}
              - {url: 'https://other.example.org/', tokenFile: /run/secrets/git}
            clusters:
            - {name: prod, kubeconfig: /etc/kubeconfig, server: 'https://ann:pass@prod.example.org:6443/a@b'}
            webhooks: {gitlab: {secretFile: /run/x}}
            """
        let configuration = try ConfigurationReader.read(Array(text.utf8))
        let facts = configuration.facts
        let credentials = try #require(facts.at("git", "credentials")?.array)
        #expect(
            credentials.first == [
                "url": "https://git.example.org/",
                "kind": ["password": ["username": ["plain": "bot"], "password": ["environment": "GIT_PASSWORD"]]]
            ])
        #expect(credentials.last?.at("kind", "token") == ["file": "/run/secrets/git"])
        #expect(facts.at("webhooks", "gitlab") == ["file": "/run/x"])
        #expect(facts["clusters"]?.array?.first?["server"] == "https://prod.example.org:6443/a@b")
        #expect(!facts.canonicalString.contains("pass@"))
    }
}
