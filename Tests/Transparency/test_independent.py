"""The log of a running server, verified by a program that shares no line with it: the tree and the notes are those of
golang.org/x/mod/sumdb, which the Go toolchain carries."""

import base64
import json
import re
import subprocess

import pytest

from support import Meddler


def verify(program, server, *arguments, url=None, fails=None):
    keys = server.directory / "keys"
    server.settle()
    done = subprocess.run(
        [program, "verify", "-url", url or server.url, "-key", keys, "-token", server.token, *map(str, arguments)],
        capture_output=True, text=True, timeout=300)
    if fails is None:
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    assert done.returncode == 1 and re.search(fails, done.stderr), done.stderr or done.stdout
    return None


def test_a_growing_log_is_verified_by_another_implementation(server, independent):
    server.start()
    server.export_key()
    server.append(20)
    kept = server.directory / "kept"
    first = verify(independent, server, "-save", kept)
    assert first["origin"] == server.log()["origin"] and first["size"] > 20
    # More than one whole tile, so that there is a second level.
    server.append(300, "second")
    second = verify(independent, server, "-from", kept, "-save", kept)
    assert second["size"] >= first["size"] + 300
    server.stop()
    server.start()
    third = verify(independent, server, "-from", kept)
    assert third["size"] > second["size"]


def test_a_rotated_key_is_followed_by_another_implementation(server, independent):
    server.start()
    old = server.export_key().read_text()
    server.run("ledger", "key", "rotate", "--reason", "yearly")
    assert server.export_key().read_text() != old
    server.append(3)
    assert verify(independent, server)["signatures"] == 1


def flipped(body, place):
    changed = bytearray(body)
    changed[place] ^= 1
    return bytes(changed)


def first_of(member):
    """Changes one hash of a proof in an answer."""
    def change(body):
        answer = json.loads(body)
        hashes = answer[member]
        assert hashes, "a proof that is empty cannot be changed"
        hashes[0] = base64.b64encode(flipped(base64.b64decode(hashes[0]), 0)).decode()
        return json.dumps(answer).encode()
    return change


MEDDLING = {
    "a root": (r"^/log/checkpoint", lambda body: body.replace(body.split(b"\n")[2], b"A" * 43 + b"="), "checkpoint"),
    "a size": (r"^/log/checkpoint", lambda body: re.sub(rb"\n(\d+)\n", rb"\n1\1\n", body, count=1), "checkpoint"),
    "a leaf": (r"^/log/tile/0/000$", lambda body: flipped(body, 40), "inconsistent tile"),
    "a node": (r"^/log/tile/1/", lambda body: flipped(body, 3), "inconsistent tile"),
    "an entry": (r"^/log/tile/entries/000$", lambda body: flipped(body, len(body) // 2), "not the one in the tree"),
    "a proof of an entry": (r"/entries/1/proof", first_of("proof"), "the proof of index 0"),
    "a proof of growth": (r"/log/consistency", first_of("proof"), "growth from"),
    "entries that are too few": (r"^/log/tile/entries/001.p", lambda body: body[:-1], "ends too early"),
}


@pytest.fixture(scope="module")
def grown(tmp_path_factory, independent):
    import support
    server = support.Server(tmp_path_factory.mktemp("grown"))
    server.start()
    try:
        server.export_key()
        server.append(280)
        meddler = Meddler(server.url)
        yield server, meddler
        meddler.stop()
    finally:
        server.stop()


def test_a_reader_behind_an_honest_middleman_is_content(grown, independent):
    server, meddler = grown
    meddler.change = lambda path, body: body
    assert verify(independent, server, url=meddler.url)["size"] > 280


@pytest.mark.parametrize("what", MEDDLING)
def test_another_implementation_notices_what_was_changed(grown, independent, what):
    server, meddler = grown
    pattern, change, message = MEDDLING[what]
    touched = []

    def meddle(path, body):
        if not re.search(pattern, path):
            return body
        touched.append(path)
        return change(body)

    meddler.change = meddle
    verify(independent, server, url=meddler.url, fails=message)
    assert touched
