"""A parser's complaint never holds what the file holds, whatever the file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.errors import ParseError
from parsers.files.backup_label import parse_backup_label
from parsers.files.backup_manifest import parse_backup_manifest
from parsers.files.pg_control import parse_control_file
from parsers.files.server_conf import parse_server_conf
from parsers.files.tablespace_map import parse_tablespace_map
from parsers.files.timeline_history import parse_timeline_history

SECRET = "hunter2secret"
LABEL = b"START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\n" \
        b"CHECKPOINT LOCATION: 0/2000060\nSTART TIMELINE: 1\n"  # fmt: skip
MANIFEST = (
    b'{ "PostgreSQL-Backup-Manifest-Version": 1,\n"Files": [\n'
    b'{ "Path": "PG_VERSION", "Size": 3, "Last-Modified": "2025-01-01 00:00:00 GMT",'
    b' "Checksum-Algorithm": "CRC32C", "Checksum": "00" },\n'
    b'{ "Encoded-Path": "ff", "Size": 3 }\n],\n'
    b'"WAL-Ranges": [\n{ "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000100" }\n],\n'
)


def sealed_manifest(data: bytes) -> object:
    """With its own checksum: what is wrong with it is beyond that."""
    digest = hashlib.sha256(data).hexdigest().encode()
    return parse_backup_manifest(data + b'"Manifest-Checksum": "' + digest + b'"}\n')


FORMATS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "history": (
        lambda data: parse_timeline_history(data, 3),
        b"1\t0/3000000\tno reason\n2\t0/4000000\tno reason\n",
    ),
    "label": (parse_backup_label, LABEL),
    "map": (lambda data: parse_tablespace_map(data, major=16), b"16385 /tablespaces/one\n"),
    "manifest": (sealed_manifest, MANIFEST),
    "control": (parse_control_file, bytes(8192)),
    "configuration": (
        lambda data: parse_server_conf(data.decode("utf-8", "surrogateescape"), "f"),
        b"port = 5432\nprimary_conninfo = 'host=a password=b'\ninclude 'more.conf'\n",
    ),
}


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_a_complaint_holds_nothing_of_the_file(name: str, data: st.DataObject) -> None:
    parse, sound = FORMATS[name]
    start = data.draw(st.integers(0, len(sound)))
    end = data.draw(st.integers(start, min(len(sound), start + 60)))
    around = data.draw(
        st.sampled_from(["{}", "'{}", "{} '", '"{}', "\n{}\n", "{}:5432:*", " {} ="])
    )
    damaged = sound[:start] + around.format(SECRET).encode() + sound[end:]
    try:
        parse(damaged)
    except ParseError as error:
        said = f"{error} {error.message} {vars(error)}"
        assert SECRET not in said
