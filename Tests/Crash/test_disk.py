"""Disks that are full, that cannot be written, and that fail to sync, under a real server.

Small file systems are mounted for it (tmpfs), which takes root: where that is not to be had these tests fail, for a
ledger nobody has seen on a full disk is not one to trust.
"""

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from serving import Gone, Refused, Repository, Server, application, config_map, secret, shiplog, until

HERE = Path(__file__).parent


@pytest.fixture
def disk():
    """Makes small file systems, and takes them away."""
    made = []

    def make(megabytes):
        path = tempfile.mkdtemp(prefix="shiplog-disk-")
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", path], capture_output=True,
            text=True)
        assert done.returncode == 0, f"these tests mount file systems, which takes root: {done.stderr}"
        made.append(path)
        return Path(path)

    yield make
    for path in made:
        subprocess.run(["umount", "-l", path], check=True)
        os.rmdir(path)


@pytest.fixture
def elsewhere():
    """A place on a disk of its own: clusters and Git servers are not on the ledger's."""
    path = Path(tempfile.mkdtemp(prefix="shiplog-elsewhere-"))
    servers = []
    yield path, servers.append
    for server in servers:
        server.kill()
    shutil.rmtree(path)


def deployed(server, path, name="app"):
    """A server with an application that has been deployed twice, so that it can go back."""
    repository = Repository(path / name)
    repository.commit([config_map("one", value="1"), secret("login", password="pw-1")])
    server.ask("PUT", f"/applications/{name}", application(name, repository))
    first = server.operate(name, "sync")
    repository.commit([config_map("one", value="2"), secret("login", password="pw-2")])
    second = server.operate(name, "sync")
    assert first["outcome"] == second["outcome"] == "succeeded"
    return repository, first["revision"], second["revision"]


def roll_back(server, name, sequence):
    return server.operate(name, "rollback", to={"sequence": sequence}, reason="disk test", hold="until-unpinned")


def ready(server):
    try:
        with urllib.request.urlopen(server.url + "/readyz?verbose", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def fill(path):
    """Takes every byte that is left."""
    file = path / "filler"
    with file.open("wb", buffering=0) as out:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    out.write(b"x" * size)
            except OSError:
                pass
    return file


def refused_for_want_of_space(server, name, targets):
    """Goes back and forth until the server says that the disk is full."""
    for turn in range(500):
        try:
            operation = roll_back(server, name, targets[turn % 2])
        except Refused as error:
            assert (error.status, error.code) == (507, "ledger.full"), error
            return
        if operation["state"] == "refused":
            assert operation["error"]["code"] == "ledger.full", operation
            return
    raise AssertionError("a disk without a free byte took 500 rollbacks")


def test_a_full_disk_refuses_what_is_new_closes_what_is_open_and_goes_on_when_there_is_room(disk, elsewhere):
    place, keep = elsewhere
    small = disk(48)
    data = small / "data"
    data.mkdir(mode=0o700)
    (place / "sandbox").mkdir(mode=0o700)
    (data / "sandbox").symlink_to(place / "sandbox")
    server = Server(data, log=place / "server.log")
    keep(server)
    server.start()
    _, first, second = deployed(server, place)
    # A sync of many objects is under way when the last byte is taken.
    large = Repository(place / "large")
    large.commit([config_map(f"map-{number}", value="x") for number in range(1500)])
    server.ask("PUT", "/applications/large", application("large", large))
    ends = []
    client = threading.Thread(target=lambda: ends.append(server.operate("large", "sync")))
    client.start()
    is_open = "SELECT sequence FROM attempt WHERE closed_by IS NULL"
    until(lambda: server.rows(is_open), "the large sync does not begin")
    filler = fill(small)
    refused_for_want_of_space(server, "app", (first, second))
    assert server.rows(is_open), "the large sync ended before the disk was full: make it larger"
    status, text = ready(server)
    assert status == 503 and "ledger.full" in text
    client.join(120)
    assert ends and ends[0]["outcome"] == "succeeded", ends
    assert not server.rows(is_open)
    assert os.statvfs(small).f_bavail * 4096 < 4 << 20
    refused_for_want_of_space(server, "app", (first, second))
    known = server.leaves()
    assert server.ask("GET", "/applications/app")["name"] == "app", "reading goes on"
    # Room again: it goes on by itself, and holds its reserve again.
    filler.unlink()
    assert roll_back(server, "app", first)["outcome"] == "succeeded"
    assert ready(server)[0] == 200
    until(lambda: (data / "reserve").stat().st_size == 4 << 20, "the reserve is not held again")
    # A crash on a full disk: the file is sound, and a start, which cannot be recorded, is refused.
    filler = fill(small)
    refused_for_want_of_space(server, "app", (second, first))
    server.kill()
    server.verify()
    with pytest.raises(AssertionError, match=r"ended with 2(.|\n)*\[(ledger\.full|log\.checkpoint-unwritable)\]"):
        server.start()
    filler.unlink()
    server.start()
    assert server.leaves().items() >= known.items()
    assert roll_back(server, "app", second)["outcome"] == "succeeded"
    assert server.stop() == 0
    server.verify()


def test_a_disk_that_cannot_be_written_is_read_and_not_served_from(disk, elsewhere):
    place, keep = elsewhere
    small = disk(64)
    server = Server(small / "data", log=place / "server.log")
    keep(server)
    server.start()
    deployed(server, place)
    server.kill()
    shutil.copytree(small / "data", small / "crashed")
    rows = json.loads(shiplog("ledger", "verify", "--data", small / "crashed", "-o", "json").stdout)["rows"]
    server.start()
    assert server.stop() == 0
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    # Stopped: all is in the file. Nothing can be made beside it, and nothing has to be.
    for command in ("verify", "stats"):
        assert json.loads(shiplog("ledger", command, "--data", server.data, "-o", "json").stdout)["rows"] > rows
    refused = shiplog("serve", "--sandbox", "--data", server.data, "--listen", "127.0.0.1:0", code=2).stderr
    assert "[data.unusable]" in refused and "Read-only file system" in refused
    # Crashed: rows are in the write-ahead log, and its index is there too.
    assert (small / "crashed" / "ledger.sqlite-wal").stat().st_size > 0
    assert json.loads(shiplog("ledger", "verify", "--data", small / "crashed", "-o", "json").stdout)["rows"] == rows
    # Crashed, and the index is gone: SQLite would have to make it. That is said, and a copy elsewhere can be read.
    subprocess.run(["mount", "-o", "remount,rw", str(small)], check=True)
    (small / "crashed" / "ledger.sqlite-shm").unlink()
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    refused = shiplog("ledger", "verify", "--data", small / "crashed", code=2).stderr
    assert "[ledger.read-failed]" in refused and "copy the data directory" in refused
    shutil.copytree(small / "crashed", place / "copy")
    assert json.loads(shiplog("ledger", "verify", "--data", place / "copy", "-o", "json").stdout)["rows"] == rows


@pytest.fixture(scope="module")
def shim():
    """A library that makes syncs fail when told to."""
    compiler = shutil.which("cc") or shutil.which("clang")
    assert compiler, "a C compiler is needed: Swift's own clang will do"
    directory = tempfile.mkdtemp(prefix="shiplog-shim-")
    library = Path(directory) / "fsync_fails.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, HERE / "fsync_fails.c", "-ldl"], check=True)
    yield library
    shutil.rmtree(directory)


def test_a_sync_that_fails_ends_the_server_which_claims_nothing_it_does_not_know(shim, elsewhere):
    place, keep = elsewhere
    switch = place / "disk-is-dying"
    server = Server(
        place / "data", log=place / "server.log",
        variables={"LD_PRELOAD": str(shim), "SHIPLOG_TEST_FSYNC": str(switch),
                   "SHIPLOG_TEST_FSYNC_OF": "/ledger.sqlite-wal"})
    keep(server)
    server.start()
    _, first, second = deployed(server, place)
    known = server.leaves()
    switch.touch()
    with pytest.raises((Gone, Refused, AssertionError)) as told:
        operation = roll_back(server, "app", first)
        assert operation["state"] != "refused", operation["error"]["code"]
    if told.type is not Gone:
        assert "ledger.failed" in str(told.value)
    # Nothing more is written on top of what nobody knows: the process ends, and says why.
    assert server.process.wait(30) == 2
    assert "[ledger.failed]" in server.tail()
    # As long as the disk is like that, nothing is served from it.
    server.kill()
    server.spawn()
    assert server.process.wait(30) == 2
    assert "ledger." in server.tail()
    server.kill()
    switch.unlink()
    server.verify()
    server.start()
    assert server.leaves().items() >= known.items()
    until(lambda: not server.rows("SELECT sequence FROM attempt WHERE closed_by IS NULL"), "an attempt stays open")
    assert roll_back(server, "app", first)["outcome"] == "succeeded"
    assert server.stop() == 0
    server.verify()


def test_a_sync_of_the_file_itself_that_fails_loses_nothing(shim, elsewhere):
    """The write-ahead log is written back only when that is durable; until then every row is in it."""
    place, keep = elsewhere
    switch = place / "disk-is-dying"
    server = Server(
        place / "data", log=place / "server.log",
        variables={"LD_PRELOAD": str(shim), "SHIPLOG_TEST_FSYNC": str(switch),
                   "SHIPLOG_TEST_FSYNC_OF": "/ledger.sqlite"})
    keep(server)
    server.start()
    _, first, second = deployed(server, place)
    switch.touch()
    for turn in range(6):
        assert roll_back(server, "app", (first, second)[turn % 2])["outcome"] == "succeeded"
    known = server.leaves()
    server.kill()
    # At start it is written back, and that fails.
    server.spawn()
    assert server.process.wait(30) == 2
    assert "ledger." in server.tail()
    server.kill()
    switch.unlink()
    server.start()
    assert server.leaves().items() >= known.items()
    assert server.stop() == 0
    server.verify()
