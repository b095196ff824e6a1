"""A real Litestream beside a real server under load: what is restored is a beginning of the log, and how much is missing."""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import yaml
from serving import Server, shiplog, until
from test_crash import SEED, Known, Load, Rush

EXAMPLE = Path(__file__).parents[2] / "examples" / "litestream.yml"
# It is installed beside this Python.
LITESTREAM = Path(sys.executable).with_name("litestream")
# Rows a loss may be old, in seconds; the machine that runs the tests may be busy. What is measured is printed.
LIMIT = float(os.environ.get("SHIPLOG_LOSS_LIMIT", "20"))


class Litestream:
    def __init__(self, place, data):
        configuration = yaml.safe_load(EXAMPLE.read_text())
        database = configuration["dbs"][0]
        database["path"] = str(data / "ledger.sqlite")
        database["replica"]["path"] = str(place / "replica")
        # So soon that it also checkpoints in the seconds a test has.
        database["min-checkpoint-page-count"] = 60
        self.replica = place / "replica"
        self.file = place / "litestream.yml"
        self.file.write_text(yaml.safe_dump(configuration))
        self.log = place / "litestream.log"
        self.process = None

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [LITESTREAM, "replicate", "-config", self.file], stdout=log, stderr=subprocess.STDOUT)
        return self

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restore(self, directory):
        directory.mkdir(mode=0o700)
        done = subprocess.run(
            [LITESTREAM, "restore", "-o", directory / "ledger.sqlite", f"file://{self.replica}"], capture_output=True,
            text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    @property
    def copies(self):
        """How many pieces the replica has."""
        return sum(1 for _ in self.replica.glob("ltx/0/*.ltx"))


@pytest.fixture
def place():
    path = Path(tempfile.mkdtemp(prefix="shiplog-replica-"))
    running = []
    try:
        yield path, running
    except BaseException:
        raise
    finally:
        for process in running:
            process.kill()
    shutil.rmtree(path)


def test_a_replica_restores_to_a_beginning_of_the_log_and_what_is_missing_is_young(place):
    path, running = place
    print(f"seed {SEED}")
    generator = random.Random(SEED)
    assert LITESTREAM.exists(), "Tests/requirements.txt brings Litestream: make setup-test"
    server = Server(path / "data", "--replicated", log=path / "server.log")
    running.append(server)
    server.start()
    litestream = Litestream(path, server.data).start()
    running.append(litestream)
    loads = [Load("manual", path, generator, False), Load("automatic", path, generator, True)]
    known = Known()
    for load in loads:
        server.ask("PUT", f"/applications/{load.name}", load.manifest())
    until(lambda: litestream.copies > 0, "nothing is replicated")
    figures = []
    for turn in range(3):
        rush = Rush(server, loads, known)
        time.sleep(generator.uniform(2, 4))
        # The machine is gone: both at once.
        litestream.kill()
        server.kill()
        rush.end()
        # The load goes on as it was: what this machine still has is what the replica is compared with.
        restored = path / f"restored-{turn}"
        litestream.restore(restored)
        (restored / "keys").mkdir(mode=0o700)
        for key in (server.data / "keys").iterdir():
            shutil.copy2(key, restored / "keys")
        shiplog("ledger", "verify", "--data", restored)
        server.start()
        whole = dict(server.rows(
            """SELECT leaf.sequence, coalesce(revision.recorded_at, event.recorded_at) FROM leaf
               LEFT JOIN revision USING (sequence) LEFT JOIN event USING (sequence)"""))
        copy = Server(restored).leaves()
        leaves = server.leaves()
        known.check(leaves)
        assert copy == {sequence: leaves[sequence] for sequence in range(1, max(copy) + 1)}, "no beginning of the log"
        answered = max(known.announced, 1)
        missing = max(0, answered - max(copy))
        age = max(0, whole[answered] - whole[max(copy)]) if missing else 0
        figures.append((missing, age))
        print(f"killed under load: {missing} of {answered} answered rows missing in the replica, {age} ms of history")
        assert age < LIMIT * 1000
        litestream.start()
    # The server checkpoints nothing itself; what is in the file is Litestream's doing.
    assert (server.data / "ledger.sqlite").stat().st_size > 100_000
    # Quiet: nothing is missing, and the replica serves where the first machine is gone.
    server.stop()
    wanted = server.leaves()
    final = path / "final"

    def caught_up():
        shutil.rmtree(final, ignore_errors=True)
        litestream.restore(final)
        return Server(final).leaves().items() >= wanted.items()

    until(caught_up, "the replica does not catch up", 60)
    litestream.kill()
    for folder in ("keys", "tokens", "checkpoints"):
        shutil.copytree(server.data / folder, final / folder)
    final.chmod(0o700)
    another = Server(final, log=path / "another.log")
    running.append(another)
    another.start()
    assert another.leaves().items() >= wanted.items()
    assert {item["name"] for item in another.ask("GET", "/applications")["items"]} == {"manual", "automatic"}
    assert another.stop() == 0
    another.verify()


def test_a_trigger_on_a_replicators_table_is_still_a_finding(place):
    path, running = place
    server = Server(path / "data", "--replicated", log=path / "server.log")
    running.append(server)
    server.start()
    server.stop()
    subprocess.run(
        ["sqlite3", server.data / "ledger.sqlite",
         "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER); CREATE TABLE _litestream_lock (id INTEGER);"],
        check=True)
    server.verify()
    subprocess.run(
        ["sqlite3", server.data / "ledger.sqlite",
         "CREATE TRIGGER sneaky AFTER INSERT ON _litestream_seq BEGIN SELECT 1; END;"], check=True)
    assert "sneaky" in server.verify(code=8).stdout
    subprocess.run(["sqlite3", server.data / "ledger.sqlite", "DROP TRIGGER sneaky; CREATE TABLE other (x);"], check=True)
    assert "other" in server.verify(code=8).stdout
