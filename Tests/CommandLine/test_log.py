"""The signed log as an operator and an auditor use it: a real server, a database put back to an older copy, and a file
edited with sqlite3."""

import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

PROGRAM = os.environ.get("SHIPLOG_BIN", "")


class Server:
    """A `shiplog serve --sandbox` on a data directory that outlives it."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.chmod(0o700)
        self.data = self.directory / "data"
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("SHIPLOG_", "CLICOLOR"))}
        self.environment["HOME"] = str(directory)
        self.process = None

    def start(self, *arguments, code=None):
        """Serves; with a code, it must not come up and ends so."""
        errors = open(self.directory / "errors", "a+", encoding="utf8")
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--sandbox", "--data", str(self.data), "--listen", "127.0.0.1:0", *arguments],
            env=self.environment, stdout=subprocess.PIPE, stderr=errors if code is None else subprocess.PIPE, text=True)
        if code is not None:
            out, err = self.process.communicate(timeout=60)
            assert self.process.returncode == code, out + err
            return err
        while True:
            line = self.process.stdout.readline()
            assert line, "the server ended:\n" + (self.directory / "errors").read_text()
            found = re.match(r"listening on (http://\S+)", line)
            if found:
                break
        self.environment["SHIPLOG_SERVER"] = found.group(1)
        self.environment["SHIPLOG_TOKEN_FILE"] = str(self.data / "tokens" / "admin")
        return self

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.communicate(timeout=40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.communicate()

    def run(self, *arguments, code=0):
        done = subprocess.run(
            [PROGRAM, *map(str, arguments)], env=self.environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments):
        return json.loads(self.run(*arguments, "-o", "json").stdout)

    def checkpoint(self, name):
        """What an auditor takes home, once it covers everything."""
        path = self.directory / name
        deadline = time.monotonic() + 10
        while True:
            path.write_text(self.run("ledger", "checkpoint").stdout)
            size = int(path.read_text().splitlines()[1])
            newest = self.json("ledger", "verify", "--data", self.data)["rows"]
            if size == newest or time.monotonic() > deadline:
                assert size == newest
                return path
            time.sleep(0.1)

    def connect(self):
        return sqlite3.connect(self.data / "ledger.sqlite")


@pytest.fixture
def server(tmp_path):
    assert PROGRAM and os.access(PROGRAM, os.X_OK), "SHIPLOG_BIN must name the program: make test does"
    server = Server(tmp_path)
    try:
        yield server
    finally:
        server.stop()


def tokens(server, count):
    for number in range(count):
        server.run("token", "create", "--name", f"robot-{number}", "--role", "viewer", "--robot")


def test_a_checkpoint_is_kept_and_the_ledger_is_held_to_it(server):
    server.start()
    kept = server.checkpoint("monday")
    key = server.run("ledger", "key", "export").stdout.strip()
    tokens(server, 3)
    later = server.checkpoint("friday")
    url = server.environment["SHIPLOG_SERVER"]
    done = server.run("ledger", "verify", "--server", url, "--checkpoint", kept, "--key", key)
    assert "are sound" in done.stdout and "the server itself names" not in done.stdout
    assert "self-attested" in done.stdout
    server.run("ledger", "consistency", kept, later)
    server.run("ledger", "proof", "2")
    assert server.json("ledger", "proof", "1/2")["sequence"] == 2
    server.run("ledger", "proof", "9999", code=3)
    # A checkpoint of another log, and one that was written by hand.
    forged = server.directory / "forged"
    lines = kept.read_text().splitlines(keepends=True)
    forged.write_text("".join([lines[0], lines[1], "A" * 43 + "=\n", *lines[3:]]))
    server.run("ledger", "verify", "--server", url, "--checkpoint", forged, "--key", key, code=8)
    server.run("ledger", "verify", "--data", server.data, "--checkpoint", forged, code=8)
    server.run("ledger", "consistency", forged, later, code=8)
    other = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    server.run("ledger", "verify", "--server", url, "--key", other, code=8)
    server.run("ledger", "verify", "--server", url, "--key", "rubbish", code=64)
    # Without any server.
    server.stop()
    done = server.run("ledger", "verify", "--data", server.data, "--checkpoint", kept, "--checkpoint", later)
    assert "are sound" in done.stdout
    assert server.run("ledger", "key", "export", "--data", server.data).stdout.strip() == key
    server.run("ledger", "consistency", kept, later, "--data", server.data)
    server.run("ledger", "proof", "3", "--data", server.data)


def test_an_older_copy_is_refused_until_a_person_takes_it(server):
    server.start()
    tokens(server, 2)
    kept = server.checkpoint("kept")
    with server.connect() as database:
        database.execute("VACUUM INTO ?", (str(server.directory / "older.sqlite"),))
    tokens(server, 3)
    server.checkpoint("lost")
    size, lost = (int((server.directory / name).read_text().splitlines()[1]) for name in ("kept", "lost"))
    server.stop()
    for end in ("-wal", "-shm"):
        (server.data / f"ledger.sqlite{end}").unlink(missing_ok=True)
    shutil.copyfile(server.directory / "older.sqlite", server.data / "ledger.sqlite")

    said = server.start(code=8)
    assert "ledger.rolled-back" in said and f"it has {size} entries" in said and "--accept-fork" in said
    server.start("--accept-fork", " ", code=64)

    server.start("--accept-fork", "the disk burnt")
    status = json.loads(server.run("ledger", "key", "list", "-o", "json").stdout)["items"]
    assert [row["epoch"] for row in status] == [1, 2]
    assert "[-]log-confirmed log.unconfirmed" in ready(server)
    # Reads go on, and nothing is changed.
    server.run("history")
    document = server.directory / "app.yaml"
    document.write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a, namespace: argocd}\n"
        "spec: {project: default, source: {repoURL: 'file:///nowhere', path: a, targetRevision: HEAD},"
        " destination: {server: 'https://kubernetes.default.svc', namespace: a}}\n")
    assert "log.unconfirmed" in server.run("app", "apply", "-f", document, code=5).stderr
    # The lost entries are told from those that were never there.
    assert "log.entry-lost" in server.run("ledger", "proof", f"1/{lost - 1}", code=3).stderr
    assert "entry.not-found" in server.run("ledger", "proof", f"1/{lost + 500}", code=3).stderr
    server.run("ledger", "proof", f"1/{size - 1}")
    server.run("ledger", "confirm", "--reason", "looked at them")
    deadline = time.monotonic() + 10
    while "log-confirmed ok" not in ready(server) and time.monotonic() < deadline:
        time.sleep(0.2)
    server.run("app", "apply", "-f", document)
    server.checkpoint("after")
    assert (server.directory / "after").read_text().splitlines()[0].split("/")[-1].startswith("2-")
    server.stop()

    assert "log.no-fork" in server.start("--accept-fork", "again", code=5)
    server.run("ledger", "verify", "--data", server.data, "--checkpoint", kept)
    server.run("ledger", "verify", "--data", server.data, "--checkpoint", server.directory / "lost", code=8)


def ready(server):
    try:
        with urllib.request.urlopen(server.environment["SHIPLOG_SERVER"] + "/readyz?verbose", timeout=30) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()


def test_an_entry_edited_with_sqlite3_is_caught_by_the_checkpoint(server):
    server.start()
    tokens(server, 2)
    kept = server.checkpoint("kept")
    server.stop()
    database = server.connect()
    database.create_function("sha256", 1, lambda data: hashlib.sha256(data).digest(), deterministic=True)
    triggers = database.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name IN ('event', 'leaf', 'token')").fetchall()
    for name, _ in triggers:
        database.execute(f"DROP TRIGGER {name}")
    changed = database.execute(
        "UPDATE event SET entry = replace(entry, 'robot-1', 'robot-7') WHERE kind = 'token.created'"
        " AND entry LIKE '%robot-1%'").rowcount
    assert changed == 1
    database.execute(
        "UPDATE leaf SET hash = sha256(CAST(x'00' || CAST(e.entry AS BLOB) AS BLOB)) FROM event AS e"
        " WHERE e.sequence = leaf.sequence")
    for _, sql in triggers:
        database.execute(sql)
    database.commit()
    database.close()
    done = server.run("ledger", "verify", "--data", server.data, code=8)
    assert "not those of the last checkpoint" in done.stdout
    # The hashes were made to fit: without the checkpoints nobody would know what, and it is told that they are gone.
    shutil.rmtree(server.data / "checkpoints")
    (server.data / "checkpoints").mkdir(mode=0o700)
    done = server.run("ledger", "verify", "--data", server.data, code=8)
    assert "is gone from its folder" in done.stdout
    server.run("ledger", "verify", "--data", server.data, "--checkpoint", kept, code=8)
    assert "log.checkpoint-missing" in server.start(code=5)


def test_a_key_is_rotated_and_the_next_start_signs_with_the_new_one(server):
    server.start()
    old = server.run("ledger", "key", "export").stdout.strip()
    new = server.run("ledger", "key", "rotate", "--reason", "yearly").stdout.strip()
    between = server.checkpoint("between")
    url = server.environment["SHIPLOG_SERVER"]
    for key in (old, new):
        server.run("ledger", "verify", "--data", server.data, "--checkpoint", between, "--key", key)
    tokens(server, 1)
    after = server.checkpoint("after")
    server.run("ledger", "verify", "--data", server.data, "--checkpoint", after, "--key", old, code=8)
    server.run("ledger", "verify", "--server", url, "--key", new)
    server.stop()
    assert not list((server.data / "keys").glob(f"log-{old.split('+')[1]}.key"))
    server.start()
    tokens(server, 1)
    server.run("ledger", "verify", "--data", server.data, "--checkpoint", server.checkpoint("last"), "--key", new)
    secret = next((server.data / "keys").glob("log-*.key")).read_text().strip().split("+")[-1]
    server.stop()
    for path in [*server.data.glob("ledger.sqlite*"), *(server.data / "checkpoints").iterdir(), server.directory / "errors"]:
        assert secret.encode() not in path.read_bytes(), path
