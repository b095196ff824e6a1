#!/usr/bin/env python3
"""Verifies an evidence pack of a Shiplog ledger: with Python 3.8 or newer, offline, and with nothing else.

    python3 verify.py [--key VKEY]... [--checkpoint FILE]... PACK.zip

--key         a verifier key that you know to be the log's, or a witness's. Without one the pack vouches for itself.
--checkpoint  a checkpoint of the same log that you kept from another time: the pack must agree with it.

Ends with 0 when everything holds, 8 when something does not (the first bad entry is named), 2 when a checkpoint of
yours cannot be compared with the pack, 64 when the command line is wrong. docs/evidence-pack.md has the format.
"""

import argparse
import base64
import binascii
import hashlib
import io
import json
import os
import struct
import sys
import zlib
from datetime import datetime, timedelta, timezone

FORMAT = "shiplog-evidence/1"
NAMES = ("README.txt", "verify.py", "checkpoint", "keys.json", "proofs.json", "entries.jsonl", "leaves.bin",
         "entries.csv", "bodies.jsonl", "query.json", "manifest.sha256")
ENTRY_LIMIT = 1 << 16
BODY_LIMIT = 100 << 20
SMALL = 4 << 20
QUERY = 256 << 20
DEPTH = 128
MEMBERS = ("format", "ledger", "origin", "filter", "asked", "completeness", "range", "made", "matches", "matched", "gone")
COLUMNS = ("sequence", "recordedAt", "kind", "outcome", "application", "project", "applicationUID", "actor", "means",
           "tokenID", "requestID", "cause", "sync", "health", "repository", "targetRevision", "commit", "subject",
           "ticket", "attempt", "rolledBackTo", "revision", "sameAs", "startedAt", "finishedAt", "desired", "facts",
           "leaf")


class Bad(Exception):
    """Something does not hold; `sequence` is the first entry that is bad, where it is one."""

    def __init__(self, message, sequence=None):
        super().__init__(message)
        self.sequence = sequence


# ---- JSON and base64, strictly: what two readers could read in two ways is refused

def _members(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _no_constant(name):
    raise ValueError(name + " is no number of JSON")


DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_no_constant)


def parse(data):
    value = DECODER.decode(data.decode("utf-8"))
    if not isinstance(value, dict):
        raise ValueError("no map")
    if data.count(b"[") + data.count(b"{") > DEPTH:
        level, depth = [value], 0
        while level:
            depth += 1
            if depth > DEPTH:
                raise ValueError("nested too deeply")
            level = [inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer)
                     if isinstance(inner, (dict, list))]
    return value


def whole(value):
    """An integer that is written as one, in 64 bits; None for anything else, true and 1.0 included."""
    return value if type(value) is int and -(1 << 63) <= value < 1 << 63 else None


def unbase64(text, size=None):
    if not isinstance(text, str):
        raise Bad("base64 is missing")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Bad("a text is no base64")
    if base64.b64encode(data).decode() != text:
        raise Bad("a text is no base64 that another could not say too")
    if size is not None and len(data) != size:
        raise Bad("a text does not hold %d bytes" % size)
    return data


def at(value, *path):
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


# ---- Ed25519 (RFC 8032, section 5.1.7)

P = 2 ** 255 - 19
L = 2 ** 252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def _recover(y, sign):
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if square == 0:
        return None if sign else 0
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P:
        return None
    return P - x if x & 1 != sign else x


def _point(data):
    number = int.from_bytes(data, "little")
    y = number & ((1 << 255) - 1)
    x = _recover(y, number >> 255)
    return None if x is None else (x, y, 1, x * y % P)


def _add(a, b):
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    i, j, k, m = f - e, h - g, h + g, f + e
    return (i * j % P, k * m % P, j * k % P, i * m % P)


def _times(number, point):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = _add(result, point)
        point = _add(point, point)
        number >>= 1
    return result


_Y = 4 * pow(5, P - 2, P) % P
_X = _recover(_Y, 0)
BASE = (_X, _Y, 1, _X * _Y % P)


def ed25519_verifies(public, signature, message):
    if len(public) != 32 or len(signature) != 64:
        return False
    key, commitment = _point(public), _point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or scalar >= L:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    left, right = _times(scalar, BASE), _add(commitment, _times(challenge, key))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


# ---- the tree (RFC 6962, section 2.1)

def leaf_hash(entry):
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def subtrees(first, end):
    """The perfect subtrees that the leaves first...end are made of, from left to right: (first leaf, height)."""
    result = []
    while first < end:
        height = (end - first).bit_length() - 1
        if first:
            height = min(height, (first & -first).bit_length() - 1)
        result.append((first, height))
        first += 1 << height
    return result


class Tree:
    """The roots of the perfect subtrees over the leaves so far."""

    def __init__(self):
        self.nodes = []
        self.size = 0

    def append(self, digest, height=0):
        self.size += 1 << height
        while self.nodes and self.nodes[-1][0] == height:
            digest = node_hash(self.nodes.pop()[1], digest)
            height += 1
        self.nodes.append((height, digest))

    def root(self):
        if not self.nodes:
            return hashlib.sha256(b"").digest()
        root = self.nodes[-1][1]
        for _, digest in reversed(self.nodes[:-1]):
            root = node_hash(digest, root)
        return root


def extends(size, root, old_size, old_root, proof):
    """RFC 9162, section 2.1.4.2: whether the tree of `old_size` leaves is a beginning of the one of `size`."""
    if old_size > size or old_size < 0:
        return False
    if old_size == size:
        return not proof and old_root == root
    if old_size == 0:
        return not proof and old_root == hashlib.sha256(b"").digest()
    proof = list(proof)
    node, last = old_size - 1, size - 1
    while node & 1:
        node >>= 1
        last >>= 1
    if old_size & (old_size - 1) == 0:
        start = old_root
    elif proof:
        start = proof.pop(0)
    else:
        return False
    old = new = start
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            new = node_hash(new, sibling)
        node >>= 1
        last >>= 1
    return last == 0 and old == old_root and new == root


# ---- signed notes (c2sp.org/signed-note) and checkpoints (c2sp.org/tlog-checkpoint)

class Key:
    """A verifier key: NAME+KEYID+BASE64."""

    def __init__(self, text):
        parts = text.strip().split("+", 2)
        if len(parts) != 3 or not parts[0]:
            raise Bad("a verifier key is NAME+KEYID+BASE64")
        data = unbase64(parts[2], 33)
        self.name, self.algorithm, self.public = parts[0], data[0], data[1:]
        self.id = hashlib.sha256(self.name.encode() + b"\n" + data).digest()[:4]
        if self.id.hex() != parts[1] or self.algorithm not in (1, 4):
            raise Bad("a verifier key's id is not that of its key")

    def verifies(self, signature, text):
        if self.algorithm == 1:
            return ed25519_verifies(self.public, signature, text)
        if len(signature) != 72:
            return False
        time = int.from_bytes(signature[:8], "big")
        return ed25519_verifies(self.public, signature[8:], b"cosignature/v1\ntime %d\n" % time + text)


class Checkpoint:
    def __init__(self, data, name):
        self.name = name
        try:
            whole = data.decode("utf-8")
        except UnicodeDecodeError:
            raise Bad("%s is no signed note" % name)
        text, separator, rest = whole.rpartition("\n\n")
        lines = text.split("\n")
        if not separator or not rest.endswith("\n") or len(lines) < 3 or not all(lines) or any(
                ord(letter) < 32 and letter != "\n" for letter in whole):
            raise Bad("%s is no signed note" % name)
        self.text = (text + "\n").encode()
        self.origin = lines[0]
        if not lines[1].isascii() or not lines[1].isdigit() or str(int(lines[1])) != lines[1]:
            raise Bad("%s has no size" % name)
        self.size = int(lines[1])
        if self.size > 1 << 48:
            raise Bad("%s has no size" % name)
        self.root = unbase64(lines[2], 32)
        self.signatures = []
        for line in rest[:-1].split("\n"):
            parts = line.split(" ")
            if (len(parts) != 3 or parts[0] != "\u2014" or not 0 < len(parts[1].encode()) <= 255
                    or any(letter in "+\x7f" or letter.isspace() for letter in parts[1])):
                raise Bad("%s has a line that is no signature" % name)
            blob = unbase64(parts[2])
            if len(blob) < 5:
                raise Bad("%s has a signature that is too short" % name)
            self.signatures.append((parts[1], blob[:4], blob[4:]))
        if not 0 < len(self.signatures) <= 100:
            raise Bad("%s is not signed" % name)

    def verify(self, keys):
        found = []
        for name, key_id, signature in self.signatures:
            key = next((key for key in keys if key.name == name and key.id == key_id), None)
            if key is None:
                continue
            if not key.verifies(signature, self.text):
                raise Bad("a signature of %s on %s is not over its text" % (name, self.name))
            found.append(key)
        if not found:
            raise Bad("none of the signatures on %s is of a key that is trusted" % self.name)
        return found


# ---- the question

class Question:
    LISTS = ("application", "project", "kind", "cause", "outcome")
    TEXTS = ("actor", "commit", "text")
    NUMBERS = ("revision", "from", "to")

    def __init__(self, query):
        self.filter = query.get("filter")
        if not isinstance(self.filter, dict):
            raise Bad("query.json has no filter")
        for name, value in self.filter.items():
            known = (name in self.LISTS and isinstance(value, list) and value and all(isinstance(one, str) for one in value)
                     or name in self.TEXTS and isinstance(value, str)
                     or name in self.NUMBERS and whole(value) is not None
                     or name == "includeUnchanged" and isinstance(value, bool))
            if not known:
                raise Bad("query.json asks for %s, which this verifier does not know" % name)
        self.provable = "text" not in self.filter
        asked = query.get("asked")
        if not isinstance(asked, dict) or any(
                name in asked and whole(asked[name]) is None for name in ("first", "last")):
            raise Bad("query.json does not say what was asked")
        self.asked = (asked.get("first"), asked.get("last"))

    def takes(self, entry):
        want = self.filter
        if not want.get("includeUnchanged") and "sameAs" in entry:
            return False
        if "from" in want and entry["recordedAt"] < want["from"]:
            return False
        if "to" in want and entry["recordedAt"] >= want["to"]:
            return False
        if "kind" in want and entry.get("kind") not in want["kind"]:
            return False
        if "application" in want and not {at(entry, "application", "name"), at(entry, "application", "uid")} & set(
                want["application"]):
            return False
        if "project" in want and at(entry, "application", "project") not in want["project"]:
            return False
        if "cause" in want and entry.get("cause") not in want["cause"]:
            return False
        if "outcome" in want and entry.get("outcome", "succeeded") not in want["outcome"]:
            return False
        if "actor" in want and (at(entry, "actor", "name") or "shiplog") != want["actor"]:
            return False
        if "commit" in want and not str(at(entry, "source", "commit", "id") or "").startswith(want["commit"]):
            return False
        if "revision" in want and entry.get("revision") != want["revision"]:
            return False
        return True


class Runs:
    """Sequences as a list of [first, last], asked in ascending order."""

    def __init__(self, runs, first, last, name):
        following = first
        if not isinstance(runs, list):
            raise Bad("query.json has no list %s" % name)
        for run in runs:
            if (not isinstance(run, list) or len(run) != 2 or not all(whole(one) is not None for one in run)
                    or run[0] < following or run[1] < run[0] or run[1] > last):
                raise Bad("the list %s of query.json is not in order within the range" % name)
            following = run[1] + 1
        self.runs = runs
        self.count = sum(run[1] - run[0] + 1 for run in runs)
        self.first = runs[0][0] if runs else None
        self.last = runs[-1][1] if runs else None
        self.place = 0

    def __contains__(self, sequence):
        while self.place < len(self.runs) and self.runs[self.place][1] < sequence:
            self.place += 1
        return self.place < len(self.runs) and self.runs[self.place][0] <= sequence


# ---- the table

def timestamp(milliseconds):
    if whole(milliseconds) is None:
        return ""
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=milliseconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (moment.microsecond // 1000)


SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
BLANKS = " \t\n\r\x0b\x0c\xa0\u3000"
SEPARATORS = ";\t\n\r"


def guarded(cell):
    """The cell with an apostrophe wherever a spreadsheet could begin a formula."""
    lead, leads = False, [False] * len(cell)
    for place in range(len(cell) - 1, -1, -1):
        lead = cell[place] in SIGNS or lead and cell[place] in BLANKS
        leads[place] = lead
    result, start = [], True
    for place, letter in enumerate(cell):
        if start and leads[place] or place == 0 and letter in "\t\n\r":
            result.append("'")
        result.append(letter)
        start = letter in SEPARATORS
    return "".join(result)


def quoted(cell):
    text = guarded(cell)
    if text != cell or any(letter in text for letter in '",\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def member_text(line, name):
    """How a member of an entry stands in its line, which is canonical JSON; nothing where there is none."""
    text = line.decode("utf-8")
    place = 1
    while 0 < place < len(text) and text[place] == '"':
        found, end = DECODER.raw_decode(text, place)
        _, last = DECODER.raw_decode(text, end + 1)
        if found == name:
            return text[end + 1:last]
        place = last + 1
    return ""


def row(entry, line, leaf):
    revision = "." not in entry["kind"]

    def text(*path):
        value = at(entry, *path)
        return value if isinstance(value, str) else ""

    def number(name):
        value = entry.get(name)
        return str(value) if whole(value) is not None else ""

    cells = [
        str(entry["sequence"]), timestamp(entry["recordedAt"]), entry["kind"], entry.get("outcome", "succeeded"),
        text("application", "name"), text("application", "project"), text("application", "uid"),
        at(entry, "actor", "name") or "shiplog", at(entry, "actor", "means") or "controller",
        text("actor", "tokenID"), text("actor", "requestID"), text("cause"),
        entry.get("sync", "Synced") if revision else "", entry.get("health", "Healthy") if revision else "",
        text("source", "repository"), text("source", "targetRevision"), text("source", "commit", "id"),
        text("source", "commit", "subject"), text("ticket"), number("attempt"), number("rolledBackTo"),
        number("revision"), number("sameAs"), timestamp(entry.get("startedAt")), timestamp(entry.get("finishedAt")),
        text("desired"), member_text(line, "facts"), leaf.hex(),
    ]
    return (",".join(quoted(cell) for cell in cells) + "\r\n").encode("utf-8")


# ---- the zip file, strictly: nothing in front, between or behind, and every header says what the directory says

class Unreadable(Exception):
    """The file is not there, or may not be read."""


class Broken(Bad):
    """The file is no whole zip file."""

    def __init__(self, message):
        super().__init__("this is no whole zip file: " + message)


FULL = (1 << 32) - 1


class Entry:
    """A file of the pack, as the directory has it."""


class Archive:
    def __init__(self, path):
        self.path = path
        try:
            self.file = open(path, "rb")
            self.length = self.file.seek(0, os.SEEK_END)
        except OSError as error:
            raise Unreadable("%s cannot be read: %s" % (path, error.strerror))
        count, start, size = self.directory()
        if count > 64 or size > 1 << 20 or start > self.length or size > self.length - start:
            raise Broken("its directory does not lie within it")
        data = self.read(start, size)
        self.entries, place, at = {}, 0, 0
        for _ in range(count):
            entry, at = self.member(data, at)
            if entry.name in self.entries:
                raise Broken("a name stands in it twice")
            self.entries[entry.name] = entry
            if entry.offset != place:
                raise Broken("a member is not where it should be")
            place = self.check(entry)
        if at != len(data):
            raise Broken("its directory is damaged")
        if place != start:
            raise Broken("something stands in front of its directory")

    def read(self, offset, count):
        try:
            self.file.seek(offset)
            return self.file.read(count)
        except OSError as error:
            raise Unreadable("%s cannot be read: %s" % (self.path, error.strerror))

    @staticmethod
    def unpack(form, data, place=0):
        try:
            return struct.unpack_from("<" + form, data, place)
        except struct.error:
            raise Broken("its directory is damaged")

    def directory(self):
        if self.length < 22:
            raise Broken("it is too short")
        mark, parts, here, count, size, start, comment = self.unpack("IIHHIIH", self.read(self.length - 22, 22))
        if mark != 0x06054b50:
            raise Broken("its end is missing")
        if parts or here != count or comment:
            raise Broken("its end is damaged")
        if start != FULL and size != FULL:
            if start + size != self.length - 22:
                raise Broken("its directory does not end where its end begins")
            return count, start, size
        if self.length < 98:
            raise Broken("it is too short")
        mark, _, place, _ = self.unpack("IIQI", self.read(self.length - 42, 20))
        if mark != 0x07064b50 or place != self.length - 98:
            raise Broken("its end is not where it should be")
        mark, length, _, _, _, here, count, size, start = self.unpack("IQIIIQQQQ", self.read(place, 56))
        if mark != 0x06064b50 or length != 44 or here != count or start > place or size != place - start:
            raise Broken("its directory does not end where its end begins")
        return count, start, size

    def large(self, extra, *numbers):
        """The numbers, those that are too long taken from the extra field of zip64: no other field is known."""
        field = b""
        if extra:
            kind, length = self.unpack("HH", extra)
            if kind != 1 or length != len(extra) - 4:
                raise Broken("a member has an extra field that is not known")
            field = extra[4:]
        result, place = [], 0
        for number in numbers:
            if number == FULL:
                number, = self.unpack("Q", field, place)
                place += 8
            result.append(number)
        return result

    def member(self, data, at):
        entry = Entry()
        (mark, _, entry.flags, entry.method, entry.moment, entry.checksum, packed, size, name, extra, comment, _,
         offset) = self.unpack("IIHHIIIIHHHQI", data, at)
        if mark != 0x02014b50 or comment:
            raise Broken("its directory is damaged")
        if entry.flags & ~0x080e or entry.method not in (0, 8):
            raise Broken("a member is packed in a way that is not known")
        at += 46
        if at + name + extra > len(data):
            raise Broken("its directory is damaged")
        try:
            entry.name = data[at:at + name].decode("utf-8")
        except UnicodeDecodeError:
            raise Broken("a name is no text")
        at += name + extra
        entry.size, entry.packed, entry.offset = self.large(data[at - extra:at], size, packed, offset)
        return entry, at

    def check(self, entry):
        """Holds a member's own header, and what follows its bytes, to the directory; gives where it ends."""
        mark, _, flags, method, moment, checksum, packed, size, name, extra = self.unpack(
            "IHHHIIIIHH", self.read(entry.offset, 30))
        rest = self.read(entry.offset + 30, name + extra)
        if mark != 0x04034b50 or len(rest) != name + extra:
            raise Broken("a member is not where it should be")
        packed, size = self.large_local(rest[name:], packed, size)
        known = (0, 0, 0) if flags & 8 else (entry.checksum, entry.packed, entry.size)
        if ((checksum, packed, size) != known or (flags, method, moment) != (entry.flags, entry.method, entry.moment)
                or rest[:name] != entry.name.encode("utf-8")):
            raise Broken("%s has a header that is not what the directory says" % entry.name)
        entry.start = entry.offset + 30 + name + extra
        end = entry.start + entry.packed
        if end > self.length:
            raise Broken("a member reaches past its end")
        if flags & 8:
            form = "IIQQ" if extra else "IIII"
            length = struct.calcsize("<" + form)
            if self.unpack(form, self.read(end, length)) != (0x08074b50, entry.checksum, entry.packed, entry.size):
                raise Broken("%s is not followed by what the directory says" % entry.name)
            end += length
        return end

    def large_local(self, extra, packed, size):
        """In a member's own header the size comes first too."""
        size, packed = self.large(extra, size, packed)
        return packed, size


class Member(io.RawIOBase):
    """A file of the pack, read once while its digest is taken and its checksum is held to the directory."""

    def __init__(self, archive, name):
        self.archive, self.entry = archive, archive.entries[name]
        self.place, self.left = self.entry.start, self.entry.packed
        self.inflater = zlib.decompressobj(-15) if self.entry.method == 8 else None
        self.checksum = self.produced = 0
        self.hash = hashlib.sha256()

    def readable(self):
        return True

    def take(self, count):
        data = self.archive.read(self.place, min(count, self.left))
        self.place += len(data)
        self.left -= len(data)
        return data

    def piece(self, count):
        if self.inflater is None:
            return self.take(count)
        while not self.inflater.eof:
            feed = self.inflater.unconsumed_tail or self.take(1 << 16)
            try:
                data = self.inflater.decompress(feed, count)
            except zlib.error:
                raise self.damaged()
            if data:
                return data
            if not feed and not self.inflater.eof:
                raise self.damaged()
        return b""

    def damaged(self):
        return Broken("%s is damaged" % self.entry.name)

    def readinto(self, buffer):
        data = self.piece(len(buffer))
        self.produced += len(data)
        self.checksum = zlib.crc32(data, self.checksum)
        if self.produced > self.entry.size:
            raise self.damaged()
        if not data and (self.left or self.produced != self.entry.size or self.checksum != self.entry.checksum
                         or self.inflater is not None and self.inflater.unused_data):
            raise self.damaged()
        self.hash.update(data)
        buffer[:len(data)] = data
        return len(data)


# ---- the pack

def is_origin(origin, ledger):
    """Whether an origin ends with the ledger's uid; from the second epoch on with the epoch's number behind it."""
    parts = origin.split("/")
    if not ledger:
        return False
    if parts[-1] == ledger:
        return True
    digits = parts[-1].partition("-")[0]
    return (len(parts) > 1 and parts[-2] == ledger and 1 <= len(digits) <= 10 and digits.isascii() and digits.isdigit()
            and int(digits) >= 2)


class Verifier:
    def __init__(self, path, keys, kept):
        self.pack = Archive(path)
        self.made = None
        self.erasures = {}
        self.keys = keys
        self.kept = kept
        self.digests = {}
        self.notes = []
        self.unproven = []
        self.entries = self.matches = self.bodies = self.erased = self.gone = 0

    def small(self, name, limit=SMALL):
        if self.pack.entries[name].size > limit:
            raise Bad("%s is larger than it may be" % name)
        member = Member(self.pack, name)
        data = io.BufferedReader(member, 1 << 16).read()
        self.digests[name] = member.hash.hexdigest()
        return data

    def document(self, name, limit=SMALL):
        try:
            return parse(self.small(name, limit))
        except (ValueError, RecursionError) as error:
            raise Bad("%s is no JSON: %s" % (name, error))

    def run(self):
        names = self.pack.entries
        for name in NAMES:
            if name not in names:
                raise Bad("the file %s is missing from the pack" % name)
        for name in names:
            if name not in NAMES:
                raise Bad("the file %s does not belong into a pack" % name)
        self.small("README.txt")
        self.small("verify.py")
        self.checkpoint = Checkpoint(self.small("checkpoint"), "the checkpoint of the pack")
        if len(set(self.checkpoint.signatures)) != len(self.checkpoint.signatures):
            raise Bad("the checkpoint of the pack is not written the one way that there is")
        self.check_signature()
        query = self.document("query.json", QUERY)
        self.check_query(query)
        self.check_proofs(self.document("proofs.json"))
        self.check_kept()
        self.walk()
        self.check_manifest(self.small("manifest.sha256"))
        if not self.question.provable:
            self.notes.append("INTEGRITY ONLY: the question looks into texts, so that a match that was left out would not "
                              "be seen")
        if self.gone:
            self.notes.append("retention took %d entries of the range: their hashes stand in the tree, and whether they fit "
                              "the question cannot be shown" % self.gone)
        if self.erased:
            self.notes.append("%d bodies are said to be erased, or went with their rows" % self.erased)

        unproven = sum(len(bodies) for bodies in self.erasures.values())
        if unproven:
            self.notes.append("%d of the bodies that are said to be erased name an event behind the range: that it says so "
                              "is not shown" % unproven)
        for by in sorted(self.erasures)[:8]:
            sequence, name = self.erasures[by][0]
            self.notes.append("unproven erasure: #%d is said to have erased the body %s of #%d; ask for `shiplog ledger "
                              "proof %d`, or for a wider pack" % (by, name, sequence, by))

    def check_signature(self):
        document = self.document("keys.json")
        epochs = document.get("epochs")
        if not isinstance(epochs, list) or not isinstance(document.get("selfAttested"), bool):
            raise Bad("keys.json does not list the log's keys")
        keys = self.keys
        if not keys:
            keys = [Key(text) for epoch in epochs if at(epoch, "origin") == self.checkpoint.origin
                    for text in at(epoch, "keys") or []]
            self.notes.append("the checkpoint was checked with the key that the pack itself names; give yours with --key")
        self.signers = self.checkpoint.verify(keys)
        if not any(key.algorithm == 4 for key in self.signers):
            self.notes.append("SELF-ATTESTED: no witness that you trust has signed the checkpoint")

    def check_query(self, query):
        if query.get("format") != FORMAT:
            raise Bad("query.json is of a format that this verifier does not know")
        for name in sorted(query):
            if name not in MEMBERS:
                raise Bad("query.json has a member %s that this verifier does not know" % name)
        origin, ledger, made = query.get("origin"), query.get("ledger"), query.get("made")
        if origin != self.checkpoint.origin or not isinstance(ledger, str) or not is_origin(origin, ledger):
            raise Bad("query.json is about another log than the checkpoint")
        if not isinstance(made, dict) or "event" in made and (whole(made["event"]) or 0) <= 0:
            raise Bad("query.json does not say how the pack was made")
        self.made = made.get("event")
        self.question = Question(query)
        reach = query.get("range")
        if not isinstance(reach, dict):
            raise Bad("query.json has no range")
        self.first, self.last = reach.get("first"), reach.get("last")
        size = self.pack.entries["leaves.bin"].size
        if (whole(self.first) is None or whole(self.last) is None or not 1 <= self.first <= self.last <= self.checkpoint.size
                or (self.last - self.first + 1) * 32 != size or whole(reach.get("entries")) != self.last - self.first + 1
                or whole(reach.get("gaps")) != 0):
            raise Bad("the range in query.json is not that of the entries")
        if query.get("completeness") != ("proven" if self.question.provable else "integrity only"):
            raise Bad("query.json claims another completeness than it can")
        self.matched = Runs(query.get("matched"), self.first, self.last, "matched")
        self.absent = Runs(query.get("gone"), self.first, self.last, "gone")
        said = query.get("matches")
        if not isinstance(said, dict) or tuple(whole(said.get(name)) for name in ("count", "first", "last")) != (
                self.matched.count, self.matched.first, self.matched.last) or whole(
                    reach.get("gone")) != self.absent.count:
            raise Bad("the counts in query.json are not those of its lists")

    def check_proofs(self, proofs):
        head = self.checkpoint
        if tuple(whole(proofs.get(name)) for name in ("size", "first", "last")) != (
                head.size, self.first, self.last) or unbase64(proofs.get("root"), 32) != head.root:
            raise Bad("proofs.json is about another range or another checkpoint")
        self.tree = Tree()
        self.right = []
        for side, leaves in (("left", subtrees(0, self.first - 1)), ("right", subtrees(self.last, head.size))):
            hashes = proofs.get(side)
            if not isinstance(hashes, list) or len(hashes) != len(leaves):
                raise Bad("proofs.json does not have the subtrees beside the range")
            for text, (_, height) in zip(hashes, leaves):
                if side == "left":
                    self.tree.append(unbase64(text, 32), height)
                else:
                    self.right.append((unbase64(text, 32), height))
        self.consistency = {}
        if not isinstance(proofs.get("consistency"), list):
            raise Bad("proofs.json has no list of proofs of consistency")
        for item in proofs["consistency"]:
            size = at(item, "size")
            if whole(size) is None or not isinstance(at(item, "proof"), list):
                raise Bad("a proof of consistency in proofs.json is no list of hashes")
            path = [unbase64(text, 32) for text in item["proof"]]
            if not extends(head.size, head.root, size, unbase64(item.get("root"), 32), path):
                raise Bad("the proof of consistency from %d entries does not hold" % size)
            self.consistency[size] = path

    def check_kept(self):
        head = self.checkpoint
        self.passing = []
        for one in self.kept:
            if one.size == head.size:
                if one.root != head.root:
                    raise Bad("the checkpoint of the pack is not %s: as many entries, another root" % one.name)
            elif one.size in self.consistency:
                if not extends(head.size, head.root, one.size, one.root, self.consistency[one.size]):
                    raise Bad("the log of the pack does not go on from %s" % one.name)
            elif self.first - 1 <= one.size <= self.last:
                self.passing.append(one)
            elif one.size > head.size:
                self.unproven.append("%s covers %d entries, and the pack's checkpoint only %d" % (one.name, one.size, head.size))
            else:
                self.unproven.append("%s covers %d entries, and nothing in the pack leads from there" % (one.name, one.size))
        self.passing.sort(key=lambda one: one.size)

    def hold_to_kept(self):
        while self.passing and self.passing[0].size <= self.tree.size:
            one = self.passing.pop(0)
            if one.size == self.tree.size and one.root != self.tree.root():
                raise Bad("the first %d entries are not those of %s" % (one.size, one.name))

    def walk(self):
        members = {name: Member(self.pack, name) for name in ("entries.jsonl", "leaves.bin", "entries.csv", "bodies.jsonl")}
        files = {name: io.BufferedReader(member, 1 << 16) for name, member in members.items()}
        table = files["entries.csv"]
        header = (",".join(COLUMNS) + "\r\n").encode()
        if table.read(len(header)) != header:
            raise Bad("entries.csv does not begin with its columns")
        self.time = self.body = None
        self.hold_to_kept()
        for sequence in range(self.first, self.last + 1):
            line = files["entries.jsonl"].readline(ENTRY_LIMIT)
            if not line.endswith(b"\n"):
                raise Bad("is missing from entries.jsonl", sequence)
            leaf = files["leaves.bin"].read(32)
            if len(leaf) != 32:
                raise Bad("is missing from leaves.bin", sequence)
            try:
                self.check_entry(sequence, line[:-1], leaf, table, files["bodies.jsonl"])
            except Broken:
                raise
            except Bad as bad:
                raise bad if bad.sequence else Bad(str(bad), sequence)
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError, AttributeError) as error:
                raise Bad("cannot be read: %s" % error, sequence)
            self.tree.append(leaf)
            self.entries += 1
            self.hold_to_kept()
        for name in ("entries.jsonl", "leaves.bin", "entries.csv", "bodies.jsonl"):
            if files[name].read(1) or name == "bodies.jsonl" and self.body is not None:
                raise Bad("%s goes on behind the range" % name)
        for digest, height in self.right:
            self.tree.append(digest, height)
        if self.tree.size != self.checkpoint.size or self.tree.root() != self.checkpoint.root:
            raise Bad("the entries #%d to #%d are not those that the checkpoint signs" % (self.first, self.last))
        for name, member in members.items():
            self.digests[name] = member.hash.hexdigest()

    def check_edge(self, sequence, time):
        want, (first, last) = self.question.filter, self.question.asked
        if sequence == self.first and not (
                sequence == 1 or first == sequence or time is not None and "from" in want and time < want["from"]):
            raise Bad("begins the range, and entries in front of it could fit the question too")
        if sequence == self.last and not (
                sequence == self.checkpoint.size or last == sequence
                or time is not None and "to" in want and time >= want["to"]):
            raise Bad("ends the range, and entries behind it could fit the question too")

    def check_entry(self, sequence, line, leaf, table, bodies):
        entry = parse(line)
        matched = sequence in self.matched
        if sequence in self.absent:
            if "format" in entry or whole(entry.get("sequence")) != sequence or unbase64(entry.get("leaf"), 32) != leaf:
                raise Bad("is said to be gone, and its line does not name its hash")
            if matched:
                raise Bad("is said to be gone, and to match")
            self.check_edge(sequence, None)
            # Retention takes no events.
            if sequence == self.made:
                raise Bad("is said to be gone, and to be the entry of the export")
            if sequence in self.erasures:
                raise Bad("is said to be gone, and to have erased a body")
            self.gone += 1
            return
        if leaf_hash(line) != leaf:
            raise Bad("its entry is not the one that was hashed")
        if whole(entry.get("format")) != 1:
            raise Bad("its entry is in a format that this verifier does not know")
        time = entry.get("recordedAt")
        if whole(entry.get("sequence")) != sequence or whole(time) is None:
            raise Bad("its entry does not say that it is #%d" % sequence)
        if self.time is not None and time < self.time:
            raise Bad("was recorded before the entry in front of it")
        self.time = time
        self.check_edge(sequence, time)
        if sequence == self.made and entry.get("kind") != "ledger.exported":
            raise Bad("is said to be the entry of the export, and is another")
        for owner, name in self.erasures.pop(sequence, ()):
            erased = at(entry, "facts", "erased")
            if (entry.get("kind") != "body.erased" or at(erased, "name") != name
                    or whole(at(erased, "sequence")) != owner):
                raise Bad("is said to have erased the body %s of #%d, and does not say so" % (name, owner))
        fits = self.question.takes(entry)
        if matched and not fits:
            raise Bad("is said to match, and does not fit the question")
        if fits and not matched and self.question.provable:
            raise Bad("fits the question, and was left out of the matches")
        if not matched:
            return
        self.matches += 1
        wanted = row(entry, line, leaf)
        if table.read(len(wanted)) != wanted:
            raise Bad("its line in entries.csv is not what its entry says")
        for name, digest in sorted((entry.get("bodies") or {}).items(), key=lambda item: item[0].encode()):
            if self.body is None:
                line = bodies.readline(BODY_LIMIT)
                try:
                    self.body = parse(line[:-1]) if line.endswith(b"\n") else None
                except (ValueError, RecursionError):
                    self.body = None
            body = self.body
            if body is None or whole(body.get("sequence")) != sequence or body.get("name") != name:
                if "sameAs" not in entry:
                    raise Bad("its body %s is missing from bodies.jsonl" % name)
                # Retention takes the bodies of what found nothing changed, with its row.
                self.erased += 1
                continue
            self.body = None
            self.bodies += 1
            if "erasedBy" in body:
                by = whole(body["erasedBy"])
                if by is None or not sequence < by <= self.checkpoint.size or len(body) != 3:
                    raise Bad("its body %s is said to be erased by what cannot have erased it" % name)
                self.erased += 1
                self.erasures.setdefault(by, []).append((sequence, name))
            elif len(body) != 4 or hashlib.sha256(unbase64(body.get("salt")) + unbase64(body.get("content"))).hexdigest() != digest:
                raise Bad("its body %s is not the one that its entry names" % name)

    def check_manifest(self, data):
        listed = {}
        for line in data.decode("utf-8").split("\n")[:-1]:
            digest, separator, name = line.partition("  ")
            if not separator or name in listed:
                raise Bad("manifest.sha256 is no list of digests and names")
            listed[name] = digest
        for name in NAMES[:-1]:
            if listed.pop(name, None) != self.digests[name]:
                raise Bad("the file %s is not the one that manifest.sha256 names" % name)
        if listed:
            raise Bad("manifest.sha256 names files that are not there")


def main():
    parser = argparse.ArgumentParser(description="Verifies an evidence pack of a Shiplog ledger.")
    parser.add_argument("--key", action="append", default=[], metavar="VKEY", help="a verifier key that you trust")
    parser.add_argument("--checkpoint", action="append", default=[], metavar="FILE", help="a checkpoint that you kept")
    parser.add_argument("pack", metavar="PACK.zip")
    try:
        options = parser.parse_args()
    except SystemExit as end:
        return 64 if end.code else 0
    code = "log.key-invalid"
    try:
        keys = [Key(text) for text in options.key]
        kept, code = [], "log.checkpoint-invalid"
        for path in options.checkpoint:
            with open(path, "rb") as file:
                kept.append(Checkpoint(file.read(1 << 20), "the checkpoint " + path))
    except Bad as error:
        print("error: %s [%s]" % (error, code), file=sys.stderr)
        return 64
    except OSError as error:
        print("error: %s cannot be read: %s [file.unreadable]" % (error.filename, error.strerror), file=sys.stderr)
        return 64
    verifier = None
    try:
        if keys:
            for one in kept:
                one.verify(keys)
        verifier = Verifier(options.pack, keys, kept)
        verifier.run()
    except Bad as bad:
        print("BAD: %s%s [evidence.wrong]" % ("#%d " % bad.sequence if bad.sequence else "", bad))
        return 8
    except (EOFError, RuntimeError, OverflowError, ValueError, KeyError, TypeError, AttributeError) as error:
        print("BAD: this is no whole pack: %s [evidence.wrong]" % error)
        return 8
    except Unreadable as error:
        print("error: %s [evidence.unreadable]" % error, file=sys.stderr)
        return 2
    for note in verifier.notes:
        print("note: %s" % note)
    print("%d entries of %s, #%d to #%d, are those that the checkpoint over %d signs" % (
        verifier.entries, verifier.checkpoint.origin, verifier.first, verifier.last, verifier.checkpoint.size))
    print("%d of them fit the question %s%s; %d bodies are theirs" % (
        verifier.matches, json.dumps(verifier.question.filter, sort_keys=True),
        ", and no other does" if verifier.question.provable and not verifier.gone else "", verifier.bodies))
    for text in verifier.unproven:
        print("unproven: %s" % text)
    if verifier.unproven:
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
