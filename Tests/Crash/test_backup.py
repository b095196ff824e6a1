"""`shiplog ledger backup` and `restore` beside a real server, in both directions with the real program `age`."""

import fcntl
import hashlib
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path

import pytest
from serving import Gone, Refused, Repository, Server, application, config_map, secret, shiplog


@pytest.fixture(scope="module")
def place():
    path = Path(tempfile.mkdtemp(prefix="shiplog-backup-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def identity(place):
    """A recipient of age, and the file with its identity."""
    for program in ("age", "age-keygen"):
        assert shutil.which(program), f"{program} is needed: make setup-test installs Debian's package age"
    file = place / "key.txt"
    subprocess.run(["age-keygen", "-o", file], check=True, capture_output=True)
    recipient = next(line.split()[-1] for line in file.read_text().splitlines() if "public key" in line)
    return recipient, file


@pytest.fixture(scope="module")
def server(place):
    server = Server(place / "data", log=place / "server.log")
    server.start()
    repository = Repository(place / "app")
    repository.commit([config_map("one", value="1"), secret("login", password="pw-unique-4711")])
    server.ask("PUT", "/applications/app", application("app", repository))
    assert server.operate("app", "sync")["outcome"] == "succeeded"
    repository.commit([config_map("one", value="2"), secret("login", password="pw-unique-4712")])
    assert server.operate("app", "sync")["outcome"] == "succeeded"
    yield server
    server.stop()


@pytest.fixture(scope="module")
def backup(place, server, identity):
    """Made while the server writes."""
    busy = threading.Event()

    def write():
        while not busy.is_set():
            try:
                server.operate("app", "refresh")
            except (Gone, Refused):
                return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        file = place / "shiplog.age"
        answer = json.loads(shiplog(
            "ledger", "backup", "-O", file, "--recipient", identity[0], "--data", server.data, "-o", "json").stdout)
    finally:
        busy.set()
        writer.join()
    assert answer["rows"] > 5 and answer["bytes"] == file.stat().st_size
    return file, answer


def on_a_terminal(*command, answers=()):
    """age asks for a passphrase on a terminal and nowhere else."""
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], [str(word) for word in command])
    answers = list(answers)
    said, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 0.2)
        if ready:
            try:
                piece = os.read(terminal, 4096)
            except OSError:
                break
            if not piece:
                break
            said += piece
            if answers and said.rstrip().endswith(b":"):
                os.write(terminal, answers.pop(0).encode() + b"\n")
                said = b""
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, said.decode(errors="replace")


def members(tar):
    with tarfile.open(tar) as archive:
        return {item.name: (item.mode, archive.extractfile(item).read()) for item in archive}


def test_a_backup_is_one_file_that_age_and_tar_can_read(place, server, backup, identity):
    file, answer = backup
    assert file.stat().st_mode & 0o777 == 0o600
    assert not list(place.glob(".shiplog-backup-*")) and not list(place.glob("*.partial"))
    opened = place / "opened.tar"
    subprocess.run(["age", "-d", "-i", identity[1], "-o", opened, file], check=True)
    found = members(opened)
    signing = {f"keys/{key.name}" for key in (server.data / "keys").glob("log-*.key")}
    assert signing and set(found) == signing | {
        "manifest.json", "mode", "keys/master.key", "keys/redaction.key", "tokens/admin", "ledger.sqlite"}
    assert all(mode == 0o600 for mode, _ in found.values())
    for name in ("keys/master.key", "keys/redaction.key", "tokens/admin", "mode"):
        assert found[name][1] == (server.data / name).read_bytes()
    manifest = json.loads(found["manifest.json"][1])
    assert manifest["treeHead"] == answer["treeHead"] and manifest["bytes"] == len(found["ledger.sqlite"][1])
    # GNU tar finds the same.
    listed = subprocess.run(["tar", "-tf", opened], check=True, capture_output=True, text=True).stdout.split()
    assert set(listed) == set(found)
    # What is on disk is encrypted: neither keys nor tokens nor the ledger's own words are in it.
    content = file.read_bytes()
    for plain in (b"SQLite format 3", b"master.key", (server.data / "tokens" / "admin").read_bytes().strip()):
        assert plain not in content


def test_a_restored_directory_serves_what_the_first_one_did(place, server, backup, identity):
    file, answer = backup
    data = place / "restored"
    restored = json.loads(shiplog(
        "ledger", "restore", file, "--data", data, "--identity-file", identity[1], "-o", "json").stdout)
    assert restored["treeHead"] == answer["treeHead"] and restored["rows"] == answer["rows"]
    assert shiplog("ledger", "verify", "--data", data, "--extends", answer["treeHead"]).stdout
    # The first one goes on from there.
    server.verify("--extends", answer["treeHead"])
    # The last checkpoint is gone with the first machine, so that nobody can tell what is lost: a person has to take it.
    refused = shiplog("serve", "--sandbox", "--data", data, "--listen", "127.0.0.1:0", code=5).stderr
    assert "[log.checkpoint-missing]" in refused
    another = Server(data, "--accept-fork", "the first machine is gone", log=place / "another.log")
    try:
        another.start()
        kept = {number: leaf for number, leaf in server.leaves().items() if number <= answer["rows"]}
        assert another.leaves().items() >= kept.items()
        # With its token, for that is restored too; the values of its Secrets can be read, for the keys are.
        first = another.rows("SELECT min(sequence) FROM revision WHERE kind = 'sync'")[0][0]
        shiplog("ledger", "confirm", SHIPLOG_SERVER=another.url, SHIPLOG_TOKEN_FILE=str(data / "tokens" / "admin"))
        # The embedded cluster is not in a backup: this is another one, and a person has to say that it is right.
        another.ask("POST", "/applications/app/accept-cluster", {})
        operation = another.operate("app", "rollback", to={"sequence": first}, reason="restored")
        assert operation["outcome"] == "succeeded"
        live = another.cluster("/api/v1/namespaces/app/secrets/login")
        assert live["data"]["password"] == "cHctdW5pcXVlLTQ3MTE="
        assert another.stop() == 0
    finally:
        another.kill()


def test_what_age_encrypts_is_restored_as_well(place, backup, identity):
    file, answer = backup
    opened, again = place / "plain.tar", place / "again.age"
    subprocess.run(["age", "-d", "-i", identity[1], "-o", opened, file], check=True)
    subprocess.run(["age", "-r", identity[0], "-o", again, opened], check=True)
    shiplog("ledger", "restore", again, "--data", place / "from-age", "--identity-file", identity[1])
    # Taken apart and packed again by tar itself.
    folder = place / "unpacked"
    folder.mkdir()
    subprocess.run(["tar", "-xf", opened, "-C", folder], check=True)
    packed = subprocess.run(["tar", "-c", "-C", folder, "."], check=True, capture_output=True).stdout
    subprocess.run(["age", "-r", identity[0], "-o", place / "packed.age"], input=packed, check=True)
    with (place / "packed.age").open("rb") as pipe:
        done = subprocess.run(
            [os.environ["SHIPLOG_BIN"], "ledger", "restore", "-", "--data", place / "from-tar", "--identity-file",
             identity[1]], stdin=pipe, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in ("from-age", "from-tar"):
        assert answer["treeHead"] in shiplog("ledger", "verify", "--data", place / name).stdout


def test_a_passphrase_works_in_both_directions(place, server):
    word = "correct horse battery staple"
    (place / "passphrase").write_text(word + "\n")
    file = place / "passphrase.age"
    shiplog("ledger", "backup", "-O", file, "--passphrase-file", "-", "--data", server.data, text=word + "\n")
    on_a_terminal("age", "-d", "-o", place / "passphrase.tar", file, answers=[word])
    assert "ledger.sqlite" in members(place / "passphrase.tar")
    on_a_terminal("age", "-p", "-o", place / "by-age.age", place / "passphrase.tar", answers=[word, word])
    for number, name in enumerate((file, place / "by-age.age")):
        shiplog(
            "ledger", "restore", name, "--data", place / f"by-passphrase-{number}", "--passphrase-file",
            place / "passphrase")


def test_whoever_it_is_not_for_cannot_open_it(place, backup, identity):
    file, _ = backup
    subprocess.run(["age-keygen", "-o", place / "other.txt"], check=True, capture_output=True)
    (place / "word").write_text("Tr0ub4dor&3\n")
    for option, name in (("--identity-file", "other.txt"), ("--passphrase-file", "word")):
        done = shiplog("ledger", "restore", file, "--data", place / "no", option, place / name, code=2)
        assert "[age.no-match]" in done.stderr and not (place / "no").exists()
    done = shiplog("ledger", "restore", file, "--data", place / "no", "--identity-file", place / "word", code=2)
    assert "[age.identity-invalid]" in done.stderr and "Tr0ub4dor" not in done.stderr


def test_a_damaged_backup_is_refused_and_leaves_nothing(place, backup, identity):
    file, _ = backup
    content = file.read_bytes()
    flaws = {
        "cut": content[:-1000], "empty": b"", "none": b"SQLite format 3\0" * 100,
        "changed": content[:5000] + bytes([content[5000] ^ 1]) + content[5001:], "longer": content + b"x"}
    for name, flawed in flaws.items():
        broken = place / f"{name}.age"
        broken.write_bytes(flawed)
        before = sorted(place.iterdir())
        done = shiplog("ledger", "restore", broken, "--data", place / "never", "--identity-file", identity[1], code=8)
        assert "[age.damaged]" in done.stderr, name
        assert sorted(place.iterdir()) == before, f"{name}: something is left"


def test_what_is_there_is_not_written_over(place, server, backup, identity):
    file, _ = backup
    digest = hashlib.sha256(file.read_bytes()).digest()
    done = shiplog("ledger", "backup", "-O", file, "--recipient", identity[0], "--data", server.data, code=5)
    assert "[file.exists]" in done.stderr and hashlib.sha256(file.read_bytes()).digest() == digest
    done = shiplog("ledger", "restore", file, "--data", server.data, "--identity-file", identity[1], code=5)
    assert "[backup.target-not-empty]" in done.stderr
    server.verify()


def test_what_a_killed_backup_left_is_taken_over_and_a_running_one_is_not(place, server, identity):
    command = ["ledger", "backup", "-O", place / "k.age", "--recipient", identity[0], "--data", server.data]
    part = place / "k.age.partial"
    part.write_bytes(b"half of an older one " * 100_000)
    with open(part, "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        done = shiplog(*command, code=5)
        assert "[file.busy]" in done.stderr and part.stat().st_size == 2_100_000
    shiplog(*command)
    assert not part.exists() and (place / "k.age").stat().st_mode & 0o777 == 0o600
    shiplog("ledger", "restore", place / "k.age", "--data", place / "k", "--identity-file", identity[1])
    # A link of that name leads nowhere, and an export does as a backup does.
    (place / "victim").write_text("mine")
    os.symlink(place / "victim", place / "k.jsonl.partial")
    export = ["ledger", "export", "--format", "jsonl", "-O", place / "k.jsonl", "--data", place / "k"]
    done = shiplog(*export, code=2)
    assert "[file.unwritable]" in done.stderr and (place / "victim").read_text() == "mine"
    (place / "k.jsonl.partial").unlink()
    # Nor is a file that has another name cut off, or one of another kind removed.
    os.link(place / "victim", place / "k.jsonl.partial")
    done = shiplog(*export, code=2)
    assert "[file.unwritable]" in done.stderr and (place / "victim").read_text() == "mine"
    (place / "k.jsonl.partial").unlink()
    os.mkfifo(place / "k.jsonl.partial")
    reader = os.open(place / "k.jsonl.partial", os.O_RDONLY | os.O_NONBLOCK)
    shiplog(*export, code=2)
    assert (place / "k.jsonl.partial").is_fifo()
    os.close(reader)
    (place / "k.jsonl.partial").unlink()
    (place / "k.jsonl.partial").write_text("half")
    shiplog(*export)
    assert not (place / "k.jsonl.partial").exists() and json.loads((place / "k.jsonl").read_text().splitlines()[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_interrupts_a_restore_or_a_backup_leaves_nothing_behind(place, server, backup, identity, number):
    file, _ = backup
    folder = place / f"interrupted-{number}"
    folder.mkdir()
    # A backup that comes slowly: the keys are in the clear beside the target while the rest is waited for.
    restore = subprocess.Popen(
        [os.environ["SHIPLOG_BIN"], "ledger", "restore", "-", "--data", folder / "new", "--identity-file", identity[1]],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    content = file.read_bytes()
    restore.stdin.write(content[:-200_000] if len(content) > 400_000 else content[:len(content) // 2])
    restore.stdin.flush()
    deadline = time.monotonic() + 20
    while not list(folder.glob(".new.restoring-*")):
        assert time.monotonic() < deadline, "nothing was begun"
        time.sleep(0.02)
    restore.send_signal(number)
    assert restore.wait(20) == -number
    assert not list(folder.iterdir())
    # Nobody reads the other end: it waits with its scratch copy made.
    reading, writing = os.pipe()
    made = subprocess.Popen(
        [os.environ["SHIPLOG_BIN"], "ledger", "backup", "-O", "-", "--recipient", identity[0], "--data", server.data,
         "--scratch", folder], stdout=writing, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not list(folder.glob(".shiplog-backup-*")) and made.poll() is None:
        assert time.monotonic() < deadline, "nothing was begun"
        time.sleep(0.005)
    made.send_signal(number)
    assert made.wait(20) == -number
    os.close(reading)
    os.close(writing)
    assert not list(folder.iterdir())


def test_a_backup_that_cannot_be_made_leaves_nothing(place, server, identity):
    before = sorted(place.iterdir())
    done = shiplog("ledger", "backup", "-O", place / "a.age", "--recipient", "age1nonsense", "--data", server.data, code=2)
    assert "[age.recipient-invalid]" in done.stderr
    shiplog("ledger", "backup", "-O", place / "a.age", "--data", server.data, code=64)
    shiplog("ledger", "backup", "-O", place / "a.age", "--recipient", identity[0], "--data", place / "nowhere", code=3)
    done = shiplog(
        "ledger", "backup", "-O", place / "a.age", "--recipient", identity[0], "--data", server.data, "--scratch",
        place / "nowhere", code=2)
    assert "[data.unusable]" in done.stderr
    assert sorted(place.iterdir()) == before


def peak_kibibytes(command):
    """The most memory a command held, which must succeed.

    A small process starts it: Linux counts what the parent holds at the fork, and a long run of tests holds much.
    """
    measure = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=sys.stderr); "
               "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    return int(subprocess.run([sys.executable, "-c", measure, *command], capture_output=True, text=True, check=True).stdout)


def test_a_backup_goes_to_a_pipe_and_takes_bounded_memory(place, server, identity):
    command = [os.environ["SHIPLOG_BIN"], "ledger", "backup", "-O", "-", "--recipient", identity[0], "--data", server.data]
    done = subprocess.run(command, capture_output=True, check=True)
    (place / "piped.age").write_bytes(done.stdout)
    shiplog("ledger", "restore", place / "piped.age", "--data", place / "piped", "--identity-file", identity[1])
    # A ledger of some hundred megabytes: free pages, so that making it takes no time.
    large = place / "large"
    shutil.copytree(place / "piped", large)
    subprocess.run(
        ["sqlite3", large / "ledger.sqlite",
         "CREATE TABLE ballast (x); INSERT INTO ballast SELECT zeroblob(1000000) FROM generate_series(1, 300); "
         "DROP TABLE ballast;"], check=True)
    assert (large / "ledger.sqlite").stat().st_size > 300_000_000
    for arguments in (
            ["backup", "-O", place / "large.age", "--recipient", identity[0], "--data", large],
            ["restore", place / "large.age", "--data", place / "large-restored", "--identity-file", identity[1]]):
        peak = peak_kibibytes([os.environ["SHIPLOG_BIN"], "ledger", *map(str, arguments)])
        print(f"{arguments[0]} of 300 MB: at most {peak >> 10} MiB")
        assert peak < 200 << 10, "kibibytes"
