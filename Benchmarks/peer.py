"""A Shiplog and its peers on one server, for the benchmarks that compare them."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

COUNT = 100
ENVIRONMENT = dict(os.environ, GIT_CONFIG_GLOBAL="/dev/null") | {
    f"GIT_{who}_{what}": "bench@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


def git(repository, *arguments):
    subprocess.run(["git", "-C", repository, *arguments], check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL)


def run_quietly(command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def write(folder: Path, namespace: str, value: str, count: int):
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        (folder / f"map-{index}.yaml").write_text(
            f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: map-{index}, namespace: {namespace}}}\n"
            f"data: {{value: '{value}', index: '{index}'}}\n"
        )


def line(name, ours, theirs, goal):
    ratio = ours / theirs
    print(f"{name:<58}{f'{ratio:.2f} ({ours:.2f} s / {theirs:.2f} s)':<26}{f'<= {goal}':<18}"
          f"{'met' if ratio <= goal else 'MISSED'}")


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


class Peer:
    """`python SCRIPT SHIPLOG [KUBECONFIG]`: a running server, a repository, and kubectl beside them."""

    def __enter__(self):
        shiplog = sys.argv[1]
        self.external = sys.argv[2] if len(sys.argv) > 2 else None
        self.kubectl = shutil.which("kubectl") or sys.exit("kubectl is missing")
        self.name = "kube-apiserver" if self.external else "sandbox"
        self.base = Path(tempfile.mkdtemp(prefix="shiplog-bench-"))
        self.repository, data = self.base / "repository", self.base / "data"
        self.folder = self.repository / "app"
        self.repository.mkdir()
        git(self.repository, "init", "-q", "-b", "main")
        where = ["--kubeconfig", self.external] if self.external else ["--sandbox"]
        self.process = subprocess.Popen(
            [shiplog, "serve", *where, "--data", data, "--listen", "127.0.0.1:0", "--log-level", "error"],
            stdout=subprocess.PIPE, text=True,
        )
        try:
            url = self.process.stdout.readline().split()[-1]
            self.process.stdout.readline()
            self.kubeconfig = self.external or str(data / "sandbox/kubeconfig")
            self.server = Server(url, (data / "tokens/admin").read_text().strip())
            for namespace in ("bench", "bench-kubectl"):
                # Not `create namespace`: that one speaks protobuf, which the sandbox does not.
                subprocess.run(
                    [self.kubectl, "--kubeconfig", self.kubeconfig, "apply", "-f", "-"], stdout=subprocess.DEVNULL,
                    input=json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
                    text=True, check=True)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)
        if self.external:
            run_quietly([self.kubectl, "--kubeconfig", self.external, "delete", "namespace", "bench", "bench-kubectl",
                         "--wait=false"])
        shutil.rmtree(self.base, ignore_errors=True)

    def register(self, name, path, automated=False):
        spec = {
            "project": "default",
            "source": {"repoURL": f"file://{self.repository}", "path": path, "targetRevision": "HEAD"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "bench"},
        }
        if automated:
            spec["syncPolicy"] = {"automated": {"prune": True}}
        self.server.call("PUT", f"/applications/{name}", {
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": name, "namespace": "argocd"}, "spec": spec,
        })

    def commit(self, message):
        git(self.repository, "add", "-A")
        git(self.repository, "commit", "-q", "--allow-empty", "-m", message)

    def deploy(self, name, count, value="0"):
        """Commits so many objects, syncs them, and gives the revision."""
        write(self.folder, "bench", value, count)
        self.commit(value)
        self.register(name, "app")
        self.server.operate(f"/applications/{name}/refresh", {})
        return self.server.operate(f"/applications/{name}/sync", {})["revision"]

    def resident_megabytes(self):
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024
