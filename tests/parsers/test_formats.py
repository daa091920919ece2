"""Every small format: round trips, and truncation at every offset of its head."""

from __future__ import annotations

import ctypes
import hashlib
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.errors import ParseError
from parsers.files.backup_label import parse_backup_label
from parsers.files.backup_manifest import parse_backup_manifest
from parsers.files.server_conf import FileSetting, parse_server_conf
from parsers.files.tablespace_map import Tablespace, parse_tablespace_map
from parsers.files.timeline_history import parse_timeline_history
from parsers.lsn import format_lsn, parse_lsn
from parsers.segment import (
    NameKind,
    is_segment_size,
    parse_segment_name,
    parse_wal_name,
    segment_before,
    segment_name,
    segment_of,
)
from parsers.wal.crc import crc32c, crc32c_join
from parsers.wal.crc_columns import crcs_of
from parsers.wal.facts import instant
from parsers.wal.scan import scan_segment
from tests.wal_writer import MIB, WalWriter

LSNS = st.integers(min_value=0, max_value=(1 << 64) - 1)
TIMELINES = st.integers(min_value=1, max_value=(1 << 32) - 1)
SIZES = st.sampled_from([1 << bits for bits in range(20, 31)])

# -- names and positions -------------------------------------------------------------------------


@given(LSNS)
def test_an_lsn_comes_back_from_its_text(lsn: int) -> None:
    assert parse_lsn(format_lsn(lsn)) == lsn


@given(TIMELINES, LSNS, SIZES)
def test_a_segment_comes_back_from_its_name(timeline: int, lsn: int, size: int) -> None:
    number = segment_of(lsn, size)
    name = segment_name(timeline, number, size)
    assert parse_segment_name(name, size) == (timeline, number)
    assert number * size <= lsn < (number + 1) * size
    assert lsn == 0 or segment_before(lsn, size) == segment_of(lsn - 1, size)
    for suffix, kind in (
        ("", NameKind.SEGMENT), (".partial", NameKind.PARTIAL),
        (".0000ABCD.backup", NameKind.BACKUP_HISTORY),
    ):  # fmt: skip
        for codec in ("", ".gz", ".zst"):
            parsed = parse_wal_name(name + suffix + codec)
            assert parsed is not None
            assert (parsed.kind, parsed.timeline, parsed.segment) == (kind, timeline, name)
            assert (parsed.plain, parsed.compression) == (name + suffix, codec or None)


@given(st.integers(min_value=0, max_value=1 << 40))
def test_a_size_is_legal_exactly_when_initdb_takes_it(size: int) -> None:
    assert is_segment_size(size) is (size in {1 << bits for bits in range(20, 31)})


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))
def test_an_instant_is_exact_to_the_microsecond(at: datetime) -> None:
    aware = at.replace(tzinfo=UTC)
    since = aware - datetime(2000, 1, 1, tzinfo=UTC)
    microseconds = (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds
    assert instant(microseconds) == aware


# -- text files ----------------------------------------------------------------------------------

# The server reads a line as a C string: it ends at a NUL.
REASONS = st.text(
    st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]), max_size=60
)


@given(st.lists(st.tuples(TIMELINES, LSNS, REASONS), max_size=6, unique_by=lambda e: e[0]))
def test_a_history_comes_back_from_its_lines(ancestors: list[tuple[int, int, str]]) -> None:
    ancestors = sorted(ancestors)
    text = "# a comment\n\n" + "\n".join(
        f"{timeline}\t{format_lsn(lsn)}\t{reason}\n" for timeline, lsn, reason in ancestors
    )
    history = parse_timeline_history(text.encode(), 1 << 32)
    assert [(entry.timeline, entry.switch_lsn) for entry in history.entries] == [
        (timeline, lsn) for timeline, lsn, _ in ancestors
    ]
    assert [entry.reason for entry in history.entries] == [r.strip() for _, _, r in ancestors]


def test_a_line_of_a_history_is_read_as_sscanf_reads_it() -> None:
    """Signs, a 0x, numbers that are too long: what the C library takes, the server takes."""
    scan, chance = ctypes.CDLL(None).sscanf, random.Random(4)
    read = 0
    for _ in range(5000):
        line = bytearray(b"2\t0/C00090\twhy")
        for _ in range(chance.choice((1, 1, 2, 3))):
            at = chance.randrange(len(line))
            token = (b"0x", b"0X", b"-", b"+", b" ", b"\v", b"F" * 9, b"9" * 20, b"x", b"/", b"7")
            line[at : at + chance.randrange(2)] = chance.choice(token)
        if line.lstrip().startswith(b"#"):
            continue
        numbers = [ctypes.c_uint() for _ in range(3)]
        found = scan(bytes(line), b"%u\t%X/%X", *map(ctypes.byref, numbers))
        theirs = tuple(each.value for each in numbers) if found == 3 else None
        try:
            (entry,) = parse_timeline_history(bytes(line), 1 << 32).entries
        except ParseError:
            assert theirs is None, line
        else:
            lsn = entry.switch_lsn
            assert (entry.timeline, lsn >> 32, lsn & 0xFFFFFFFF) == theirs, line
            read += 1
    assert read > 1000


@given(
    st.from_regex(r"\A[a-z_][a-z0-9_]{0,20}(\.[a-z_][a-z0-9_]{0,10})?\Z"),
    st.text(st.characters(exclude_characters="\n\0", exclude_categories=["Cs"])),
)
def test_a_setting_comes_back_as_alter_system_quotes_it(name: str, value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace("'", "''")
    line = f"{name} = '{quoted}'  # comment"
    if name in ("include", "include_if_exists", "include_dir"):
        return
    assert parse_server_conf("\n" + line) == (FileSetting(name=name, value=value, line=2, file=""),)


@given(st.lists(st.tuples(TIMELINES, st.text(min_size=1).filter(lambda path: "\0" not in path))))
def test_tablespaces_come_back_as_the_server_escapes_them(places: list[tuple[int, str]]) -> None:
    written = b""
    for oid, path in places:
        raw = path.encode("utf-8", "surrogatepass")
        escaped = b"".join(
            b"\\" + bytes([char]) if char in b"\n\r\\" else bytes([char]) for char in raw
        )
        written += f"{oid} ".encode() + escaped + b"\n"
    assert parse_tablespace_map(written, major=16) == tuple(
        Tablespace(
            oid=oid,
            path=path.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape"),
        )
        for oid, path in places
    )


# -- truncation ----------------------------------------------------------------------------------

LABEL = b"""START WAL LOCATION: 0/2000028 (file 000000010000000000000002)
CHECKPOINT LOCATION: 0/2000060
BACKUP METHOD: streamed
BACKUP FROM: primary
START TIME: 2026-01-02 03:04:05 UTC
LABEL: nightly
START TIMELINE: 1
"""


def make_manifest() -> bytes:
    files = [{"Path": "PG_VERSION", "Size": 3, "Last-Modified": "2026-01-02 03:04:05 GMT",
              "Checksum-Algorithm": "CRC32C", "Checksum": "994e7be2"}]  # fmt: skip
    ranges = [{"Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000100"}]
    body = {"PostgreSQL-Backup-Manifest-Version": 2, "System-Identifier": 7 << 60,
            "Files": files, "WAL-Ranges": ranges}  # fmt: skip
    head = json.dumps(body)[:-1].encode() + b",\n"
    return head + b'"Manifest-Checksum": "' + hashlib.sha256(head).hexdigest().encode() + b'"}\n'


def test_a_manifest_is_believed_only_with_its_own_checksum() -> None:
    data = make_manifest()
    assert parse_backup_manifest(data).system_identifier == 7 << 60
    for at in range(len(data)):
        with pytest.raises(ParseError):
            parse_backup_manifest(data[:at])
    chance = random.Random(7)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= chance.randrange(1, 256)
        with pytest.raises(ParseError):
            parse_backup_manifest(bytes(changed))


def test_a_label_cut_in_its_first_two_lines_is_refused() -> None:
    needed = LABEL.index(b"BACKUP METHOD")
    for at in range(len(LABEL) + 1):
        if at < needed:
            # A shorter LSN is one too: the server asks for the line's end.
            with pytest.raises(ParseError):
                parse_backup_label(LABEL[:at])
        else:
            assert parse_backup_label(LABEL[:at]).checkpoint_lsn == 0x2000060


def test_a_label_with_odd_digits_is_no_crash() -> None:
    odd = LABEL.replace(b"START TIMELINE: 1", "START TIMELINE: ²".encode())
    assert parse_backup_label(odd).timeline == 1


@pytest.mark.parametrize("change", [lambda text: text.replace(b"\n", b"\r\n"), lambda _: b""])
def test_a_label_that_the_server_refuses_is_refused(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ParseError):
        parse_backup_label(change(LABEL))


def test_a_segment_cut_anywhere_is_truncated_there() -> None:
    wal = WalWriter()
    for xid in range(700, 800):
        wal.commit(xid, xid, (xid + 1,))
    wal.switch()
    data = wal.segments()[0]
    chance = random.Random(8)
    for at in [*range(41), *(chance.randrange(41, MIB) for _ in range(200))]:
        scan = scan_segment(data[:at], name_timeline=1, segment_number=1, segment_size=MIB)
        assert scan.damage is not None and scan.damage.kind.value == "truncated"
        assert scan.damage.lsn == MIB + (at if at >= 8192 else 0)


# -- checksums -----------------------------------------------------------------------------------


@given(st.binary(max_size=600), st.lists(st.tuples(st.integers(0, 140), st.integers(0, 300))))
def test_many_checksums_are_the_same_as_one_by_one(
    data: bytes, slices: list[tuple[int, int]]
) -> None:
    data += bytes(-len(data) % 8)
    places = [(start * 4, length) for start, length in slices if start * 4 + length <= len(data)]
    starts, lengths = (np.array([place[n] for place in places], np.int64) for n in (0, 1))
    expected = [crc32c(data[start : start + length]) for start, length in places]
    assert crcs_of(data, starts, lengths).tolist() == expected


@given(st.binary(max_size=99), st.binary(max_size=99))
def test_a_checksum_is_joined_from_two(first: bytes, second: bytes) -> None:
    joined = crc32c_join(crc32c(first), crc32c(second), len(second))
    assert joined == crc32c(first + second) == crc32c(second, crc32c(first))
