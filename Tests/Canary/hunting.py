"""Looking for planted secrets, in every form in which one could be written down."""

import base64
import binascii
import sqlite3
import urllib.parse
import zlib
from pathlib import Path


def in_base64(secret, encode):
    """The digits that stand for the secret wherever it begins within a longer text that was encoded as a whole."""
    forms = set()
    for before in range(3):
        digits = encode(b"\0" * before + secret).rstrip(b"=")
        # A digit that also carries bits of a neighbouring byte is not the secret's alone.
        start = -(-before * 8 // 6)
        end = (before + len(secret)) * 8 // 6
        forms.add(digits[start:end])
    return forms


def forms(secret):
    """Raw, base64 (both alphabets, all three alignments), URL-encoded, hexadecimal, and as JSON would escape it."""
    quoted = urllib.parse.quote(secret, safe="").encode()
    return {
        secret, quoted, quoted.lower(), urllib.parse.quote_plus(secret).encode(), secret.replace(b"/", b"\\/"),
        binascii.hexlify(secret), binascii.hexlify(secret).upper(),
    } | in_base64(secret, base64.b64encode) | in_base64(secret, base64.urlsafe_b64encode)


class Hunt:
    """Secrets by name, and where none of them may be."""

    def __init__(self):
        self.secrets = {}
        self.forms = {}

    def plant(self, name, value):
        value = value.encode() if isinstance(value, str) else value
        # What is short is found by chance.
        assert len(value) >= 16, name
        self.secrets[name] = value
        self.forms[name] = forms(value)
        return value

    def found(self, data, names=None):
        return sorted(name for name in names or self.secrets if any(form in data for form in self.forms[name]))


def inflated(data):
    """What zlib made of something, if it did."""
    try:
        return zlib.decompress(data)
    except zlib.error:
        return b""


def database_texts(file):
    """Every value of every table, what is compressed unpacked: the file alone would hide it."""
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for table in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    if isinstance(value, str):
                        yield table, value.encode()
                    elif isinstance(value, bytes):
                        yield table, value
                        yield table, inflated(value)
    finally:
        connection.close()


def files(folder):
    return sorted(path for path in Path(folder).rglob("*") if path.is_file())
