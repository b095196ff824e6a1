"""Every command as a person types it, against `shiplog demo` of the program that SHIPLOG_BIN names.

One server for all: the tests run in the order in which they stand, as a person's afternoon does.
"""

import hashlib
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import yaml

PROGRAM = os.environ.get("SHIPLOG_BIN", "")
GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "Ada", "GIT_COMMITTER_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_EMAIL": "ada@example.org",
}


class Shiplog:
    """A server, and the command line that talks to it."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.data = self.directory / "data"
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("SHIPLOG_", "CLICOLOR"))}
        self.environment["HOME"] = str(directory)
        self.process = subprocess.Popen(
            [PROGRAM, "demo", "--data", str(self.data), "--listen", "127.0.0.1:0"], env=self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.url = None
        seen = []
        deadline = time.monotonic() + 180
        while self.url is None and time.monotonic() < deadline:
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError("the demo ended:\n" + "".join(seen) + self.process.stderr.read())
            seen.append(line)
            found = re.match(r"listening on (http://\S+)", line)
            self.url = found and found.group(1)
        assert self.url, "".join(seen)
        self.environment["SHIPLOG_SERVER"] = self.url
        self.environment["SHIPLOG_TOKEN_FILE"] = str(self.data / "tokens" / "admin")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.communicate(timeout=40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()

    def run(self, *arguments, code=0, text=None, **variables):
        environment = {k: v for k, v in {**self.environment, **variables}.items() if v is not None}
        done = subprocess.run(
            [PROGRAM, *map(str, arguments)], env=environment, input=text, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, (
            f"shiplog {' '.join(map(str, arguments))} ended with {done.returncode}, not {code}\n"
            f"{done.stdout}\n{done.stderr}")
        return done

    def json(self, *arguments, **options):
        return json.loads(self.run(*arguments, "-o", "json", **options).stdout)


@pytest.fixture(scope="module")
def shiplog():
    assert PROGRAM and os.access(PROGRAM, os.X_OK), "SHIPLOG_BIN must name the program: make test does"
    directory = tempfile.mkdtemp(prefix="shiplog-cli-")
    server = None
    try:
        server = Shiplog(directory)
        yield server
    finally:
        if server:
            server.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def repository(shiplog):
    path = shiplog.directory / "second"
    (path / "app").mkdir(parents=True)

    def git(*arguments):
        return subprocess.run(
            ["git", "-C", str(path), *arguments], env={**shiplog.environment, **GIT}, check=True, capture_output=True,
            text=True).stdout.strip()

    def commit(value, message):
        (path / "app" / "map.yaml").write_text(
            f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: second}}\ndata: {{value: '{value}'}}\n")
        git("add", "-A")
        git("commit", "-q", "-m", message)
        return git("rev-parse", "HEAD")

    git("init", "-q", "-b", "main")
    return path, commit


def application(path, name="second", **spec):
    return yaml.safe_dump({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default", "source": {"repoURL": f"file://{path}", "path": "app", "targetRevision": "HEAD"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "second"},
            "syncPolicy": {"syncOptions": ["CreateNamespace=true"]}, **spec,
        },
    })


def syncs(shiplog, *more):
    """The demo's revisions that applied something, oldest first."""
    return [
        item for item in shiplog.json("app", "history", "guestbook", "--reverse", *more)["items"]
        if item["kind"] in ("sync", "rollback")
    ]


# Looking


def test_the_list_is_a_table_for_people_and_json_and_yaml_for_programs(shiplog):
    lines = shiplog.run("app", "list").stdout.splitlines()
    assert lines[0].split()[0] == "NAME" and lines[1].split()[0] == "guestbook"
    assert "\x1b" not in "".join(lines), "a pipe gets no colours"
    assert len(shiplog.run("app", "list", "--no-headers").stdout.splitlines()) == len(lines) - 1
    assert shiplog.json("app", "list")["items"][0]["name"] == "guestbook"
    assert yaml.safe_load(shiplog.run("app", "list", "-o", "yaml").stdout)["items"][0]["name"] == "guestbook"
    assert "\x1b[" in shiplog.run("app", "list", "--color", "always").stdout
    assert shiplog.json("app", "list", "--health", "Missing")["items"] == []
    assert shiplog.json("app", "list", "--sync", "Synced", "--project", "default")["items"]


def test_one_application_is_shown_with_its_resources(shiplog):
    text = shiplog.run("app", "get", "guestbook").stdout
    assert "Synced" in text and "guestbook-config" in text and "Deployment" in text
    assert {item["kind"] for item in shiplog.json("app", "get", "guestbook")["resources"]} >= {"ConfigMap", "Service"}


def test_history_filters_by_kind_time_and_outcome(shiplog):
    assert [item["kind"] for item in shiplog.json("history", "--kind", "rollback")["items"]] == ["rollback"]
    assert shiplog.json("history", "--until", "yesterday")["items"] == []
    assert shiplog.run("app", "history", "gestbook", code=3).stderr.startswith("shiplog: error: ")
    assert shiplog.json("app", "history", "guestbook", "--until", "yesterday")["items"] == []
    recent = shiplog.json("history", "--since", "-2h", "--app", "guestbook")["items"]
    assert recent and recent == shiplog.json("history", "--since", "yesterday", "--app", "guestbook")["items"]
    assert shiplog.json("history", "--outcome", "failed")["items"] == []
    assert len(shiplog.json("history", "-n", "2")["items"]) == 2
    newest = [item["sequence"] for item in recent]
    assert newest == sorted(newest, reverse=True)
    oldest = [item["sequence"] for item in shiplog.json("app", "history", "guestbook", "--reverse")["items"]]
    assert oldest == sorted(oldest)
    assert "the new image cannot be pulled" in shiplog.run("app", "history", "guestbook").stdout


def test_one_row_is_shown_with_its_difference_manifests_and_bytes(shiplog):
    second = syncs(shiplog)[1]["sequence"]
    assert f"#{second}" in shiplog.run("show", second).stdout
    assert f"#{second}" in shiplog.run("show", f"#{second}").stdout
    difference = shiplog.run("show", second, "--diff").stdout
    assert re.search(r"^@@ ", difference, re.M) and re.search(r"^\+.*v2", difference, re.M), difference
    assert shiplog.json("show", second, "--diff", "--against", syncs(shiplog)[0]["sequence"])["items"]
    documents = list(yaml.safe_load_all(shiplog.run("show", second, "--manifests").stdout))
    assert {document["kind"] for document in documents if document} >= {"ConfigMap", "Deployment"}
    entry = shiplog.run("show", second, "--entry").stdout.encode()
    # RFC 6962, 2.1: the leaf hash is over a zero byte and the entry.
    assert hashlib.sha256(b"\0" + entry).hexdigest() == shiplog.json("show", second)["digest"]


def test_an_event_of_the_log_is_shown_as_well(shiplog):
    assert "epoch.started" in shiplog.run("show", 1).stdout
    assert shiplog.json("show", 1)["kind"] == "epoch.started"


# Exit codes and errors


@pytest.mark.parametrize("code,arguments", [
    (3, ["app", "get", "nobody"]),
    (3, ["show", "99999999"]),
    (64, ["app", "rollback", "guestbook"]),
    (64, ["app", "frobnicate"]),
    (64, ["history", "--since", "the day before"]),
    (64, ["app", "rollback", "guestbook", "3", "--commit", "0123456", "--reason", "two targets"]),
    (9, ["app", "list", "--server", "http://127.0.0.1:1"]),
    (4, ["app", "refresh", "guestbook", "--token-file", "/dev/null"]),
    (3, ["token", "revoke", "abcdefghijkl"]),
    (5, ["app", "terminate", "guestbook"]),
    (3, ["ledger", "verify", "--data", "/nonexistent/shiplog"]),
])
def test_exit_codes_tell_scripts_what_happened(shiplog, code, arguments):
    if "--token-file" in arguments:
        # Without any token: reading is free on this machine, changing is not.
        done = shiplog.run(*arguments[:-2], code=code, SHIPLOG_TOKEN_FILE=None)
    else:
        done = shiplog.run(*arguments, code=code)
    assert done.stdout == "" and "rror: " in done.stderr


def test_errors_name_a_code_and_a_way_out_and_are_problem_objects_for_programs(shiplog):
    error = shiplog.run("app", "get", "nobody", code=3).stderr
    assert re.match(r"shiplog: error: .* \[application\.not-found\]\nhint: ", error), error
    problem = json.loads(shiplog.run("app", "get", "nobody", "-o", "json", code=3).stderr)
    assert problem["code"] == "application.not-found" and problem["status"] == 404
    assert problem["type"] == "urn:shiplog:problem:application.not-found" and problem["detail"]
    offline = json.loads(
        shiplog.run("app", "list", "--server", "http://127.0.0.1:1", "-o", "json", code=9).stderr)
    assert offline["code"] == "http.unreachable" and offline["hint"]


def test_the_table_of_exit_codes_is_in_the_help_and_in_the_documentation(shiplog):
    listed = set(re.findall(r"^\s*(\d+)\s", shiplog.run("help", "exit-codes").stdout, re.M))
    assert listed == {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "64", "130", "143"}
    text = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    assert set(re.findall(r"^\| (\d+) \|", text, re.M)) == listed


def test_every_command_has_help_with_an_example(shiplog):
    commands = [["history"], ["show"], *(["ledger", name] for name in ("verify", "stats", "backup", "restore")), ["completion"], ["version"]]
    commands += [["token", name] for name in ("create", "list", "revoke")]
    commands += [["app", name] for name in (
        "list", "get", "apply", "diff", "sync", "refresh", "history", "rollback", "unpin", "pin", "wait", "delete",
        "manifests", "terminate", "accept-cluster")]
    for command in commands:
        text = shiplog.run(*command, "--help").stdout
        assert "Examples:" in text and "shiplog " + " ".join(command) in text, command


# An application's life


def test_apply_creates_configures_and_leaves_unchanged(shiplog, repository):
    path, commit = repository
    commit("one", "Begin the second application")
    file = shiplog.directory / "second.yaml"
    file.write_text(application(path))
    assert shiplog.run("app", "apply", "-f", file).stdout == "application/second created\n"
    assert shiplog.run("app", "apply", "-f", file).stdout == "application/second unchanged\n"
    changed = application(path, project="other")
    assert shiplog.run("app", "apply", "-f", "-", text=changed).stdout == "application/second configured\n"
    assert shiplog.json("app", "get", "second")["project"] == "other"
    both = application(path) + "---\n" + application(path, name="third")
    assert shiplog.run("app", "apply", "-f", "-", text=both).stdout.splitlines() == [
        "application/second configured", "application/third created"]
    wrong = application(path, name="fourth").replace("repoURL", "repoUrl")
    assert "[application." in shiplog.run("app", "apply", "-f", "-", text=wrong, code=2).stderr
    shiplog.run("app", "get", "fourth", code=3)


def test_sync_refresh_diff_manifests_and_wait(shiplog, repository):
    path, commit = repository
    shiplog.run("app", "refresh", "second")
    assert shiplog.json("app", "get", "second")["sync"] == "OutOfSync"
    difference = shiplog.run("app", "diff", "second", code=1)
    assert "+  value: one" in difference.stdout
    assert "wait" in shiplog.run("app", "wait", "second", "--sync", "--timeout", "1s", code=6).stderr
    plan = shiplog.json("app", "sync", "second", "--dry-run")
    assert "create" in {change["action"] for change in plan.get("plan", plan)["changes"]}
    assert shiplog.json("app", "get", "second")["sync"] == "OutOfSync", "a dry run writes nothing"
    shiplog.run("app", "sync", "second", "--reason", "first", "--ticket", "OPS-1")
    newest = shiplog.json("app", "history", "second", "--kind", "sync", "-n", 1)["items"][0]
    assert (newest["reason"], newest["ticket"], newest["actor"]["name"]) == ("first", "OPS-1", "admin")
    shiplog.run("app", "wait", "second", "--sync", "--operation", "--timeout", "60s")
    for source in ("desired", "live", "deployed"):
        found = list(yaml.safe_load_all(shiplog.run("app", "manifests", "second", "--source", source).stdout))
        assert "second" in [document["metadata"]["name"] for document in found if document], source
    newer = commit("two", "Second\x1b[31m red\x07 words")
    shiplog.run("app", "refresh", "second", "--hard")
    shiplog.run("app", "sync", "second")
    shiplog.run("app", "wait", "second", "--commit", newer[:10], "--timeout", "60s")
    shown = shiplog.run("app", "history", "second").stdout
    assert "\x1b" not in shown and "\x07" not in shown


def test_history_goes_on_while_it_is_followed(shiplog, repository):
    path, commit = repository
    follower = subprocess.Popen(
        [PROGRAM, "app", "history", "second", "--follow", "-n", "1", "--kind", "sync", "-o", "json"],
        env=shiplog.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        lines = Lines(follower.stdout)
        first = json.loads(lines.next())
        commit("three", "Followed")
        shiplog.run("app", "refresh", "second")
        shiplog.run("app", "sync", "second", "--reason", "watched")
        second = json.loads(lines.next())
        assert second["reason"] == "watched" and second["sequence"] > first["sequence"]
        follower.send_signal(signal.SIGINT)
        assert follower.wait(timeout=20) in (130, -signal.SIGINT)
    finally:
        if follower.poll() is None:
            follower.kill()
            follower.wait()
        follower.stdout.close()


class Lines:
    """Lines of a pipe, with a deadline."""

    def __init__(self, pipe):
        self.pipe, self.rest = pipe, b""

    def next(self, seconds=60):
        deadline = time.monotonic() + seconds
        while b"\n" not in self.rest:
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.pipe], [], [], left)[0], "no line came in time"
            more = os.read(self.pipe.fileno(), 65536)
            assert more, "the command ended"
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return line


def test_pins_hold_and_let_go(shiplog):
    shiplog.run("app", "pin", "second", "--hold", "until-unpinned", "--reason", "no changes today")
    assert shiplog.json("app", "get", "second")["pin"]["hold"] == "until-unpinned"
    shiplog.run("app", "unpin", "second", "--reason", "tomorrow")
    assert "pin" not in shiplog.json("app", "get", "second")


def test_delete_takes_the_application_and_leaves_its_history(shiplog):
    shiplog.run("app", "delete", "third", "--yes")
    shiplog.run("app", "delete", "second", "--yes", "--cascade", "--reason", "the test is over")
    shiplog.run("app", "get", "second", code=3)
    assert shiplog.json("history", "--app", "second")["items"]


# Rollback


def test_rollback_shows_its_plan_first_and_goes_back_bit_for_bit(shiplog):
    first = syncs(shiplog)[0]
    plan = shiplog.run("app", "rollback", "guestbook", first["sequence"], "--dry-run").stdout
    assert re.search(r"^-.*v2", plan, re.M) and re.search(r"^\+.*v1", plan, re.M), plan
    assert syncs(shiplog)[-1]["kind"] == "sync", "a dry run writes nothing"
    shiplog.run("app", "rollback", "guestbook", f"#{first['sequence']}", "--reason", "v1 again", "--ticket", "OPS-7",
                "--hold", "until-unpinned", "--yes")
    newest = syncs(shiplog)[-1]
    assert newest["kind"] == "rollback" and newest["rolledBackTo"] == first["sequence"]
    assert newest["desired"] == first["desired"] and (newest["reason"], newest["ticket"]) == ("v1 again", "OPS-7")
    shiplog.run("app", "wait", "guestbook", "--timeout", "90s")
    reconcile = shiplog.json("app", "history", "guestbook", "--kind", "reconcile", "-n", 1)["items"][0]["sequence"]
    error = shiplog.run("app", "rollback", "guestbook", reconcile, "--reason", "nothing was applied", code=5).stderr
    assert "[rollback." in error


def test_a_person_at_a_terminal_is_asked_first(shiplog):
    before = syncs(shiplog)
    target = next(item for item in before if item["desired"] != before[-1]["desired"])
    assert answered(shiplog, "n\n", "app", "rollback", "guestbook", target["sequence"], "--reason", "no") == 5
    assert syncs(shiplog) == before
    assert answered(shiplog, "n\n", "app", "delete", "guestbook") == 5
    shiplog.run("app", "delete", "guestbook", code=64)
    shiplog.run("app", "get", "guestbook")


def answered(shiplog, answer, *arguments):
    """The exit code of a command that has a terminal to ask on."""
    person, terminal = pty.openpty()
    process = subprocess.Popen(
        [PROGRAM, *map(str, arguments)], env=shiplog.environment, stdin=terminal, stderr=terminal,
        stdout=subprocess.DEVNULL, start_new_session=True)
    os.close(terminal)
    try:
        heard = b""
        while b"[y/N]" not in heard:
            assert select.select([person], [], [], 60)[0], heard
            heard += os.read(person, 4096)
        os.write(person, answer.encode())
        return process.wait(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(person)


def test_a_pipeline_hears_that_what_it_deployed_is_degraded(shiplog):
    broken = syncs(shiplog)[2]["source"]["commit"]["id"]
    shiplog.run("app", "rollback", "guestbook", "--commit", broken[:9], "--reason", "try v3 again", "--yes")
    shiplog.run("app", "wait", "guestbook", "--timeout", "90s", code=7)
    # Without a target: to the last good state, which the broken one never was.
    shiplog.run("app", "rollback", "guestbook", "--reason", "it is still broken", "--yes")
    shiplog.run("app", "wait", "guestbook", "--health", "--timeout", "90s")
    shiplog.run("app", "unpin", "guestbook")


# Tokens


def test_tokens_are_made_used_listed_and_revoked(shiplog):
    secret = shiplog.run("token", "create", "--name", "grace", "--role", "viewer", "--expires", "90d").stdout
    assert re.fullmatch(r"shp_\S+\n", secret), "the secret stands alone on standard output"
    file = shiplog.directory / "grace.token"
    file.write_text(secret)
    shiplog.run("app", "list", "--token-file", file)
    shiplog.run("app", "refresh", "guestbook", "--token-file", file, code=4)
    robot = shiplog.json("token", "create", "--name", "ci", "--robot", "--role", "deployer", "--app", "shop-*",
                         "--project", "shop", "--expires", "2099-01-01")
    assert robot["token"]["applications"] == ["shop-*"] and robot["token"]["robot"] is True
    shiplog.run("app", "refresh", "guestbook", code=3, SHIPLOG_TOKEN_FILE=None, SHIPLOG_TOKEN=robot["secret"])
    listed = {token["name"]: token for token in shiplog.json("token", "list")["items"]}
    assert listed["grace"]["state"] == "active" and "secret" not in json.dumps(listed)
    shiplog.run("token", "revoke", listed["grace"]["id"])
    shiplog.run("app", "list", "--token-file", file, code=4)
    assert "revoked" in shiplog.run("token", "list").stdout


def test_a_token_is_made_on_the_machine_itself_only_while_no_server_has_the_data(shiplog):
    create = ["token", "create", "--name", "local", "--role", "viewer", "--data"]
    assert "in-use" in shiplog.run(*create, shiplog.data, code=5).stderr


# The ledger's file, the program itself


def test_the_ledger_is_verified_beside_the_running_server(shiplog):
    assert "sound" in shiplog.run("ledger", "verify", "--data", shiplog.data).stdout
    report = shiplog.json("ledger", "verify", "--data", shiplog.data)
    assert report["sound"] is True and report["rows"] > 20
    # A head from before holds, one that differs in a digit or is longer than the ledger does not.
    head = report["treeHead"]
    assert "sound" in shiplog.run("ledger", "verify", "--data", shiplog.data, "--extends", head).stdout
    size, root = head.split(":")
    for other in (f"{int(size) - 1}:{root}", f"{int(size) + 10 ** 9}:{root}"):
        shiplog.run("ledger", "verify", "--data", shiplog.data, "--extends", other, code=8)
    shiplog.run("ledger", "verify", "--data", shiplog.data, "--extends", size, code=64)
    assert shiplog.json("ledger", "stats", "--data", shiplog.data)["rows"] >= report["rows"]
    shiplog.run("ledger", "stats", "--data", shiplog.data)


def test_a_changed_row_is_named_and_ends_with_8(shiplog):
    copy = shiplog.directory / "copy"
    copy.mkdir(mode=0o700)
    source = sqlite3.connect(f"file:{shiplog.data}/ledger.sqlite?mode=ro", uri=True)
    target = sqlite3.connect(copy / "ledger.sqlite")
    source.backup(target)
    source.close()
    # Whoever has the file can take the guards out, change a row and put the guards back.
    guards = target.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in guards:
        target.execute(f'DROP TRIGGER "{name}"')
    number = syncs(shiplog)[1]["sequence"]
    changed = target.execute(
        """UPDATE revision SET entry = replace(entry, '"automated"', '"manual"') WHERE sequence = ?""",
        (number,)).rowcount
    assert changed == 1
    for _, statement in guards:
        target.execute(statement)
    target.commit()
    target.close()
    done = shiplog.run("ledger", "verify", "--data", copy, code=8)
    assert f"#{number}" in done.stderr and "[ledger.unsound]" in done.stderr


@pytest.mark.parametrize("shell,mark", [("bash", "complete "), ("zsh", "#compdef shiplog"), ("fish", "complete -c")])
def test_completion_scripts(shiplog, shell, mark):
    script = shiplog.run("completion", shell).stdout
    assert mark in script and "rollback" in script


def test_names_of_applications_are_completed_from_the_server(shiplog):
    # The question that the script for bash asks, as it stands there.
    place = re.search(r"---completion app get -- (\S+)", shiplog.run("completion", "bash").stdout).group(1)
    question = ["---completion", "app", "get", "--", place, "3", "0", "shiplog", "app", "get", ""]
    assert shiplog.run(*question, SAP_SHELL="bash").stdout.split() == ["guestbook"]
    assert shiplog.run(*question, SAP_SHELL="bash", SHIPLOG_SERVER="http://127.0.0.1:1").stdout.split() == []


def test_the_version_names_sqlite_too(shiplog):
    assert re.search(r"SQLite:?\s+3\.\d+", shiplog.run("version").stdout)
    assert shiplog.json("version")["sqlite"].startswith("3.")
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", shiplog.run("--version").stdout)


def test_the_demo_ends_by_itself_with_0_and_does_not_pretend_to_run_twice(tmp_path):
    data = tmp_path / "demo"
    command = [os.environ["SHIPLOG_BIN"], "demo", "--once", "--listen", "127.0.0.1:0", "--data", str(data)]
    first = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "put back by self-heal" in first.stdout and "are sound" in first.stdout
    again = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert again.returncode == 5 and "demo.data-not-empty" in again.stderr, again.stdout + again.stderr


def test_a_busy_port_is_named_at_once(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        for flags in ([], ["--sandbox"]):
            done = subprocess.run(
                [os.environ["SHIPLOG_BIN"], "serve", *flags, "--data", str(tmp_path / f"data{len(flags)}"), "--listen", address],
                capture_output=True, text=True, timeout=30,
            )
            assert done.returncode == 5 and "server.address-in-use" in done.stderr and address in done.stderr, done.stderr


def test_a_server_killed_in_the_middle_of_a_sync_finishes_it_at_its_next_start(tmp_path):
    repository = tmp_path / "repository"
    (repository / "app").mkdir(parents=True)
    environment = dict(os.environ, **GIT, SHIPLOG_TOKEN_FILE=str(tmp_path / "data/tokens/admin"))

    def git(*arguments):
        subprocess.run(["git", "-C", repository, *arguments], check=True, env=environment, stdout=subprocess.DEVNULL)

    def write(value):
        for index in range(60):
            (repository / "app" / f"m{index}.yaml").write_text(
                f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m{index}}}\ndata: {{v: '{value}'}}\n"
            )

    def serve():
        process = subprocess.Popen(
            [PROGRAM, "serve", "--sandbox", "--data", tmp_path / "data", "--listen", "127.0.0.1:0", "--log-level", "error"],
            stdout=subprocess.PIPE, text=True, env=environment,
        )
        environment["SHIPLOG_SERVER"] = process.stdout.readline().split()[-1]
        process.stdout.readline()
        return process

    def run(*arguments):
        return subprocess.run([PROGRAM, *arguments], env=environment, capture_output=True, text=True, timeout=60)

    git("init", "-q", "-b", "main")
    write(0)
    git("add", "-A")
    git("commit", "-q", "-m", "0")
    (tmp_path / "application.yaml").write_text(json.dumps({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "many", "namespace": "argocd"},
        "spec": {
            "project": "default", "source": {"repoURL": f"file://{repository}", "path": "app", "targetRevision": "HEAD"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "many"},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["CreateNamespace=true"]},
        },
    }))
    process = serve()
    try:
        assert run("app", "apply", "-f", str(tmp_path / "application.yaml")).returncode == 0
        assert run("app", "wait", "many", "--sync", "--timeout", "30s").returncode == 0
        for turn in range(1, 5):
            write(turn)
            git("commit", "-q", "-am", str(turn))
            asking = subprocess.Popen([PROGRAM, "app", "refresh", "many"], env=environment,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            # Until the intent is durable, then at once: in the middle of sixty writes.
            database = f"file:{tmp_path}/data/ledger.sqlite?mode=ro"
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                with sqlite3.connect(database, uri=True) as ledger:
                    if ledger.execute("SELECT count(*) FROM attempt WHERE closed_by IS NULL").fetchone()[0]:
                        break
            process.kill()
            process.wait()
            asking.kill()
            asking.wait()
            process = serve()
            assert run("app", "refresh", "many").returncode == 0
            assert run("app", "wait", "many", "--sync", "--operation", "--timeout", "30s").returncode == 0
            verified = run("ledger", "verify", "--data", str(tmp_path / "data"))
            assert verified.returncode == 0, verified.stdout
            with sqlite3.connect(database, uri=True) as ledger:
                opened = ledger.execute("SELECT count(*), count(closed_by), count(DISTINCT closed_by) FROM attempt").fetchone()
                assert len(set(opened)) == 1, opened
            shown = run("app", "diff", "many")
            assert shown.returncode == 0, shown.stdout
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0


def test_a_new_account_needs_to_name_no_directory(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "XDG_DATA_HOME"} | {"HOME": str(tmp_path)}
    process = subprocess.Popen([PROGRAM, "serve", "--sandbox", "--listen", "127.0.0.1:0", "--log-level", "error"],
                               stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout.readline().startswith("listening on ")
        data = tmp_path / ".local/share/shiplog/data"
        assert process.stdout.readline().strip().endswith(f"{data}/tokens/admin")
        assert data.stat().st_mode & 0o777 == 0o700
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0
