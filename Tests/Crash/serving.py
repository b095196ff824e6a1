"""A real `shiplog serve --sandbox` as a process, with its data directory and what a test asks of it."""

import base64
import json
import os
import re
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import yaml

PROGRAM = os.environ.get("SHIPLOG_BIN", "")
API = "/api/shiplog/v1"
GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "Ada", "GIT_COMMITTER_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_EMAIL": "ada@example.org",
}
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(("SHIPLOG_", "CLICOLOR"))}


class Refused(Exception):
    """The server answered, and it was no success."""

    def __init__(self, status, problem):
        super().__init__(f"{status} {problem}")
        self.status, self.problem = status, problem
        self.code = problem.get("code", "")


class Gone(Exception):
    """No answer: the process is not there, or not any more."""


def until(condition, what, seconds=30):
    """Waits for something true, and gives it back."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what() if callable(what) else what}"
        time.sleep(0.02)


def shiplog(*arguments, code=0, text=None, **variables):
    """One command to its end; `code` is the exit status it must have, None any."""
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)], env={**ENVIRONMENT, **variables}, input=text, capture_output=True, text=True,
        timeout=300)
    assert code is None or done.returncode == code, (
        f"shiplog {' '.join(map(str, arguments))} ended with {done.returncode}, not {code}\n{done.stdout}{done.stderr}")
    return done


class Server:
    """Start, kill and ask a server. Its log is appended to `log`, over all of its lives."""

    def __init__(self, data, *flags, log=None, variables=None):
        assert PROGRAM and os.access(PROGRAM, os.X_OK), "SHIPLOG_BIN must name the program: make test does"
        self.data = Path(data)
        self.log = Path(log or self.data.parent / "server.log")
        self.flags = flags
        self.variables = variables or {}
        self.process = None
        self.url = None

    def spawn(self):
        """Starts the process and does not wait for it."""
        self.url = None
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "serve", "--sandbox", "--data", str(self.data), "--listen", "127.0.0.1:0", *self.flags],
                env={**ENVIRONMENT, **self.variables}, stdout=subprocess.PIPE, stderr=log, text=True,
                cwd=self.data.parent)

    def listening(self):
        """Waits until it takes connections."""
        for line in self.process.stdout:
            if found := re.match(r"listening on (http://\S+)", line):
                self.url = found.group(1)
                return self
        raise AssertionError(f"the server ended with {self.process.wait()}:\n{self.tail()}")

    def start(self):
        self.spawn()
        return self.listening()

    def tail(self):
        return self.log.read_text(errors="replace")[-4000:]

    def kill(self):
        """SIGKILL: nothing of the process runs on."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def stop(self):
        if not self.process:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(40)
        finally:
            self.kill()

    # Asking

    def ask(self, method, path, body=None, raw=False):
        if self.url is None:
            raise Gone("not started")
        token = (self.data / "tokens" / "admin").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        data = None
        if body is not None:
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            headers["Content-Type"] = "application/yaml" if isinstance(body, str) else "application/json"
        request = urllib.request.Request(self.url + API + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:
                content = answer.read()
                return (content, answer.headers) if raw else json.loads(content or b"null")
        except urllib.error.HTTPError as error:
            try:
                raise Refused(error.code, json.loads(error.read() or b"{}")) from None
            except (ValueError, OSError):
                raise Gone("cut short") from None
        except (OSError, ValueError, EOFError) as error:
            raise Gone(str(error)) from None
        except Exception as error:  # http.client's own, for an answer that breaks off
            raise Gone(repr(error)) from None

    def operate(self, application, act, **body):
        """Asks for an operation and waits for its end."""
        operation = self.ask("POST", f"/applications/{application}/{act}", body)["operation"]
        while operation["state"] not in ("finished", "refused"):
            operation = self.ask("GET", f"/operations/{operation['id']}?wait=10")
        return operation

    # Looking at what it keeps

    def rows(self, sql, *arguments):
        """Reads the ledger's file beside the server, as any other program may."""
        connection = sqlite3.connect(f"file:{self.data}/ledger.sqlite?mode=ro", uri=True, timeout=20)
        try:
            return connection.execute(sql, arguments).fetchall()
        finally:
            connection.close()

    def leaves(self):
        """Every sequence with its hash."""
        return dict(self.rows("SELECT sequence, lower(hex(hash)) FROM leaf ORDER BY sequence"))

    def cluster(self, path):
        """An answer of the embedded cluster, by the kubeconfig that the server writes."""
        text = yaml.safe_load((self.data / "sandbox" / "kubeconfig").read_text())
        server = re.sub(r"//[^@/]*@", "//", text["clusters"][0]["cluster"]["server"])
        request = urllib.request.Request(
            server + path, headers={"Authorization": "Bearer " + text["users"][0]["user"]["token"]})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())

    def verify(self, *arguments, code=0):
        return shiplog("ledger", "verify", "--data", self.data, *arguments, code=code)


class Repository:
    """A Git repository with one application's manifests in `app/`; remembers what every commit says."""

    def __init__(self, path):
        self.path = Path(path)
        (self.path / "app").mkdir(parents=True)
        self.commits = {}
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments):
        return subprocess.run(
            ["git", "-C", str(self.path), *arguments], env={**ENVIRONMENT, **GIT}, check=True, capture_output=True,
            text=True).stdout.strip()

    def commit(self, documents, message="change"):
        (self.path / "app" / "all.yaml").write_text(yaml.safe_dump_all(documents))
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        head = self.git("rev-parse", "HEAD")
        self.commits[head] = documents
        return head


def config_map(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def secret(name, **data):
    return {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
        "data": {k: base64.b64encode(v.encode()).decode() for k, v in data.items()}}


def deployment(name, image, replicas):
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "main", "image": image}]}}}}


def application(name, repository, **policy):
    return yaml.safe_dump({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": f"file://{repository.path}", "path": "app", "targetRevision": "HEAD"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": name},
            "syncPolicy": {"syncOptions": ["CreateNamespace=true"], **policy},
        },
    })


def within(desired, live):
    """Whether everything that is desired is live; what the cluster adds besides is its own."""
    if isinstance(desired, dict):
        return isinstance(live, dict) and all(key in live and within(desired[key], live[key]) for key in desired)
    if isinstance(desired, list):
        return isinstance(live, list) and len(desired) == len(live) and all(map(within, desired, live))
    return desired == live
