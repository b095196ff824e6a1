"""Evidence packs made by a real server, verified by the Python of this machine, and forged."""

import hashlib
import json
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path

import pytest

from test_cli import Shiplog, shiplog  # noqa: F401

VERIFY = Path(__file__).resolve().parents[2] / "Sources" / "Evidence" / "verify.py"


def verify(pack, *options):
    done = subprocess.run([sys.executable, str(VERIFY), *map(str, options), str(pack)], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def rewrite(pack, path, change, sign=True):
    """The pack with its files changed, and a manifest that fits them."""
    with zipfile.ZipFile(pack) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    if sign:
        files["manifest.sha256"] = "".join(
            f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items() if name != "manifest.sha256").encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.fixture(scope="module")
def pack(shiplog, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("evidence")
    (folder / "early.checkpoint").write_text(shiplog.run("ledger", "checkpoint").stdout)
    path = folder / "all.zip"
    shiplog.run("ledger", "export", "--checkpoint", folder / "early.checkpoint", "-O", path)
    return path


def test_a_pack_holds_for_both_verifiers_and_other_programs(shiplog, pack):  # noqa: F811
    code, text = verify(pack)
    assert code == 0, text
    assert "and no other does" in text and "SELF-ATTESTED" in text
    report = shiplog.json("ledger", "verify", pack, SHIPLOG_SERVER=None)
    assert report["sound"] and report["complete"] and report["matches"] > 10 and report["bodies"] > 5
    key = shiplog.run("ledger", "key", "list", "-o", "json").stdout
    key = json.loads(key)["items"][-1]["key"]
    code, text = verify(pack, "--key", key, "--checkpoint", pack.parent / "early.checkpoint")
    assert code == 0, text
    assert "unproven" not in text
    shiplog.run("ledger", "verify", pack, "--key", key, "--checkpoint", pack.parent / "early.checkpoint")
    assert zipfile.ZipFile(pack).testzip() is None
    if shutil.which("unzip"):
        subprocess.run(["unzip", "-tq", pack], check=True, capture_output=True)


def test_the_export_is_an_entry_of_the_log_and_named_in_the_pack(shiplog, pack):  # noqa: F811
    with zipfile.ZipFile(pack) as archive:
        query = json.loads(archive.read("query.json"))
    event = shiplog.json("show", query["made"]["event"])
    assert event["kind"] == "ledger.exported"
    assert event["facts"]["format"] == "pack" and event["facts"]["last"] == query["range"]["last"]
    assert event["facts"]["matches"] == query["matches"]["count"]
    assert query["made"]["event"] > query["range"]["last"]
    assert query["range"]["gaps"] == 0 and query["completeness"] == "proven"


@pytest.mark.parametrize("options", [
    ["--kind", "sync", "--kind", "rollback"], ["--app", "guestbook"], ["--actor", "shiplog", "--include-unchanged"],
    ["--from", "3", "--to", "9"], ["--from", "-1h"], ["--to", "-1h"], ["--kind", "token.created"], ["--outcome", "failed"]])
def test_each_question_is_answered_whole(shiplog, tmp_path, options):  # noqa: F811
    path = tmp_path / "some.zip"
    shiplog.run("ledger", "export", *options, "-O", path)
    code, text = verify(path)
    assert code == 0, text


def test_a_text_is_integrity_only(shiplog, tmp_path):  # noqa: F811
    path = tmp_path / "text.zip"
    done = shiplog.run("ledger", "export", "--grep", "demo", "-O", path)
    assert "integrity only" in done.stdout
    code, text = verify(path)
    assert code == 0 and "INTEGRITY ONLY" in text and "no other" not in text


def test_a_copy_is_exported_without_a_server(shiplog, tmp_path):  # noqa: F811
    path = tmp_path / "copy.zip"
    shiplog.run("ledger", "export", "--data", shiplog.data, "-O", path, SHIPLOG_SERVER=None, SHIPLOG_TOKEN_FILE=None)
    code, text = verify(path)
    assert code == 0, text
    with zipfile.ZipFile(path) as archive:
        assert "event" not in json.loads(archive.read("query.json"))["made"]


def test_a_match_that_was_left_out_is_found(shiplog, pack, tmp_path):  # noqa: F811
    def change(files):
        query = json.loads(files["query.json"])
        first, last = query["matched"][0]
        query["matched"][0] = [first + 1, last]
        query["matches"]["count"] -= 1
        query["matches"]["first"] = first + 1
        files["query.json"] = json.dumps(query).encode()

    forged = rewrite(pack, tmp_path / "forged.zip", change)
    code, text = verify(forged)
    assert code == 8 and text.startswith("BAD: #1 fits the question, and was left out"), text
    assert "#1" in shiplog.run("ledger", "verify", forged, code=8).stderr


@pytest.mark.parametrize("name", ["entries.jsonl", "leaves.bin", "entries.csv", "bodies.jsonl", "query.json", "checkpoint",
                                  "proofs.json", "keys.json", "README.txt", "verify.py", "manifest.sha256"])
def test_a_changed_byte_is_found_in_every_file(shiplog, pack, tmp_path, name):  # noqa: F811
    def change(files):
        data = bytearray(files[name])
        data[len(data) // 2] ^= 1
        files[name] = bytes(data)

    forged = rewrite(pack, tmp_path / "forged.zip", change, sign=False)
    assert verify(forged)[0] == 8
    shiplog.run("ledger", "verify", forged, code=8)


def test_a_pack_of_another_log_does_not_pass_for_this_one(shiplog, pack, tmp_path):  # noqa: F811
    wrong = "other.example/x+00000000+" + "A" * 44
    assert verify(pack, "--key", wrong)[0] == 64
    lines = (pack.parent / "early.checkpoint").read_text().split("\n")
    lines[2] = "A" * 43 + "="
    (tmp_path / "wrong.checkpoint").write_text("\n".join(lines))
    assert verify(pack, "--checkpoint", tmp_path / "wrong.checkpoint")[0] == 8
    shiplog.run("ledger", "verify", pack, "--checkpoint", tmp_path / "wrong.checkpoint", code=8)


def test_a_pack_that_was_cut_short_is_none(shiplog, pack, tmp_path):  # noqa: F811
    data = pack.read_bytes()
    for length in (0, 100, len(data) // 2, len(data) - 1):
        (tmp_path / "cut.zip").write_bytes(data[:length])
        assert verify(tmp_path / "cut.zip")[0] == 8, length
        shiplog.run("ledger", "verify", tmp_path / "cut.zip", code=8)


def test_a_pack_with_anything_around_it_is_none(shiplog, pack, tmp_path):  # noqa: F811
    data = pack.read_bytes()
    for forged in (b"JUNK" + data, data + b"JUNK"):
        (tmp_path / "around.zip").write_bytes(forged)
        assert verify(tmp_path / "around.zip")[0] == 8
        shiplog.run("ledger", "verify", tmp_path / "around.zip", code=8)
    # Behind the end of a member's packed data, with lengths that fit.
    with zipfile.ZipFile(pack) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    path = tmp_path / "behind.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            packer = zlib.compressobj(wbits=-15)
            info = zipfile.ZipInfo(name)
            archive.writestr(info, packer.compress(content) + packer.flush() + (b"JUNK" if name == "README.txt" else b""))
    patch(path, files)
    assert verify(path)[0] == 8
    assert "README.txt is damaged" in shiplog.run("ledger", "verify", path, code=8).stderr


def patch(path, files):
    """Says of members that were stored that they are packed."""
    with zipfile.ZipFile(path) as archive:
        members, start = archive.infolist(), archive.start_dir
    data, place = bytearray(path.read_bytes()), start
    for member in members:
        content = files[member.filename]
        for method, checksum, size in ((member.header_offset + 8, member.header_offset + 14, member.header_offset + 22),
                                       (place + 10, place + 16, place + 24)):
            struct.pack_into("<H", data, method, 8)
            struct.pack_into("<I", data, checksum, zlib.crc32(content))
            struct.pack_into("<I", data, size, len(content))
        place += 46 + len(member.filename)
    path.write_bytes(data)


def test_a_body_is_not_erased_because_the_pack_says_so(shiplog, pack, tmp_path):  # noqa: F811
    def change(files):
        lines = files["bodies.jsonl"].splitlines(keepends=True)
        body = json.loads(lines[0])
        last = json.loads(files["query.json"])["range"]["last"]
        lines[0] = json.dumps({"erasedBy": last, "name": body["name"], "sequence": body["sequence"]}).encode() + b"\n"
        files["bodies.jsonl"] = b"".join(lines)

    forged = rewrite(pack, tmp_path / "forged.zip", change)
    code, text = verify(forged)
    assert code == 8 and "is said to have erased the body" in text, text
    assert "is said to have erased the body" in shiplog.run("ledger", "verify", forged, code=8).stderr


@pytest.mark.parametrize("change", [
    lambda query: query.update(ledger="other"), lambda query: query.update(origin="other.example/log"),
    lambda query: query["made"].update(event=1), lambda query: query.update(color="red"),
    lambda query: query["range"].update(first=1.0), lambda query: query["range"].update(first=True)])
def test_a_question_that_says_what_is_not_so_is_found(shiplog, pack, tmp_path, change):  # noqa: F811
    def edit(files):
        query = json.loads(files["query.json"])
        change(query)
        files["query.json"] = json.dumps(query).encode()

    forged = rewrite(pack, tmp_path / "forged.zip", edit)
    code, text = verify(forged)
    assert code == 8, text
    shiplog.run("ledger", "verify", forged, code=8)


def test_a_file_that_is_not_there_is_said_with_a_code(shiplog, tmp_path):  # noqa: F811
    code, text = verify(tmp_path / "none.zip")
    assert code == 2 and text.startswith("error: ") and "[evidence.unreadable]" in text
    assert "evidence.unreadable" in shiplog.run("ledger", "verify", tmp_path / "none.zip", code=2).stderr


@pytest.mark.parametrize("form", ["pack", "jsonl"])
def test_an_export_replaces_no_file(shiplog, tmp_path, form):  # noqa: F811
    path = tmp_path / "kept"
    path.write_text("mine")
    done = shiplog.run("ledger", "export", "--format", form, "-O", path, code=5)
    assert "file.exists" in done.stderr
    assert path.read_text() == "mine" and list(tmp_path.iterdir()) == [path]


def test_streams_are_lines_that_programs_read(shiplog):  # noqa: F811
    def lines(form, *options):
        return shiplog.run("ledger", "export", "--format", form, *options).stdout.splitlines()

    entries = [json.loads(line) for line in lines("jsonl", "--from", "1", "--to", "20")]
    assert [entry["sequence"] for entry in entries] == sorted(entry["sequence"] for entry in entries)
    events = [json.loads(line) for line in lines("cloudevents", "--kind", "sync", "--kind", "rollback")]
    assert all(event["specversion"] == "1.0" and event["id"] and event["source"] for event in events)
    assert "dev.cdevents.service.rolledback.0.3.0" in {event["type"] for event in events}
    for event in map(json.loads, lines("ocsf")):
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    table = lines("csv", "--kind", "sync")
    assert table[0].startswith("sequence,recordedAt,kind")
    # A feed goes on behind the last entry that it saw; when nothing is new it gets nothing.
    assert lines("jsonl", "--after", "999999999") == []


def test_whoever_may_not_audit_exports_nothing(shiplog, tmp_path):  # noqa: F811
    shiplog.run("ledger", "export", "-O", tmp_path / "no.zip", code=4, SHIPLOG_TOKEN_FILE=None)
    assert list(tmp_path.iterdir()) == []
    shiplog.run("ledger", "export", code=64)


def peak(process):
    """The most memory that a process ever had, in KiB."""
    return int(next(line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if line.startswith("VmHWM:")).split()[1])


def grow(data, rows):
    """Appends reconciles that found nothing changed, through the ledger's own guards."""
    with sqlite3.connect(data / "ledger.sqlite") as db:
        db.execute("PRAGMA synchronous = OFF")
        head, = db.execute("SELECT max(sequence) FROM leaf").fetchone()
        last, = db.execute("SELECT max(recorded_at) FROM (SELECT recorded_at FROM revision UNION ALL SELECT recorded_at FROM event)").fetchone()
        same, text = db.execute("SELECT sequence, entry FROM revision WHERE same_as IS NULL ORDER BY sequence DESC LIMIT 1").fetchone()
        application = json.loads(text)["application"]
        for sequence in range(head + 1, head + rows + 1):
            entry = json.dumps({
                "application": application, "cause": "poll", "finishedAt": last, "format": 1, "kind": "reconcile",
                "recordedAt": last, "sameAs": same, "sequence": sequence, "startedAt": last}, sort_keys=True, separators=(",", ":"))
            db.execute("INSERT INTO leaf VALUES (?, ?)", (sequence, hashlib.sha256(b"\0" + entry.encode()).digest()))
            db.execute("INSERT INTO revision (sequence, entry) VALUES (?, ?)", (sequence, entry))
    db.close()


def test_a_large_export_takes_bounded_memory(tmp_path):
    rows = int(os.environ.get("SHIPLOG_EXPORT_ROWS", "120000"))
    first = Shiplog(tmp_path)
    first.stop()
    grow(first.data, rows)
    server = Shiplog(tmp_path)
    try:
        server.run("ledger", "export", "--to", "500", "--include-unchanged", "-O", tmp_path / "small.zip")
        before = peak(server.process)
        for form in ("pack", "jsonl"):
            start = time.monotonic()
            server.run("ledger", "export", "--include-unchanged", "--format", form, "-O", tmp_path / f"large.{form}")
            print(f"{form}: {rows / (time.monotonic() - start):.0f} entries/s with the check")
        after = peak(server.process)
        print(f"peak memory: {before} KiB, then {after} KiB")
        assert after < before * 1.5, f"{before} KiB grew to {after} KiB"
        assert sum(1 for _ in open(tmp_path / "large.jsonl")) > rows
        code, text = verify(tmp_path / "large.pack")
        assert code == 0, text
    finally:
        server.stop()
