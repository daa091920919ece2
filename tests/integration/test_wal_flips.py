"""One flipped byte anywhere in a real segment: found, and told rightly, or proven harmless.

The truth does not come from the scan. Where each byte belongs is worked out from the records that
pg_waldump lists for the sound segments and from the page layout; whether recovery would read on is
asked from pg_waldump on the damaged ones.
"""

from __future__ import annotations

import os
import random
import subprocess
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.postgres.installation import Installation
from parsers.wal.damage import Damage, DamageKind
from parsers.wal.scan import EndKind, SegmentScan, judge_end, scan_segment
from parsers.wal.stitch import stitch_run
from tests.fix_postgres import need_part
from tests.fix_tools import IN_CI
from tests.fix_wal import MIB, Stories, Story
from tests.integration.test_wal_records import waldump
from tests.read_wal import Record, scan_file

FLIPS = int(os.environ.get("PITR_TEST_FLIPS", "3400" if IN_CI else "1000"))  # of each major
PAGE = 8192
# Where the server reads on. Nothing of it is used by recovery.
HARMLESS = {
    "padding between records",
    "padding of a page header",
    "xlp_rem_len of a page that continues nothing",
    "XLP_BKP_REMOVABLE",
    "XLP_FIRST_IS_OVERWRITE_CONTRECORD on a page that continues nothing",
    "the rest of a segment after a switch",
}
# Where pg_waldump reads on, to the segment's end or to a later page, but recovery, which knows its
# cluster and its timelines, does not; and neither do we.
STRICTER = {"xlp_sysid", "xlp_tli upwards"}


@dataclass(frozen=True)
class Expected:
    """What one flipped byte should be found to be."""

    place: str
    lsns: frozenset[int] = frozenset()
    kinds: frozenset[DamageKind] = frozenset()


@dataclass(frozen=True)
class Stretch:
    """Segments that follow each other; one of them gets damaged, the others are sound."""

    paths: list[Path]
    scans: list[SegmentScan]
    damaged: int  # index of the one
    records: list[Record]  # of all of them, by pg_waldump
    switched_at: int | None  # end of the damaged one's switch record

    @property
    def start(self) -> int:
        return self.scans[self.damaged].start_lsn

    @property
    def path(self) -> Path:
        return self.paths[self.damaged]


def stretches(story: Story) -> list[Stretch]:
    """A dense one, one full of page images, one without any record start, a switched one, …"""
    paths = story.segments(1)
    scans = [scan_file(path) for path in paths]
    inner = range(1, len(paths) - 1)
    chosen = {
        max(inner, key=lambda n: scans[n].facts.records),
        min(inner, key=lambda n: scans[n].facts.records or 1 << 30),
        next(n for n in inner if scans[n].facts.records == 0),
        next(n for n in inner if scans[n].end.kind is EndKind.SWITCH),
        inner[0],
    }
    return [_stretch(story, paths, scans, number) for number in sorted(chosen)]


def _stretch(story: Story, paths: list[Path], scans: list[SegmentScan], number: int) -> Stretch:
    """Around a segment: back and forth to where records that cross it begin and end."""
    first = max(n for n in range(number) if scans[n].facts.records)
    last = min(n for n in range(number + 1, len(scans)) if scans[n].facts.records)
    paths, scans = paths[first : last + 1], scans[first : last + 1]
    listed = waldump(story, paths)
    start = scans[number - first].start_lsn
    switches = [
        record.lsn + 24
        for record, text in listed
        if text.startswith("SWITCH") and start <= record.lsn < start + MIB
    ]
    return Stretch(
        paths=paths, scans=scans, damaged=number - first,
        records=[record for record, _ in listed],
        switched_at=switches[0] if switches else None,
    )  # fmt: skip


# -- what a byte is ------------------------------------------------------------------------------


def expect(stretch: Stretch, data: bytes, offset: int, mask: int) -> Expected:
    """Tell where a byte of the middle segment belongs, and how its loss should be found."""
    lsn = stretch.start + offset
    if stretch.switched_at is not None and lsn >= stretch.switched_at:
        return Expected("the rest of a segment after a switch")
    in_page, header = offset % PAGE, 24 if offset >= PAGE else 40
    if in_page < header:
        return _expect_page(data, offset - in_page, in_page, mask, stretch.start)
    return _expect_record(stretch, lsn)


def _expect_page(data: bytes, page: int, byte: int, mask: int, start: int) -> Expected:
    flags = int.from_bytes(data[page + 2 : page + 4], "little")
    timeline = int.from_bytes(data[page + 4 : page + 8], "little")
    continues = flags & 1
    changed = mask << 8 * (byte % 4)
    header = frozenset({DamageKind.BAD_HEADER})
    at = frozenset({start + page})
    anywhere = at | {start + page + (40 if page == 0 else 24)}
    match byte:
        case 0 | 1:
            return Expected("xlp_magic", at, header)
        case 2 if mask == 4:
            return Expected("XLP_BKP_REMOVABLE")
        case 2 if mask in (8, 12) and not continues:
            return Expected("XLP_FIRST_IS_OVERWRITE_CONTRECORD on a page that continues nothing")
        case 2 | 3:
            return Expected("xlp_info", anywhere, frozenset(DamageKind))
        case 4 | 5 | 6 | 7:
            up = timeline ^ changed > timeline
            place = "xlp_tli upwards" if up else "xlp_tli downwards"
            return Expected(place, at, frozenset({DamageKind.WRONG_TIMELINE}))
        case _ if 8 <= byte < 16:
            return Expected("xlp_pageaddr", at, frozenset({DamageKind.WRONG_ADDRESS}))
        case _ if 16 <= byte < 20:
            if not continues:
                return Expected("xlp_rem_len of a page that continues nothing")
            return Expected("xlp_rem_len", at, header)
        case _ if 20 <= byte < 24:
            return Expected("padding of a page header")
        case _ if 24 <= byte < 32:
            return Expected("xlp_sysid", at, frozenset({DamageKind.FOREIGN_SYSTEM}))
        case _:
            return Expected("xlp_seg_size or xlp_xlog_blcksz", at, header)


def _expect_record(stretch: Stretch, lsn: int) -> Expected:
    record = stretch.records[bisect_right(stretch.records, lsn, key=lambda one: one.lsn) - 1]
    field = _payload(record.lsn, lsn)
    if field >= record.length:
        return Expected("padding between records")
    at = frozenset({record.lsn})
    if 8 <= field < 16:
        return Expected("xl_prev", at, frozenset({DamageKind.BAD_PREV_LINK}))
    if field < 4 or field == 17:
        kinds = {DamageKind.BAD_HEADER, DamageKind.BAD_CRC}
        # A length that leads out of the segment: only the next one's first page contradicts it.
        boundary = (record.lsn // MIB + 1) * MIB
        if record.lsn >= boundary - PAGE:
            at |= {boundary}
        if field < 4 and record.lsn + record.length == stretch.switched_at:
            kinds.add(DamageKind.ZEROED)  # no length of a switch leads to anything but zeros
        return Expected("xl_tot_len or xl_rmid", at, frozenset(kinds))
    return Expected("record", at, frozenset({DamageKind.BAD_CRC}))


def _payload(start: int, lsn: int) -> int:
    """Record bytes from `start` to `lsn`: what lies between, less the page headers."""
    pages = lsn // PAGE - start // PAGE
    segments = lsn // MIB - start // MIB
    return lsn - start - 24 * pages - 16 * segments


# -- the two readers -----------------------------------------------------------------------------


def read(stretch: Stretch, data: bytes) -> tuple[Damage | None, int]:
    """(first damage, records before it) of the segments, the damaged one being `data`."""
    header = stretch.scans[0].header
    assert header is not None
    scan = scan_segment(
        data, name_timeline=1, segment_number=stretch.start // MIB, segment_size=MIB,
        system_identifier=header.system_identifier,
    )  # fmt: skip
    scans = [*stretch.scans]
    scans[stretch.damaged] = scan
    damage, count = None, 0
    for one in stitch_run(scans):
        count += 1 if one.boundary and one.boundary.completed else 0
        damage = one.damage
        if damage is None or damage is one.scan.damage:
            count += one.scan.facts.records
        if damage is None and one.scan is scan:  # others follow it: it may not end early
            damage = judge_end(scan, may_end_early=False)
    return damage, count


def waldump_reads(story: Story, stretch: Stretch, data: bytes, directory: Path) -> tuple[int, str]:
    """(records that pg_waldump lists, its error) of the same segments."""
    directory = directory / stretch.path.name
    directory.mkdir(exist_ok=True)
    for path in stretch.paths:
        if path != stretch.path and not (directory / path.name).exists():
            (directory / path.name).symlink_to(path)
    (directory / stretch.path.name).write_bytes(data)
    first, last = stretch.paths[0].name, stretch.paths[-1].name
    result = subprocess.run(
        [story.pg.program("pg_waldump"), "-p", directory, first, last],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return result.stdout.count("rmgr: "), result.stderr.strip()


@pytest.fixture
def flips() -> random.Random:
    seed = int(os.environ.get("PITR_TEST_SEED", "430006288"))
    print(f"PITR_TEST_SEED={seed}")  # shown when the test fails
    return random.Random(seed)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_flipped_byte_is_found_or_harmless(
    pg: Installation, stories: Stories, flips: random.Random, tmp_path: Path
) -> None:
    need_part(pg, "pg_waldump")
    story = stories(pg)
    chosen = stretches(story)
    asked: dict[str, int] = {}
    for number in range(FLIPS):
        stretch = chosen[number % len(chosen)]
        data = bytearray(stretch.path.read_bytes())
        offset, mask = _pick(flips, data)
        expected = expect(stretch, bytes(data), offset, mask)
        data[offset] ^= mask
        damage, count = read(stretch, bytes(data))
        where = f"{stretch.path.name} at {offset:#x} with {mask:#04x}: {expected.place}: {damage}"
        if expected.place in HARMLESS:
            assert damage is None, where
        else:
            assert damage is not None, where
            assert damage.lsn in expected.lsns and damage.kind in expected.kinds, where
        if asked.setdefault(expected.place, 0) < 12 or number % 50 == 0:
            asked[expected.place] += 1
            listed, error = waldump_reads(story, stretch, bytes(data), tmp_path)
            if expected.place in STRICTER:
                assert listed >= count, f"{where}: pg_waldump says {error!r}"
            elif expected.place in HARMLESS:
                assert not error and listed == count, f"{where}: pg_waldump says {error!r}"
            else:
                assert error and listed == count, f"{where}: pg_waldump says {error!r}"
    print(dict(sorted(asked.items())))
    assert asked.keys() | {"xlp_sysid"} >= HARMLESS | STRICTER


def _pick(flips: random.Random, data: bytes) -> tuple[int, int]:
    """A byte and what to flip in it; page headers more often than their size deserves."""
    mask = flips.randrange(1, 256)
    page = flips.choice([0, flips.randrange(1, MIB // PAGE)]) * PAGE
    quiet = [at for at in range(0, MIB, PAGE) if data[at] and not data[at + 2] & 1]
    match flips.randrange(10):
        case 0 | 1:
            return page + flips.randrange(24 if page else 40), mask
        case 2:
            return page + 2, flips.choice([1, 2, 4, 8])
        case 3 if quiet:
            return flips.choice(quiet) + flips.choice([2, 16, 17]), flips.choice([8, mask])
        case _:
            return flips.randrange(MIB), mask
