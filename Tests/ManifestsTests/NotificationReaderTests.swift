import Shiplog
import Testing

@testable import Manifests

@Suite("Notifications in the configuration") struct NotificationReaderTests {
    private func read(_ text: String) throws -> [ServerConfiguration.Notification] {
        try ConfigurationReader.read(Array(("notifications:\n" + text).utf8), file: "shiplog.yaml").notifications
    }

    @Test("what is not said has a default") func defaults() throws {
        let one = try #require(try read("- {name: chat, url: https://chat.example.org/x}").first)
        #expect(one.name == "chat" && one.address == .plain("https://chat.example.org/x"))
        #expect(one.secret == nil && one.token == nil && one.kinds.isEmpty && one.tries == 10)
        #expect(one.timeout == .seconds(10) && one.initial == .seconds(1) && one.maximum == .seconds(300))
    }

    @Test("every key is read") func whole() throws {
        let one = try #require(
            try read(
                """
                - name: mail-2
                  urlFile: /etc/shiplog/url
                  secretEnv: KEY
                  tokenFile: /etc/shiplog/token
                  kinds: [sync, health.reached]
                  outcomes: [failed]
                  applications: ["shop-*"]
                  projects: [shop]
                  timeout: 2s
                  tries: 3
                  backoff: {initial: 500ms, maximum: 1m}
                """
            ).first)
        #expect(one.address == .secret(.file("/etc/shiplog/url")))
        #expect(one.secret == .environment("KEY") && one.token == .file("/etc/shiplog/token"))
        #expect(one.kinds == ["sync", "health.reached"] && one.outcomes == ["failed"])
        #expect(one.applications == ["shop-*"] && one.projects == ["shop"])
        #expect(one.timeout == .seconds(2) && one.tries == 3)
        #expect(one.initial == .milliseconds(500) && one.maximum == .seconds(60))
    }

    @Test(
        "what cannot be meant is refused",
        arguments: [
            "- {url: 'https://a.example.org'}", "- {name: 'A b', url: 'https://a.example.org'}",
            "- {name: ../x, url: 'https://a.example.org'}", "- {name: a}", "- {name: a, url: 'ftp://x'}",
            "- {name: a, url: 'https://u:p@x'}", "- {name: a, url: 'https://x/?token=1'}",
            "- {name: a, url: 'https://x', urlFile: /y}", "- {name: a, urlFile: /y, urlEnv: Y}",
            "- {name: a, url: 'https://x', secret: s3cret}", "- {name: a, url: 'https://x', token: s3cret}",
            "- {name: a, url: 'https://x', kinds: [deploy]}",
            "- {name: a, url: 'https://x', kinds: [notification.dead]}",
            "- {name: a, url: 'https://x', applications: ['[']}", "- {name: a, url: 'https://x', tries: 0}",
            "- {name: a, url: 'https://x', timeout: 1ms}", "- {name: a, url: 'https://x', extra: 1}",
            "- {name: a, url: 'https://x', backoff: {initial: 2m, maximum: 1m}}",
            "- {name: a, url: 'https://x'}\n- {name: a, url: 'https://y'}"
        ])
    func refused(_ text: String) throws {
        let failure = try #require(throws: Failure.self) { try read(text) }
        #expect(failure.code.rawValue.hasPrefix("configuration."), "\(failure)")
        #expect(!failure.message.contains("s3cret"))
    }

    @Test("what is recorded of it names where secrets are, and none of them") func facts() throws {
        var configuration = ServerConfiguration()
        configuration.notifications = try read("- {name: a, urlFile: /etc/u, secretFile: /etc/k}")
        let text = try #require(configuration.facts["notifications"]?.canonicalString)
        #expect(text.contains("/etc/u") && text.contains("/etc/k"))
    }
}
