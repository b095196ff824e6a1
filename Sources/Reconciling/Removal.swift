import Shiplog

extension Cluster {
    /// Waits until an object that was marked for deletion has made room for another of its name, a minute at most.
    /// - Throws: `cluster.deletion-stuck`; what keeps the cluster from answering.
    func waitForRemoval(of live: Resource, as kind: ServedKind) async throws(Failure) {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline, !Task.isCancelled {
            let rest = try await get(kind, namespace: live.namespace, name: live.name)
            if rest == nil || rest?.uid != live.uid { return }
            try? await Task.sleep(for: .milliseconds(200))
        }
        throw Failure(
            "cluster.deletion-stuck", "\(live.key) was marked for deletion and is still there",
            remedy: "look at its metadata.finalizers", next: .retry(afterMilliseconds: nil))
    }
}
