import Manifests
import Shiplog
import Testing

/// People write these files by hand and programs write them wrong: they are read or refused with a place, never more.
@Suite("Applications and configurations under mutation")
struct ReaderFuzzTests {
    private static let applications = [
        "examples/applications/my-app.yaml", "examples/applications/demo-app.yaml",
        "examples/guestbook/application.yaml"
    ]

    /// Every field there is, so that each has its turn at being wrong.
    private static let whole = """
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata: {name: shop, namespace: argocd, labels: {team: a}, annotations: {b: c}}
        spec:
          project: default
          source: {repoURL: 'https://u@git.example.org/shop.git', path: a/b, targetRevision: v1.2.*, directory: {recurse: true, include: '*.yaml', exclude: '{x,y}*'}}
          destination: {name: here, namespace: shop}
          syncPolicy:
            automated: {prune: true, selfHeal: true, allowEmpty: false}
            syncOptions: [CreateNamespace=true, PruneLast=true]
            retry: {limit: 5, backoff: {duration: 5s, factor: 2, maxDuration: 3m}}
          webhook: {gitlab: [{url: 'https://cd.example.org/api/webhook', secret: quite-secret}]}
        """

    private static let configuration = """
        listen: "[::]:9000"
        behindProxy: true
        tls: {certificate: /c.pem, key: /k.pem}
        allowedHosts: [shiplog.internal]
        controller: {interval: 0, jitter: 5s, workers: 2, selfHealBackoff: {initial: 1s, factor: 2, maximum: 1m}}
        git: {timeout: 20s, credentials: [{url: 'https://a', username: bot, passwordFile: /p}]}
        clusters: [{name: here, inCluster: true, server: 'https://kubernetes.default.svc'}]
        webhooks: {gitlab: {secretFile: /gl}, github: {secretEnv: GH}, maxBodyBytes: 2048}
        logging: {level: debug, format: json}
        """

    @Test("a damaged Application is read or refused with a place, and its webhook's secret is never quoted")
    func application() throws {
        var corpus = try Self.applications.map(file)
        corpus.append(Array(Self.whole.utf8))
        let (read, refused) = try mutate(corpus) { (bytes: [UInt8]) throws(Failure) -> Int in
            try ApplicationReader.read(bytes, file: "f").count
        } check: { failure, round in
            let words = failure.message + (failure.remedy ?? "")
            for secret in ["quite-secret", "your-webhook-secret"] {
                #expect(!words.contains(secret), "round \(round): \(words)")
            }
        }
        #expect(read > 100 && refused > 300, "\(read) read, \(refused) refused: the mutations are one-sided")
    }

    @Test("a damaged configuration is read or refused with a place")
    func configuration() throws {
        let (read, refused) = try mutate([Array(Self.configuration.utf8)]) { (bytes: [UInt8]) throws(Failure) -> Int in
            _ = try ConfigurationReader.read(bytes, file: "f")
            return 1
        } check: { _, _ in
        }
        #expect(read > 100 && refused > 300, "\(read) read, \(refused) refused: the mutations are one-sided")
    }

    private func mutate(
        _ corpus: [[UInt8]], _ read: ([UInt8]) throws(Failure) -> Int, check: (Failure, Int) -> Void
    ) throws -> (read: Int, refused: Int) {
        var generator = SeededGenerator(state: 11)
        var counts = (read: 0, refused: 0)
        for round in 0..<3000 {
            var bytes = corpus[round % corpus.count]
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                YAMLFuzzTests.damage(&bytes, corpus, &generator)
            }
            do throws(Failure) {
                _ = try read(bytes)
                counts.read += 1
            } catch {
                counts.refused += 1
                #expect(error.message.hasPrefix("f:") || error.message.hasPrefix("f "), "round \(round): \(error)")
                check(error, round)
            }
        }
        return counts
    }
}
