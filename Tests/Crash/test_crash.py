"""kill -9 at random moments under a steady load: what was answered stays, and what was begun ends, once.

SHIPLOG_CRASH_KILLS says how often (10), SHIPLOG_CRASH_SEED repeats a run. A run that fails keeps its data directory and
prints where it is.
"""

import os
import random
import shutil
import statistics
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from serving import (
    API, Gone, Refused, Repository, Server, application, config_map, deployment, secret, until, within)

KILLS = int(os.environ.get("SHIPLOG_CRASH_KILLS", "10"))
SEED = int(os.environ.get("SHIPLOG_CRASH_SEED") or random.SystemRandom().randrange(1 << 32))
# What a rollback or a sync may be refused with without anything being wrong.
EXPECTED = {"rollback.no-target", "rollback.not-eligible", "operation.superseded", "server.stopping"}
KINDS = {
    "ConfigMap": "/api/v1/namespaces/{}/configmaps", "Secret": "/api/v1/namespaces/{}/secrets",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
}


class Known:
    """What the server has said is so, in any of its lives: it must be so for ever."""

    def __init__(self):
        self.lock = threading.Lock()
        self.leaves = {}
        self.answered = 0
        self.announced = 0

    def answer(self, sequence, leaf):
        with self.lock:
            assert self.leaves.setdefault(sequence, leaf) == leaf, f"#{sequence} has changed"
            self.answered += 1

    def announce(self, sequence):
        with self.lock:
            self.announced = max(self.announced, sequence)

    def check(self, leaves):
        with self.lock:
            lost = {sequence for sequence, leaf in self.leaves.items() if leaves.get(sequence) != leaf}
            assert not lost, f"answered, and not there any more: {sorted(lost)[:20]}"
            assert max(leaves, default=0) >= self.announced, f"#{self.announced} was streamed and is gone"
            # What is on the disk now has been seen, and stays as well.
            self.leaves.update(leaves)


class Load:
    """One application and whoever changes it: commits, syncs and rollbacks, one after the other, until told to stop."""

    def __init__(self, name, directory, generator, automated):
        self.name = name
        self.random = random.Random(generator.random())
        self.repository = Repository(directory / name)
        self.automated = automated
        self.number = 0
        self.good = []
        self.commit()

    def manifest(self):
        policy = {"automated": {"prune": True, "selfHeal": True}} if self.automated else {}
        return application(self.name, self.repository, **policy)

    def commit(self):
        self.number += 1
        n = self.number
        documents = [
            config_map("settings", number=str(n), filler="x" * self.random.randrange(4000)), secret("login", password=f"pw-{n}"),
            deployment("web", f"registry.example/web:{n}", self.random.randrange(3))]
        # Some come and go: pruned, and made again.
        documents += [config_map(f"extra-{i}", number=str(n)) for i in range(4) if self.random.random() < 0.5]
        return self.repository.commit(documents, f"change {n}")

    def once(self, server, known):
        roll = self.random.random()
        if roll < 0.25 and self.good:
            operation = server.operate(
                self.name, "rollback", to={"sequence": self.random.choice(self.good[-8:])}, reason="crash test",
                hold="until-new-commit", prune=True)
        else:
            self.commit()
            if self.automated:
                server.operate(self.name, "refresh")
                return
            operation = server.operate(self.name, "sync", prune=True)
        if operation["state"] == "refused":
            assert operation["error"]["code"] in EXPECTED, operation
            return
        sequence = operation["revision"]
        _, headers = server.ask("GET", f"/entries/{sequence}", raw=True)
        known.answer(sequence, headers["ETag"].strip('"').split(":")[-1])
        if operation["outcome"] == "succeeded":
            self.good.append(sequence)

    # What must be there when all has come to rest

    def last(self, server):
        """The last revision that did something: sequence, outcome, commit."""
        rows = server.rows(
            """SELECT sequence, outcome, commit_id FROM revision
               WHERE application = (SELECT uid FROM application WHERE name = ?) AND attempt IS NOT NULL
               ORDER BY sequence DESC LIMIT 1""", self.name)
        return rows[0] if rows else None

    def difference(self, server):
        """Empty when the cluster is what the last revision says it should be."""
        last = self.last(server)
        if last is None:
            return "" if not self.automated else "nothing deployed yet"
        sequence, outcome, commit = last
        if outcome != "succeeded":
            return f"#{sequence} {outcome}"
        whole = server.ask("GET", f"/applications/{self.name}")
        head = next(reversed(self.repository.commits))
        if self.automated and "pin" not in whole and commit != head:
            return f"#{sequence} is of {commit}, and main is at {head}"
        wanted = self.repository.commits[commit]
        for kind, path in KINDS.items():
            live = {
                item["metadata"]["name"]: item for item in server.cluster(path.format(self.name))["items"]
                if "deletionTimestamp" not in item["metadata"]}
            names = {item["metadata"]["name"] for item in wanted if item["kind"] == kind}
            if set(live) - {"kube-root-ca.crt"} != names:
                return f"#{sequence}: {kind} {sorted(live)}, not {sorted(names)}"
            for item in wanted:
                # The list leaves kind and version out of its elements.
                body = {k: v for k, v in item.items() if k not in ("kind", "apiVersion")}
                if item["kind"] == kind and not within(body, live[item["metadata"]["name"]]):
                    return f"#{sequence}: {kind} {item['metadata']['name']} is not as committed"
        # The same by what the ledger keeps; values of Secrets are compared above.
        for item in server.ask("GET", f"/revisions/{sequence}/manifests")["items"]:
            manifest = item.get("manifest", item)
            same = [d for d in wanted if (d["kind"], d["metadata"]["name"]) == (
                manifest["kind"], manifest["metadata"]["name"])]
            if manifest["kind"] in ("ConfigMap", "Deployment") and not (same and within(same[0], manifest)):
                return f"#{sequence} keeps another {manifest['kind']} {manifest['metadata']['name']}"
        return ""


def follow(server, known):
    """Listens to the stream until it breaks off."""
    try:
        request = urllib.request.Request(f"{server.url}{API}/stream?after={known.announced}")
        with urllib.request.urlopen(request, timeout=60) as answer:
            for line in answer:
                if line.startswith(b"id:"):
                    known.announce(int(line[3:]))
    except (OSError, ValueError, EOFError):
        pass
    except Exception as error:  # http.client.IncompleteRead and its like
        assert type(error).__module__.startswith("http"), error


class Rush:
    """The load on one life of the server."""

    def __init__(self, server, loads, known):
        self.server, self.known = server, known
        self.stopping = threading.Event()
        self.errors = []
        self.threads = [threading.Thread(target=self.drive, args=(load,)) for load in loads]
        self.threads.append(threading.Thread(target=follow, args=(server, known)))
        for thread in self.threads:
            thread.start()

    def drive(self, load):
        try:
            while not self.stopping.is_set():
                load.once(self.server, self.known)
        except Gone:
            # Killed in the middle of it; whether it was done is the ledger's to say.
            pass
        except Refused as error:
            if error.code not in EXPECTED:
                self.errors.append(error)
        except BaseException as error:
            self.errors.append(error)

    def end(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive(), "a client still waits for a server that is gone"
        if self.errors:
            raise self.errors[0]


def check_attempts(server):
    until(lambda: not server.rows("SELECT sequence FROM attempt WHERE closed_by IS NULL"), "an attempt stays open", 60)
    assert not server.rows(
        "SELECT attempt FROM revision WHERE attempt IS NOT NULL GROUP BY attempt HAVING count(*) > 1"), "ended twice"
    assert not server.rows(
        """SELECT attempt.sequence FROM attempt
           LEFT JOIN revision ON revision.sequence = attempt.closed_by AND revision.attempt = attempt.sequence
           WHERE attempt.closed_by IS NOT NULL AND revision.sequence IS NULL"""), "an attempt was not ended by the revision that says so"
    started = server.rows("SELECT count(*) FROM event WHERE kind = 'attempt.started'")
    assert started == server.rows("SELECT count(*) FROM attempt")


def check_cluster(server, loads):
    for load in loads:
        until(lambda: load.difference(server) == "", lambda: f"{load.name}: {load.difference(server)}", 60)


def test_what_was_answered_survives_kill_9_and_what_was_begun_ends_once():
    print(f"seed {SEED}, {KILLS} kills")
    directory = Path(tempfile.mkdtemp(prefix="shiplog-crash-"))
    generator = random.Random(SEED)
    server = Server(directory / "data")
    try:
        run(directory, generator, server)
    except BaseException:
        print(f"seed {SEED}: the data directory is kept in {directory}\n{server.tail() if server.log.exists() else ''}")
        raise
    finally:
        server.kill()
    shutil.rmtree(directory)


def run(directory, generator, server):
    loads = [Load("manual", directory, generator, False), Load("second", directory, generator, False),
             Load("automatic", directory, generator, True)]
    known = Known()
    server.start()
    for load in loads:
        server.ask("PUT", f"/applications/{load.name}", load.manifest())
    spans = []
    for kill in range(KILLS):
        begun = time.monotonic()
        if generator.random() < 0.25 and kill:
            # In the middle of starting and recovering.
            server.stop() if generator.random() < 0.3 else server.kill()
            server.spawn()
            time.sleep(generator.uniform(0, 0.8))
            server.kill()
        else:
            rush = Rush(server, loads, known)
            if generator.random() < 0.5:
                # On a busy machine too, something is answered now and then.
                before = known.answered
                until(lambda: known.answered > before or rush.errors, "nothing is answered", 60)
            time.sleep(generator.uniform(0.05, 1.2))
            server.kill()
            rush.end()
        # As the crash left it, before anything mends it.
        server.verify()
        server.start()
        known.check(server.leaves())
        check_attempts(server)
        check_cluster(server, loads)
        server.verify()
        spans.append(time.monotonic() - begun)
        print(f"kill {kill + 1}: {spans[-1]:.2f} s, {len(known.leaves)} rows, {known.answered} answered")
    assert server.stop() == 0
    server.verify()
    recovered = server.log.read_text(errors="replace").count('"attempt recovered"')
    print(
        f"{KILLS} kills, {len(known.leaves)} rows, {known.answered} answered operations, {recovered} attempts recovered; "
        f"{statistics.median(spans):.2f} s a kill (at most {max(spans):.2f})")
    assert known.answered >= KILLS // 5, "the load did nothing"
