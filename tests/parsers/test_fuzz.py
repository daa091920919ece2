"""Random and mutated bytes through every parser: values or ParseError, never anything else."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest

from parsers.errors import ParseError
from parsers.files.backup_label import parse_backup_label
from parsers.files.backup_manifest import parse_backup_manifest
from parsers.files.data_page import incremental_blocks, parse_incremental_start
from parsers.files.pg_control import parse_control_file
from parsers.files.server_conf import parse_server_conf
from parsers.files.tablespace_map import parse_tablespace_map
from parsers.files.timeline_history import parse_timeline_history
from parsers.lsn import parse_lsn
from parsers.segment import parse_segment_name, parse_wal_name
from parsers.wal.decode import Source, decode
from parsers.wal.page import parse_page_header, parse_segment_header
from parsers.wal.record import main_data, parse_record_header
from parsers.wal.scan import scan_segment
from parsers.wal.stitch import stitch_run
from tests.parsers.test_formats import LABEL, make_manifest
from tests.wal_writer import MIB, WalWriter

CALLS = int(os.environ.get("PITR_TEST_FUZZ", "20000"))  # over all parsers; a million: hours apart


def _wal() -> bytes:
    wal = WalWriter()
    for xid in range(700, 900):
        wal.commit(xid, xid, (xid + 1, xid + 2))
        wal.record(0, 0x70, 0, bytes(8) + b"name" + bytes(60))
        wal.record(1, 0x90, xid, bytes(40))
    return wal.segments()[0][: 4 * 8192]


def _text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: parse(data.decode("utf-8", "replace"))


def _scan(data: bytes) -> None:
    for depth in ("headers", "records"):
        scan = scan_segment(
            data, name_timeline=1, segment_number=1, segment_size=MIB,
            depth=depth,  # type: ignore[arg-type]
        )  # fmt: skip
        list(stitch_run([scan]))


def _decode(data: bytes) -> None:
    for major in (13, 18):
        info, rmgr = (data[0], data[1] % 12) if len(data) > 1 else (0, 0)
        decode(data, Source(major, 0, 0, 0, rmgr, info))


def _incremental(data: bytes) -> None:
    start = parse_incremental_start(data, 1024, 300)
    if len(data) >= start.header_bytes:
        incremental_blocks(data, start)


PARSERS: dict[Callable[[bytes], object], bytes] = {
    parse_backup_label: LABEL,
    parse_backup_manifest: make_manifest(),
    parse_control_file: bytes(8) + (1300).to_bytes(4, "little") + bytes(400),
    parse_page_header: _wal()[:24],
    parse_segment_header: _wal()[:40],
    parse_record_header: _wal()[40:64],
    lambda data: main_data(data, 16): _wal()[40:140],
    _decode: _wal()[40:140],
    _incremental: bytes.fromhex("0d1faed3 03000000 09000000") + bytes(1012),
    _scan: _wal(),
    lambda data: parse_tablespace_map(data, major=13): b"16384 /a\n16385 /b\\\\c\n",
    lambda data: parse_tablespace_map(data, major=16): b"16384 /a\n16385 /b\\\\c\n",
    lambda data: parse_timeline_history(data, 9): b"1\t0/3000000\tno target\n\n2\t0/4000000\tx\n",
    _text(parse_server_conf): b"a = 'b\\'c' # d\ninclude 'x'\nport 5432\nx.y = 1.5e3\n",
    _text(parse_lsn): b"0/3000028",
    _text(parse_wal_name): b"000000010000000000000004.partial.gz",
    _text(lambda name: parse_segment_name(name, MIB)): b"000000010000000000000004",
}


def mutate(chance: random.Random, data: bytes) -> bytes:
    """Flip, cut, repeat or replace a few bytes; or forget the data altogether."""
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(changed)) if changed else 0
        match chance.randrange(6):
            case 0:
                changed[at:] = b""
            case 1:
                changed[at:at] = changed[: chance.randrange(1, 40)]
            case 2:
                changed[at : at + 4] = chance.choice([b"\xff" * 4, bytes(4), b"\n", b"'", b"\\"])
            case 3:
                return chance.randbytes(chance.randrange(120))
            case _:
                changed[at : at + 1] = bytes([chance.randrange(256)])
    return bytes(changed)


@pytest.mark.timeout(0)
def test_no_bytes_make_a_parser_fail_in_another_way() -> None:
    seed = int(os.environ.get("PITR_TEST_SEED", "430006288"))
    print(f"PITR_TEST_SEED={seed}")  # shown when the test fails
    chance = random.Random(seed)
    refused = 0
    for _ in range(max(CALLS // len(PARSERS), 1)):
        for parse, sample in PARSERS.items():
            data = mutate(chance, sample)
            try:
                parse(data)
            except ParseError:
                refused += 1
    assert refused > CALLS // 10
