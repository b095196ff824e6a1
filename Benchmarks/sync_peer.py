"""100 ConfigMaps changed and synced to one server, ledger included, against `kubectl apply --server-side` of the same
files to the same server: python sync_peer.py SHIPLOG [KUBECONFIG]. Without a kubeconfig the server is the sandbox."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

COUNT, ROUNDS = 100, 5
ENVIRONMENT = dict(os.environ, GIT_CONFIG_GLOBAL="/dev/null") | {
    f"GIT_{who}_{what}": "bench@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


def git(repository, *arguments):
    subprocess.run(["git", "-C", repository, *arguments], check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL)


def write(folder: Path, namespace: str, value: str):
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(COUNT):
        (folder / f"map-{index}.yaml").write_text(
            f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: map-{index}, namespace: {namespace}}}\n"
            f"data: {{value: '{value}', index: '{index}'}}\n"
        )


class Server:
    def __init__(self, url, token):
        self.url, self.token = url + "/api/shiplog/v1", token

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            self.url + path, method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": "Bearer " + self.token, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or "null")

    def operate(self, path, body):
        operation = self.call("POST", path, body)["operation"]
        while operation["state"] in ("queued", "running"):
            operation = self.call("GET", f"/operations/{operation['id']}?wait=30")
        assert operation.get("outcome") == "succeeded", operation
        return operation


def main():
    shiplog = sys.argv[1]
    external = sys.argv[2] if len(sys.argv) > 2 else None
    kubectl = shutil.which("kubectl")
    if not kubectl:
        sys.exit("kubectl is missing")
    base = Path(tempfile.mkdtemp(prefix="shiplog-bench-"))
    repository, data = base / "repository", base / "data"
    repository.mkdir()
    git(repository, "init", "-q", "-b", "main")
    write(repository / "app", "bench", "0")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "0")
    where = ["--kubeconfig", external] if external else ["--sandbox"]
    process = subprocess.Popen(
        [shiplog, "serve", *where, "--data", data, "--listen", "127.0.0.1:0", "--log-level", "error"],
        stdout=subprocess.PIPE, text=True,
    )
    kubeconfig = external or str(data / "sandbox/kubeconfig")
    try:
        url = process.stdout.readline().split()[-1]
        process.stdout.readline()
        server = Server(url, (data / "tokens/admin").read_text().strip())
        for namespace in ("bench", "bench-kubectl"):
            # Not `create namespace`: that one speaks protobuf, which the sandbox does not.
            subprocess.run([kubectl, "--kubeconfig", kubeconfig, "apply", "-f", "-"], stdout=subprocess.DEVNULL,
                           input=json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
                           text=True, check=True)
        server.call("PUT", "/applications/bench", {
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": "bench", "namespace": "argocd"},
            "spec": {
                "project": "default",
                "source": {"repoURL": f"file://{repository}", "path": "app", "targetRevision": "HEAD"},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": "bench"},
            },
        })
        server.operate("/applications/bench/refresh", {})
        server.operate("/applications/bench/sync", {})
        ours, theirs = [], []
        for turn in range(1, ROUNDS + 1):
            write(repository / "app", "bench", str(turn))
            git(repository, "commit", "-q", "-am", str(turn))
            write(base / "kubectl", "bench-kubectl", str(turn))
            server.operate("/applications/bench/refresh", {})
            start = time.perf_counter()
            operation = server.operate("/applications/bench/sync", {})
            ours.append(time.perf_counter() - start)
            row = server.call("GET", f"/revisions/{operation['revision']}")
            assert row["counts"]["updated"] == COUNT, row["counts"]
            start = time.perf_counter()
            subprocess.run([kubectl, "--kubeconfig", kubeconfig, "apply", "--server-side", "-f", base / "kubectl"],
                           check=True, stdout=subprocess.DEVNULL)
            theirs.append(time.perf_counter() - start)
        ratio = min(ours) / min(theirs)
        peer = "kube-apiserver" if external else "sandbox"
        name = f"sync: {COUNT} ConfigMaps to the {peer} / kubectl apply (time)"
        print(f"{name:<58}{f'{ratio:.2f} ({min(ours):.2f} s / {min(theirs):.2f} s)':<26}{'<= 0.5':<18}"
              f"{'met' if ratio <= 0.5 else 'MISSED'}")
    finally:
        process.terminate()
        process.wait(timeout=30)
        if external:
            subprocess.run([kubectl, "--kubeconfig", kubeconfig, "delete", "namespace", "bench", "bench-kubectl",
                            "--wait=false"], stdout=subprocess.DEVNULL)
        shutil.rmtree(base, ignore_errors=True)


main()
