"""What the ledger keeps of a server's own life, and how a person reads the audit log and the report."""

import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

PROGRAM = os.environ.get("SHIPLOG_BIN", "")
GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "Ada", "GIT_COMMITTER_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_EMAIL": "ada@example.org",
}


class Server:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.data = self.folder / "data"
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("SHIPLOG_", "CLICOLOR"))}
        self.environment["HOME"] = str(folder)
        self.process = None

    def start(self, *arguments):
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--sandbox", "--data", str(self.data), "--listen", "127.0.0.1:0", *map(str, arguments)],
            env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        found = re.match(r"listening on (http://\S+)", self.process.stdout.readline())
        assert found
        self.environment["SHIPLOG_SERVER"] = found.group(1)
        self.environment["SHIPLOG_TOKEN_FILE"] = str(self.data / "tokens" / "admin")

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(60)

    def run(self, *arguments, code=0, **variables):
        done = subprocess.run([PROGRAM, *map(str, arguments)], env={**self.environment, **variables}, capture_output=True, text=True,
                              timeout=120)
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def events(self, *arguments):
        return json.loads(self.run("events", "--reverse", "-n", "0", *arguments, "-o", "json"))["items"]

    def event(self, sequence):
        return json.loads(self.run("show", sequence, "-o", "json"))


@pytest.fixture
def server():
    assert PROGRAM and os.access(PROGRAM, os.X_OK), "SHIPLOG_BIN must name the program: make test does"
    folder = tempfile.mkdtemp(prefix="shiplog-audit-")
    server = Server(folder)
    try:
        yield server
    finally:
        server.stop(signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


def test_each_start_and_end_is_told_with_the_settings_and_what_changed_in_them(server):
    config = server.folder / "shiplog.yaml"
    config.write_text("controller: {workers: 4}\nmetrics: {enabled: false}\n")
    server.start("--config", config)
    server.stop()
    server.start("--config", config)
    server.stop(signal.SIGKILL)
    config.write_text("controller: {workers: 5}\n")
    server.start("--config", config)
    started, stopped = server.events("--kind", "server.started"), server.events("--kind", "server.stopped")
    assert [one["facts"]["mode"] for one in started] == ["sandbox"] * 3
    assert [one["facts"].get("unfinished") for one in started] == [None, None, started[1]["sequence"]], "a kill leaves no end"
    assert [one["facts"] for one in stopped] == [{"why": "signal"}]
    loaded = server.events("--kind", "configuration.loaded")
    assert {one["facts"]["file"] for one in loaded} == {"shiplog.yaml"}
    assert loaded[2]["facts"]["digest"] == "sha256:" + sha256(config.read_bytes()).hexdigest()
    assert [one["facts"].get("changed") for one in loaded] == [None, [], ["/controller/workers", "/metrics/enabled"]]
    whole = server.event(loaded[2]["sequence"])
    assert whole["changes"] == [{"path": "/controller/workers", "before": 4, "after": 5},
                                {"path": "/metrics/enabled", "before": False, "after": True}]
    assert whole["detail"]["settings"]["sandbox"] is True and whole["detail"]["settings"]["listen"] == "127.0.0.1:0"
    text = server.run("show", loaded[2]["sequence"])
    assert "/controller/workers\n  - 4\n  + 5\n" in text, text


def test_a_server_that_cannot_serve_says_so(server):
    server.start()
    server.stop()
    (server.folder / "taken.yaml").write_text("clusters: [{name: far, kubeconfig: /nowhere/at/all}]\n")
    done = subprocess.run([PROGRAM, "serve", "--sandbox", "--data", str(server.data), "--config", str(server.folder / "taken.yaml")],
                          env=server.environment, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    server.start()
    last = server.events("--kind", "server.stopped")[-1]
    assert last["outcome"] == "failed" and last["facts"]["why"] == "failed" and "." in last["facts"]["code"], last


def test_a_command_on_the_data_itself_is_by_the_account_whatever_the_environment_says(server):
    server.start()
    server.stop()
    token = server.run("token", "create", "--data", server.data, "--name", "ci", "--role", "viewer", USER="mallory", LOGNAME="mallory")
    server.run("token", "revoke", "--data", server.data, token.split("_")[1])
    server.start()
    made, gone = server.events("--kind", "token.created")[-1], server.events("--kind", "token.revoked")[-1]
    account = pwd.getpwuid(os.geteuid()).pw_name
    for event in (made, gone):
        assert event["actor"] == {"name": account, "means": "local"}, event
        assert event["facts"]["id"] == token.split("_")[1]


def test_the_audit_log_is_read_and_filtered_and_a_report_is_made(server):
    repository = server.folder / "repository"
    (repository / "app").mkdir(parents=True)
    document = {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "one", "namespace": "argocd"},
        "spec": {"project": "shop", "source": {"repoURL": f"file://{repository}", "path": "app", "targetRevision": "main"},
                 "destination": {"server": "https://kubernetes.default.svc", "namespace": "one"},
                 "syncPolicy": {"syncOptions": ["CreateNamespace=true"]}},
    }

    def git(*arguments):
        subprocess.run(["git", "-C", str(repository), *arguments], env={**server.environment, **GIT}, check=True, capture_output=True)

    def commit(value):
        (repository / "app" / "map.yaml").write_text(yaml.safe_dump(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "map"}, "data": {"value": value}}))
        git("add", "-A")
        git("commit", "-q", "-m", "Say " + value)

    def apply():
        (server.folder / "app.yaml").write_text(yaml.safe_dump(document))
        server.run("app", "apply", "-f", server.folder / "app.yaml")

    git("init", "-q", "-b", "main")
    commit("one")
    server.start()
    assert server.run("report").startswith("no deployments from "), "nothing is no zero"
    apply()
    for value in ("one", "two"):
        commit(value + "!")
        server.run("app", "sync", "one")
    server.run("app", "rollback", "one", "--reason", "two is wrong", "--yes")
    document["spec"]["source"]["targetRevision"] = "release"
    del document["spec"]["syncPolicy"]
    apply()
    server.run("app", "terminate", "one", code=5)
    viewer = server.run("token", "create", "--name", "eve", "--role", "viewer").strip()
    server.run("app", "delete", "one", "--yes", code=4, SHIPLOG_TOKEN=viewer)

    changed = server.events("--kind", "application.changed")
    assert changed[0]["facts"]["changed"] == ["/spec/source/targetRevision", "/spec/syncPolicy/syncOptions"]
    text = server.run("show", changed[0]["sequence"])
    assert "/spec/source/targetRevision\n  - main\n  + release\n" in text and "From:" in text and "127.0.0.1" in text
    refused = server.events("--outcome", "refused")
    assert [(one["actor"]["name"], one["facts"]["code"]) for one in refused] == [("admin", "operation.none"), ("eve", "request.forbidden")]
    assert all(one["requestID"] and one["detail"]["address"] == "127.0.0.1" for one in refused)
    assert server.events("--actor", "eve") == refused[1:]
    lines = server.run("events", "--app", "one").splitlines()
    assert lines[0].split() == ["SEQUENCE", "RECORDED", "EVENT", "APPLICATION", "BY", "OUTCOME", "FACTS"]
    assert any("request.refused" in line and "eve (token)" in line for line in lines)
    server.run("events", "--kind", "no.such", code=64)

    report = json.loads(server.run("report", "--app", "one", "-o", "json"))
    total = report["total"]
    assert total["deploymentFrequency"]["deployments"] == 2 and total["rollbacks"] == 1
    assert total["changeFailRate"] == {"failed": 1, "changes": 2, "rate": 0.5, "sequences": total["changeFailRate"]["sequences"]}
    assert total["timeToRestore"]["restored"] == 1 and total["leadTime"]["measured"] == 2
    for figure in ("deploymentFrequency", "leadTime", "changeFailRate", "timeToRestore"):
        for sequence in total[figure]["sequences"]:
            assert server.event(sequence)["application"]["name"] == "one"
    assert report["applications"][0]["deployments"][1]["trouble"] == ["rolled-back"]
    table = server.run("report", "--project", "shop").splitlines()
    assert [line.split()[0] for line in table[2:6]] == ["OF", "one", "project", "all"], table
    assert "50%" in table[3]
    assert yaml.safe_load(server.run("report", "-o", "yaml"))["total"] == total
    assert server.run("report", "--from", "2020-01-01", "--to", "2020-02-01").startswith("no deployments from 2020-01-01T00:00:00Z")
    server.run("report", "--app", "nobody", code=3)
    server.run("report", "--from", "2020-02-01", "--to", "2020-01-01", code=64)
