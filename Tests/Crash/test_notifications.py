"""Telling others by webhook: a real server that is killed again and again, and a receiver that fails, hangs and lies."""

import base64
import hashlib
import hmac
import json
import os
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from serving import Repository, Server, application, config_map, deployment, shiplog, until

KEY = b"0123456789abcdef01234567"


class Receiver:
    """Keeps what it is told, and answers as a test says: a status, or None to hang."""

    def __init__(self):
        self.told = []
        self.answer = lambda told: 204
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                told = {"path": self.path, "headers": dict(self.headers.items()), "body": body, "json": json.loads(body)}
                receiver.told.append(told)
                status = receiver.answer(told)
                if status is None:
                    time.sleep(5)
                    status = 504
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    pass  # The server was killed meanwhile.

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def sequences(self):
        return [int(told["json"]["sequence"]) for told in self.told]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    one = Receiver()
    yield one
    one.close()


def configure(directory, receiver, **more):
    (directory / "hook.url").write_text(receiver.url + "/hook/very-s3cret\n")
    (directory / "hook.key").write_text("whsec_" + base64.b64encode(KEY).decode() + "\n")
    one = {
        "name": "chat", "urlFile": str(directory / "hook.url"), "secretFile": str(directory / "hook.key"),
        "timeout": "500ms", "backoff": {"initial": "50ms", "maximum": "200ms"}, **more,
    }
    path = directory / "config.yaml"
    path.write_text(json.dumps({"notifications": [one]}))
    return path


@pytest.fixture
def served(tmp_path, receiver):
    tmp_path.chmod(0o700)
    servers = []

    def make(**more):
        server = Server(tmp_path / "data", "--config", str(configure(tmp_path, receiver, **more)))
        servers.append(server)
        return server.start()

    yield make
    for server in servers:
        server.kill()


def deploy(server, repository, number):
    repository.commit([config_map("a", value=str(number))], f"number {number}")
    return server.operate("web", "sync")


def outcomes(server):
    """Every row that is to be told of, with its hash."""
    leaves = server.leaves()
    rows = server.rows("SELECT sequence FROM revision WHERE kind IN ('sync', 'rollback')")
    rows += server.rows("SELECT sequence FROM event WHERE kind = 'health.reached'")
    return {sequence: leaves[sequence] for (sequence,) in rows}


def cli(server, *arguments, **keywords):
    return shiplog(
        *arguments, SHIPLOG_SERVER=server.url, SHIPLOG_TOKEN_FILE=str(server.data / "tokens" / "admin"), **keywords)


def test_nothing_is_lost_by_kill_and_each_has_one_id(tmp_path, served, receiver):
    chance = random.Random(4)
    receiver.answer = lambda told: chance.choice([204, 204, 500, 503, None if chance.random() < 0.1 else 302])
    server = served(tries=100)
    repository = Repository(tmp_path / "repository")
    repository.commit([config_map("a", value="0")])
    server.ask("PUT", "/applications/web", application("web", repository))
    for number in range(1, 13):
        deploy(server, repository, number)
        if number % 3 == 0:
            time.sleep(chance.random() * 0.3)
            server.kill()
            server.start()
    receiver.answer = lambda told: 200
    until(
        lambda: set(outcomes(server)) <= set(receiver.sequences()),
        lambda: cli(server, "notifications", "list").stdout, 60)
    until(lambda: server.ask("GET", "/notifications")["items"][0]["behind"] == 0, "the cursor")
    wanted = outcomes(server)
    firsts = list(dict.fromkeys(receiver.sequences()))
    assert firsts == sorted(firsts), "told in order"
    assert set(firsts) == set(wanted)
    for told in receiver.told:
        leaf = wanted[int(told["json"]["sequence"])]
        headers = told["headers"]
        assert told["json"]["id"] == headers["webhook-id"] == leaf
        signed = f"{leaf}.{headers['webhook-timestamp']}.".encode() + told["body"]
        code = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == "v1," + code
    assert not server.rows("SELECT 1 FROM event WHERE kind LIKE 'notification.%'")
    server.verify()


def test_a_dead_letter_is_listed_and_delivered_after_all(tmp_path, served, receiver):
    receiver.answer = lambda told: 500
    server = served(tries=2, kinds=["sync"])
    repository = Repository(tmp_path / "repository")
    repository.commit([config_map("a", value="0")])
    server.ask("PUT", "/applications/web", application("web", repository))
    started = time.monotonic()
    deploy(server, repository, 1)
    deploy(server, repository, 2)
    assert time.monotonic() - started < 20
    dead = until(
        lambda: (found := json.loads(cli(server, "notifications", "dead", "-o", "json").stdout)["items"])
        and len(found) == 2 and found, "two dead letters")
    assert [one["status"] for one in dead] == [500, 500] and {one["tries"] for one in dead} == {2}
    assert "500" in cli(server, "notifications", "dead", "chat").stdout
    # It outlives the process.
    server.kill()
    server.start()
    assert len(server.ask("GET", "/notifications/dead")["items"]) == 2
    assert len(receiver.told) == 4
    receiver.answer = lambda told: 200
    out = cli(server, "notifications", "retry", "chat", dead[0]["sequence"]).stdout
    assert f"#{dead[0]['sequence']}" in out
    until(lambda: len(server.ask("GET", "/notifications/dead")["items"]) == 1, "one is left")
    cli(server, "notifications", "retry", "chat", "--all")
    until(lambda: not server.ask("GET", "/notifications/dead")["items"], "none is left")
    assert sorted(receiver.sequences()[4:]) == sorted(one["sequence"] for one in dead)
    text = cli(server, "notifications", "list").stdout
    assert "(secret)" in text and "chat" in text
    cli(server, "notifications", "retry", "chat", "--all", code=5)
    cli(server, "notifications", "retry", "nobody", "--all", code=3)
    cli(server, "notifications", "retry", "chat", code=64)
    server.stop()
    for path in [*server.data.rglob("*"), server.log]:
        if path.is_file():
            content = path.read_bytes()
            assert b"very-s3cret" not in content and KEY not in content, path


def test_an_automatic_rollback_is_told_with_what_it_reacts_to(tmp_path, served, receiver):
    server = served(kinds=["rollback"])
    repository = Repository(tmp_path / "repository")
    repository.commit([config_map("a", value="0")])
    text = application("web", repository, automated={"prune": True}).replace(
        "name: web\n  namespace: argocd",
        "name: web\n  namespace: argocd\n  annotations: {shiplog.dev/rollback-unless-healthy: 1s}")
    assert "rollback-unless-healthy" in text
    server.ask("PUT", "/applications/web", text)
    until(lambda: server.rows("SELECT 1 FROM event WHERE kind = 'health.reached'"), "version one")
    never = deployment("never", "example.com/web:does-not-exist", 1)
    repository.commit([config_map("a", value="1"), never], "never ready")
    server.operate("web", "refresh")
    told = until(lambda: receiver.told, lambda: server.tail(), 30)[0]
    data = told["json"]["data"].get("customData") or told["json"]["data"]
    assert data["kind"] == "rollback" and data["cause"] == "unhealthy"
    row = server.ask("GET", f"/revisions/{data['sequence']}")
    row = row.get("revision", row)
    assert row["reactsTo"] == data["options"]["reactsTo"] and row["actor"]["name"] == "shiplog"
    assert "did not become Healthy within 1s" in row["reason"]
    assert "Takes back" in cli(server, "show", data["sequence"]).stdout
    assert os.path.exists(server.data / "notifications" / "chat.json")
