"""A server with a witness that shares no line with it, an anchor over HTTP and one in a Git repository."""

import http.server
import json
import os
import re
import subprocess
import threading
import time

import pytest

from support import Running
from test_independent import verify

SEED = "07" * 32
TOKEN = "an-anchor-token-that-nobody-may-see"


class Witness:
    """The independent program as a witness of one log."""

    def __init__(self, program, directory, log_key):
        self.program, self.directory, self.log_key = program, directory, log_key
        self.address = "127.0.0.1:0"
        self.state = directory / "witness.json"
        self.running = None

    def start(self):
        self.running = Running(
            self.program, "witness", "-log", self.log_key, "-key", SEED, "-state", self.state, "-listen", self.address,
            environment={"PATH": os.environ["PATH"]}, errors=self.directory / "witness-errors")
        self.key = re.match(r"key (\S+)", self.running.said[0]).group(1)
        self.address = self.running.url.removeprefix("http://")
        return self

    @property
    def size(self):
        return json.loads(self.state.read_text())["N"] if self.state.exists() else 0

    def stop(self):
        if self.running:
            self.running.stop()


class Archive(http.server.ThreadingHTTPServer):
    """Takes checkpoints for a token, and repeats it in its answer."""

    def __init__(self):
        archive = self
        self.taken = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers["Authorization"] != "Bearer " + TOKEN:
                    self.send_error(401)
                    return
                archive.taken.append(body)
                answer = f"kept for {TOKEN}\n".encode()
                self.send_response(201)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/checkpoints"
        threading.Thread(target=self.serve_forever, daemon=True).start()


def until(what, holds, seconds=30):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


@pytest.fixture
def log_key(server):
    """The server has run once: the log has a key that its witness can be given."""
    server.start()
    key = server.run("ledger", "key", "export").strip()
    assert server.log()["selfAttested"]
    server.stop()
    return key


@pytest.fixture
def witness(independent, tmp_path, log_key):
    witness = Witness(independent, tmp_path, log_key).start()
    yield witness
    witness.stop()


def standing(server, name):
    return next(item for item in server.log()["witnesses"] if item["name"] == name)


def has_seen_everything(witness, server):
    """All but receipts, of which each round may leave one."""
    events = server.call("GET", "/api/shiplog/v1/events?limit=50")["items"]
    newest = next(event["sequence"] for event in events if not event["kind"].startswith("checkpoint."))
    return witness.size >= newest


def test_an_independent_witness_signs_as_the_log_grows(server, witness, independent):
    name = witness.key.split("+")[0]
    configuration = {"log": {"interval": "200ms", "witnesses": [{"url": witness.running.url + "/w", "key": witness.key}]}}
    server.start(configuration)
    server.export_key(witness.key)
    until("the witness has signed", lambda: standing(server, name).get("size"))
    # The receipt is an entry; nothing follows from it.
    until("everything is signed", lambda: has_seen_everything(witness, server))
    time.sleep(1)
    quiet = witness.size
    time.sleep(1.5)
    assert witness.size == quiet and len(server.events("checkpoint.cosigned")) >= 1
    assert server.log()["selfAttested"] is False

    server.append(30)
    until("the witness has seen the growth", lambda: has_seen_everything(witness, server))
    until("the log has the signature", lambda: server.log()["cosigned"]["size"] == witness.size)
    assert name in server.log()["cosigned"]["text"]
    receipt = server.events("checkpoint.cosigned")[0]
    assert name in json.dumps(receipt)

    # Gone for a while: the log goes on, and says what is missing.
    witness.stop()
    server.append(3, "alone")
    until("the failure is told", lambda: "error" in standing(server, name))
    assert standing(server, name)["error"]["code"] == "http.unreachable"
    assert server.log()["selfAttested"] is False
    witness.start()
    until("the witness is back", lambda: "error" not in standing(server, name))

    # A server that begins anew does not know what its witness has seen, and asks.
    server.stop()
    server.start(configuration)
    until("the witness signs on", lambda: witness.size > 40 and has_seen_everything(witness, server))
    until("it is told", lambda: "error" not in standing(server, name))


def test_a_cosigned_checkpoint_is_verified_by_the_independent_program(server, witness, independent):
    name = witness.key.split("+")[0]
    server.start({"log": {"interval": "1h", "witnesses": [{"url": witness.running.url + "/w", "key": witness.key}]}})
    until("the witness has signed", lambda: standing(server, name).get("size"))
    text = server.log()["cosigned"]["text"]
    kept = server.directory / "cosigned"
    kept.write_text(text)
    server.export_key()
    assert verify(independent, server, "-from", kept)["size"] >= int(text.splitlines()[1])
    done = server.run("ledger", "verify", "--server", server.url, "--checkpoint", kept)
    assert "are sound" in done


def test_a_witness_that_knows_another_log_refuses_and_nothing_breaks(server, independent, tmp_path, log_key):
    other = "other.example+" + log_key.split("+", 1)[1]
    # Another name has another key id; any valid key of another log will do.
    done = subprocess.run(
        [independent, "witness", "-log", other, "-key", SEED], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    witness = Witness(independent, tmp_path, log_key).start()
    try:
        # It claims to have seen more than there is.
        witness.stop()
        witness.state.write_text(json.dumps({"N": 99999, "Hash": "A" * 43 + "="}))
        witness.start()
        name = witness.key.split("+")[0]
        server.start({"log": {"interval": "200ms", "witnesses": [{"url": witness.running.url + "/w", "key": witness.key}]}})
        until("the failure is told", lambda: "error" in standing(server, name))
        assert standing(server, name)["error"]["code"] == "log.witness-ahead"
        witness.stop()
        witness.state.write_text(json.dumps({"N": 2, "Hash": "A" * 43 + "="}))
        witness.start()
        until("it is told", lambda: standing(server, name)["error"]["code"] == "log.witness-inconsistent")
        assert server.log()["selfAttested"] is True
        assert server.events("checkpoint.cosigned") == []
        server.append(1)
    finally:
        witness.stop()


def test_checkpoints_are_anchored_in_a_git_repository_and_at_an_address(server, tmp_path):
    archive = Archive()
    repository = tmp_path / "anchor.git"
    subprocess.run(["git", "init", "--quiet", "--bare", repository], check=True)
    (tmp_path / "token").write_text(TOKEN + "\n")
    server.start({"log": {"interval": "300ms", "anchors": [
        {"name": "archive", "url": archive.url, "tokenFile": str(tmp_path / "token")},
        {"name": "team", "repository": str(repository), "branch": "ledger"},
    ]}})
    until("both have taken one", lambda: all("size" in item for item in server.log()["witnesses"]))
    server.append(5)
    until("both have taken the growth", lambda: all(
        item.get("size", 0) >= server.log()["size"] - 4 for item in server.log()["witnesses"]))
    assert server.log()["selfAttested"] is False
    assert len(archive.taken) >= 2 and all(b"\n\n\xe2\x80\x94 " in body for body in archive.taken)
    commits = subprocess.run(
        ["git", "-C", repository, "rev-list", "ledger"], capture_output=True, text=True, check=True).stdout.split()
    receipts = [event["facts"] for event in server.events("checkpoint.anchored")]
    assert {fact["commit"] for fact in receipts if "commit" in fact} == set(commits)
    shown = subprocess.run(
        ["git", "-C", repository, "ls-tree", "-r", "--name-only", "ledger"], capture_output=True, text=True,
        check=True).stdout.split()
    assert len(shown) == len(commits) and all(name.startswith("checkpoints/") for name in shown)
    text = subprocess.run(
        ["git", "-C", repository, "show", "ledger:" + shown[0]], capture_output=True, text=True, check=True).stdout
    kept = tmp_path / "from-git"
    kept.write_text(text)
    assert "are sound" in server.run("ledger", "verify", "--server", server.url, "--checkpoint", kept)
    server.stop()
    archive.shutdown()
    for path in [server.errors, *server.data.rglob("*")]:
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes(), path
