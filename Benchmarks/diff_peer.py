"""The difference of 100 unchanged ConfigMaps by `GET /applications/bench/diff` against `kubectl diff` of the same files on the
same server: python diff_peer.py SHIPLOG [KUBECONFIG]. Without a kubeconfig the server is the sandbox."""
import time

from peer import COUNT, Peer, line, run_quietly

ROUNDS = 5


def main():
    with Peer() as peer:
        peer.deploy("bench", COUNT)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            answer = peer.server.call("GET", "/applications/bench/diff")
            ours.append(time.perf_counter() - start)
            assert answer["items"] == [], answer["items"][:1]
            start = time.perf_counter()
            # 0 says that there is no difference.
            run_quietly([peer.kubectl, "--kubeconfig", peer.kubeconfig, "diff", "--server-side", "-f", peer.folder])
            theirs.append(time.perf_counter() - start)
        line(f"diff: {COUNT} unchanged ConfigMaps on the {peer.name} / kubectl diff (time)", min(ours), min(theirs), 0.1)


main()
