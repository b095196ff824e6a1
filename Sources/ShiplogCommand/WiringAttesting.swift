import Attesting
import GitSource
import KubernetesAPI
import Manifests
import ServiceLifecycle
import Shiplog

extension Wiring {
    /// The witnesses and anchors that the configuration names.
    /// - Throws: what is wrong with a key, an address or a secret: at the start, not in the first round.
    func parties(_ repositories: Repositories) throws(Failure) -> [Party] {
        var parties: [Party] = []
        for witness in configuration.log.witnesses {
            parties.append(.witness(try Witness(url: witness.url, key: witness.key)))
        }
        for anchor in configuration.log.anchors {
            switch anchor.kind {
            case .http(let url, let token):
                _ = try token?.resolve()
                parties.append(.http(HTTPAnchor(name: anchor.name, url: url, token: token.map(Self.reader))))
            case .git(let url, let branch, let path):
                parties.append(
                    .git(
                        try GitAnchor(
                            name: anchor.name, url: url, branch: branch, path: path, repositories: repositories,
                            now: { Self.now() })))
            }
        }
        return parties
    }

    /// Read anew each time: the file may hold another token by then.
    static func reader(_ secret: SecretReference) -> @Sendable () throws(Failure) -> SecretText {
        { () throws(Failure) in try secret.resolve() }
    }
}

/// Shows checkpoints to witnesses and anchors until the server stops.
struct AttestingService: Service {
    let attester: Attester

    func run() async throws {
        let work = Task { await attester.run() }
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await work.value
            } onGracefulShutdown: {
                work.cancel()
            }
        } onCancel: {
            work.cancel()
        }
    }
}
