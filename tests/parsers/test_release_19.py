"""PostgreSQL 19's control file and WAL beside what its own programs say; and releases to come.

The samples are a real server's: no package of 19 is to be had yet.
"""

from __future__ import annotations

import lzma
import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.errors import ParseError
from parsers.files.pg_control import OtherRelease, parse_control_file
from parsers.lsn import format_lsn, parse_lsn
from parsers.wal.crc import crc32c
from parsers.wal.damage import DamageKind
from parsers.wal.facts import (
    CheckpointRecord,
    ChecksumsChange,
    LogicalDecodingChange,
    RestorePoint,
)
from parsers.wal.page import MAJOR_BY_MAGIC, PAGE_BYTES
from parsers.wal.scan import EndKind, scan_segment
from tests.integration.test_pg_control import as_controldata
from tests.read_wal import list_records
from tests.wal_writer import MIB, WalWriter

DATA = Path(__file__).parent.parent / "data"
CONTROLS = sorted((DATA / "control" / "19").glob("*.pg_control"))
CRC_AT_19 = 308
VERSION_AT = 8
STATES = ("off", "on", "inprogress-off", "inprogress-on")


@pytest.mark.parametrize("sample", CONTROLS, ids=lambda path: path.stem)
def test_every_field_is_what_pg_controldata_of_19_says(sample: Path) -> None:
    control = parse_control_file(sample.read_bytes())
    text = sample.with_suffix(".pg_controldata.txt").read_text()
    lines = (line.partition(":") for line in text.splitlines())
    theirs = {label: _plain(value.strip()) for label, _, value in lines}
    ours = as_controldata(control)
    assert ours == {label: theirs[label] for label in ours}
    # Of 19 alone, and told by the checkpoint as well.
    assert set(theirs) - set(ours) == {
        "Mock authentication nonce", "Pages per SLRU segment",
        "Latest checkpoint's logical decoding", "Latest checkpoint's data_checksum_version",
    }  # fmt: skip
    assert control.major == 19
    at_checkpoint = theirs["Latest checkpoint's data_checksum_version"]
    assert control.checkpoint.data_checksums == int(at_checkpoint)


def _plain(value: str) -> str:
    """19 pads the low half of an LSN."""
    return format_lsn(parse_lsn(value)) if re.fullmatch(r"[0-9A-F]+/[0-9A-F]{8}", value) else value


def wal() -> bytes:
    return lzma.decompress((DATA / "wal" / "19" / "000000010000000000000009.xz").read_bytes())


def test_wal_of_19_is_what_its_pg_waldump_lists(tmp_path: Path) -> None:
    """With the records that are new in 19: CHECKSUMS, LOGICAL_DECODING_STATUS_CHANGE."""
    segment = tmp_path / "000000010000000000000009"
    segment.write_bytes(wal())
    listed = (DATA / "wal" / "19" / f"{segment.name}.waldump.txt").read_text().splitlines()
    theirs = [
        (match[1], int(match[2]), int(match[3]), parse_lsn(match[4]), parse_lsn(match[5]))
        for line in listed
        if (match := re.match(r"rmgr: (\S+)\s+len \(rec/tot\):\s*\d+/\s*(\d+), tx:\s*(\d+),"
                              r" lsn: (\S+), prev (\S+), desc: ", line))
    ]  # fmt: skip
    assert len(theirs) == len(listed)
    ours = list_records([segment])
    assert [(r.rmgr, r.length, r.xid, r.lsn, r.prev_lsn) for r in ours] == theirs
    scan = scan_segment(segment.read_bytes(), name_timeline=1, segment_number=9)
    assert (scan.major, scan.damage, scan.end.kind) == (19, None, EndKind.SWITCH)
    events = list(scan.facts.events)
    assert [e.name for e in events if isinstance(e, RestorePoint)] == ["sumas_quitadas"]
    checkpoints = [e.redo_lsn for e in events if isinstance(e, CheckpointRecord)]
    redo = re.findall(r"CHECKPOINT_ONLINE redo (\S+);", "\n".join(listed))
    assert checkpoints == [parse_lsn(lsn) for lsn in redo]


def test_what_19_switches_is_told_as_pg_waldump_tells_it() -> None:
    """Both steps of the checksums; logical decoding by the first slot and after the last."""
    scan = scan_segment(wal(), name_timeline=1, segment_number=9)
    ours = [
        (
            format_lsn(e.lsn),
            STATES[e.state] if isinstance(e, ChecksumsChange) else str(e.on).lower(),
        )
        for e in scan.facts.events
        if isinstance(e, ChecksumsChange | LogicalDecodingChange)
    ]
    listed = (DATA / "wal" / "19" / "000000010000000000000009.waldump.txt").read_text()
    theirs = re.findall(
        r"lsn: (\S+), .*desc: (?:CHECKSUMS|LOGICAL_DECODING_STATUS_CHANGE) (\S+)", listed
    )
    assert ours == [(_plain(lsn), state) for lsn, state in theirs] and len(ours) == 4


# -- releases to come -----------------------------------------------------------------------------


def control_of(version: int, crc_at: int = CRC_AT_19) -> bytes:
    """A whole pg_control of another version: what a newer server would write."""
    data = bytearray(CONTROLS[0].read_bytes())
    struct.pack_into("<I", data, VERSION_AT, version)
    struct.pack_into("<I", data, crc_at, crc32c(bytes(data[:crc_at])))
    return bytes(data)


@given(st.integers(1904, 9999), st.integers(74, 127).map(lambda words: 4 * words))
def test_a_control_file_of_a_release_to_come_is_no_damage(version: int, crc_at: int) -> None:
    with pytest.raises(OtherRelease, match=f"version {version}: of a PostgreSQL newer than this"):
        parse_control_file(control_of(version, crc_at))


def test_a_control_file_of_12_is_no_damage_either() -> None:
    with pytest.raises(OtherRelease, match="version 1201: of a PostgreSQL older than this"):
        parse_control_file(control_of(1201, 288))


@given(st.integers(0, CRC_AT_19 + 3), st.integers(1, 255))
def test_a_flipped_byte_is_never_taken_for_another_release(offset: int, mask: int) -> None:
    data = bytearray(CONTROLS[0].read_bytes())
    data[offset] ^= mask
    with pytest.raises(ParseError) as error:
        parse_control_file(bytes(data))
    assert not isinstance(error.value, OtherRelease)


NEWER_MAGICS = st.integers(max(MAJOR_BY_MAGIC) + 1, 0xD1FF)


def with_magic(data: bytes, magic: int, pages: int | None = None) -> bytes:
    changed = bytearray(data)
    for page in range(0, len(data), PAGE_BYTES)[:pages]:
        if any(changed[page : page + 24]):
            struct.pack_into("<H", changed, page, magic)
    return bytes(changed)


@pytest.mark.parametrize("depth", ["headers", "records"])
@given(magic=NEWER_MAGICS)
def test_wal_of_a_release_to_come_is_not_read_and_not_damaged(depth: str, magic: int) -> None:
    scan = scan_segment(
        with_magic(wal(), magic), name_timeline=1, segment_number=9,
        depth=depth,  # type: ignore[arg-type]
    )  # fmt: skip
    assert scan.damage is not None and scan.damage.kind is DamageKind.UNREADABLE
    assert scan.damage.detail.startswith(f"WAL page magic {magic:04X}: of a PostgreSQL newer than")


@given(magic=NEWER_MAGICS)
def test_one_page_of_another_magic_is_damage(magic: int) -> None:
    writer = WalWriter()
    for xid in range(700, 1700):  # several pages: an empty rest would leave it open
        writer.commit(xid, xid)
    whole = writer.segments()[0]
    assert len(whole) == MIB
    first = scan_segment(with_magic(whole, magic, pages=1), name_timeline=1, segment_number=1)
    assert first.damage is not None and first.damage.kind is DamageKind.BAD_HEADER
