"""Barman's backup.info and xlog.db, as several of its versions wrote them."""

from __future__ import annotations

import contextlib
import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.errors import ParseError
from parsers.files.backup_label import parse_backup_label
from parsers.repository.barman import parse_backup_info, parse_xlogdb
from tests.fix_repositories import Samples
from tests.fix_tools import need_program

INFO = b"""\
backup_label='START WAL LOCATION: 0/1600028 (file 000000010000000000000016)\\nCHECKPOINT LOCATION: 0/1600080\\n'
begin_time=2026-11-28 14:44:44.270276+00:00
begin_wal=000000010000000000000016
begin_xlog=0/1600028
end_time=2026-11-28 14:44:47.002832+00:00
end_xlog=0/1700000
parent_backup_id=20261128T144430
status=DONE
systemid=7713233076404804798
timeline=1
version=180004
xlog_segment_size=1048576
error=None
"""  # noqa: E501 - as it is written


def test_every_backup_of_a_server(samples: Samples) -> None:
    sample = samples("bm_incr_18")
    read = {
        path.name[:15]: parse_backup_info(path.read_bytes(), path.name[:15])
        for path in sample.root.rglob("*-backup.info")
    }
    for told in sample.truth["backups"]:
        info = read[told["label"]]
        parent = None if told["parent_backup_id"] == "None" else told["parent_backup_id"]
        assert (info.status, info.parent, str(info.major)) == ("DONE", parent, "18")
        assert info.start_segment == told["begin_wal"]
        assert info.label is not None
        assert parse_backup_label(info.label).start_lsn == info.start_lsn


def test_fields() -> None:
    info = parse_backup_info(INFO, "20261128T144444")
    assert (info.stop_lsn, info.segment_size_bytes, info.error) == (0x1700000, 1 << 20, None)
    assert info.finished_at is not None and info.finished_at.isoformat()[-6:] == "+00:00"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (b"begin_wal=1\n", "no status"),
        (b"status=DONE\nversion=x\n", "version is no number"),
        (b"status=DONE\nbackup_label=__import__('os')\n", "not quoted"),
        (b"status=DONE\nend_xlog=nowhere\n", "not an LSN"),
        (b"rubbish", "key=value"),
        # What we do not need, and Barman refuses to read.
        (b"status=DONE\nsize=12t4\n", "size is no number"),
        (b"status=DONE\ncopy_stats={'a'= 1}\n", "copy_stats is not quoted"),
        (b"status=DONE\nend_time=2026-11-30 13:48:50.t87647+00:00\n", "end_time is no time"),
    ],
)
def test_what_cannot_be_right_is_said(wrong: bytes, why: str) -> None:
    with pytest.raises(ParseError, match=why):
        parse_backup_info(wrong, "20261128T144444")


def test_lists_of_wal_with_four_fields_and_with_five() -> None:
    four = parse_xlogdb(b"000000010000000000000010\t1247\t1795876570.52\tgzip\n")
    five = parse_xlogdb(b"000000010000000000000010\t1247\t1795876570.52\tNone\tgpg\n")
    assert (four[0].compression, four[0].encryption) == ("gzip", None)
    assert (five[0].compression, five[0].encryption) == (None, "gpg")
    with pytest.raises(ParseError, match="does not know"):
        parse_xlogdb(b"000000010000000000000010\t1247\t1795876570.52\tgzap\n")
    with pytest.raises(ParseError, match="line 2"):
        parse_xlogdb(b"000000010000000000000010\t1\t1\tNone\nhalf\t")


XLOGDB = (
    b"00000001000000000000000E\t1140\t1796046270.48\tgzip\n00000002.history\t58\t17960.4\tNone\n"
)
# Barman's own reader, in the Python that its program runs with.
THEIR_READER = """\
import io, json, sys
from barman.infofile import WalFileInfo
def names(data):
    try:
        lines = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8")
        return [WalFileInfo.from_xlogdb_line(line).name for line in lines]
    except ValueError:
        return None
print(json.dumps([names(bytes.fromhex(each)) for each in json.load(sys.stdin)]))
"""


def test_a_list_with_any_bit_flipped_is_read_as_barman_reads_it() -> None:
    """Or refused: they look up a compressor that nobody knows only when they need it."""
    python = Path(need_program("barman")).read_text().splitlines()[0].removeprefix("#!").split()
    flipped = []
    for at in range(len(XLOGDB) * 8):
        data = bytearray(XLOGDB)
        data[at // 8] ^= 1 << at % 8
        flipped.append(bytes(data))
    theirs = subprocess.run(
        [*python, "-c", THEIR_READER], input=json.dumps([each.hex() for each in flipped]),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    for data, names in zip(flipped, json.loads(theirs.stdout), strict=True):
        try:
            read = [entry.name for entry in parse_xlogdb(data)]
        except ParseError:
            continue
        assert read == names, data


@given(st.binary(max_size=200))
def test_anything_is_read_or_a_parse_error(data: bytes) -> None:
    for parse in (parse_xlogdb, lambda data: parse_backup_info(data, "x")):
        with contextlib.suppress(ParseError):
            parse(data)
