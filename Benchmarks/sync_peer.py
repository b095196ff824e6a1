"""100 ConfigMaps changed and synced to one server, ledger included, against `kubectl apply --server-side` of the same
files to the same server: python sync_peer.py SHIPLOG [KUBECONFIG]. Without a kubeconfig the server is the sandbox."""
import time

from peer import COUNT, Peer, line, run_quietly, write

ROUNDS = 5


def main():
    with Peer() as peer:
        peer.deploy("bench", COUNT)
        ours, theirs = [], []
        for turn in range(1, ROUNDS + 1):
            write(peer.folder, "bench", str(turn), COUNT)
            peer.commit(str(turn))
            write(peer.base / "kubectl", "bench-kubectl", str(turn), COUNT)
            peer.server.operate("/applications/bench/refresh", {})
            start = time.perf_counter()
            operation = peer.server.operate("/applications/bench/sync", {})
            ours.append(time.perf_counter() - start)
            row = peer.server.call("GET", f"/revisions/{operation['revision']}")
            assert row["counts"]["updated"] == COUNT, row["counts"]
            start = time.perf_counter()
            run_quietly([peer.kubectl, "--kubeconfig", peer.kubeconfig, "apply", "--server-side", "-f", peer.base / "kubectl"])
            theirs.append(time.perf_counter() - start)
        line(f"sync: {COUNT} ConfigMaps to the {peer.name} / kubectl apply (time)", min(ours), min(theirs), 0.5)


main()
