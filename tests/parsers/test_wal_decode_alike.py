"""Sound checksums, any length: a scan says of such records what decode() says of each.

A scan takes most transactions by a shorter way, as columns. What it gives must be what decoding
one record after the other gives, at every place where a record may lie.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.ledger.encode import pack_scan, unpack_scan
from parsers.errors import ParseError
from parsers.wal import engine as wal_engine
from parsers.wal.damage import DamageKind
from parsers.wal.decode import Source, decode
from parsers.wal.facts import Event, TablespaceCreate, Transaction
from parsers.wal.record import Rmgr, holds_facts
from parsers.wal.scan import EndKind, SegmentScan, scan_segment
from parsers.wal.stitch import stitch_run
from tests.wal_writer import MIB, PAGE, WalWriter, seal

MAJOR_BY_MAGIC = {0xD10D: 14, 0xD110: 15, 0xD113: 16, 0xD116: 17, 0xD118: 18}
HEADER = 24
SWITCH, OVERWRITE = 0x40, 0xD0


@dataclass(frozen=True, kw_only=True)
class Written:
    """A record: whose it is, and what stands after its header, whether it makes sense or not."""

    rmgr: int
    info: int
    body: bytes
    xid: int = 700


@dataclass(kw_only=True)
class Said:
    """What was understood, in the order of the records, up to the first that makes no sense."""

    transactions: list[Transaction] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    damaged_lsn: int | None = None
    records: int = 0
    end_lsn: int | None = None


def append(wal: WalWriter, record: Written) -> tuple[int, bytes]:
    """Write a record as it is; give its LSN and its bytes."""
    whole = seal(record.rmgr, record.info, record.xid, wal.prev, record.body)
    return wal.raw_record(record.rmgr, record.info, record.xid, record.body), whole


def decode_each(wal: WalWriter, records: list[Written], major: int) -> Said:
    """Write them all, and decode each by itself."""
    said = Said()
    for record in records:
        lsn, whole = append(wal, record)
        if said.damaged_lsn is not None:
            continue
        said_of_it = None
        if holds_facts(record.rmgr, record.info, major):
            source = Source(major, lsn, wal.lsn, record.xid, record.rmgr, record.info)
            try:
                said_of_it = decode(whole, source)
            except ParseError:
                said.damaged_lsn = lsn
                continue
        said.records, said.end_lsn = said.records + 1, wal.lsn
        if isinstance(said_of_it, Transaction):
            said.transactions.append(said_of_it)
        elif said_of_it is not None:
            said.events.append(said_of_it)
    return said


def scan_all(wal: WalWriter) -> list[SegmentScan]:
    first = wal.start // MIB
    return [
        scan_segment(data, name_timeline=1, segment_number=first + index)
        for index, data in enumerate(wal.segments())
    ]


def said_by_scan(scan: SegmentScan) -> Said:
    facts, damage = scan.facts, scan.damage
    return Said(
        transactions=list(facts.transactions),
        events=list(facts.events),
        damaged_lsn=damage.lsn if damage else None,
        records=facts.records,
        end_lsn=facts.end_lsn,
    )


# -- records --------------------------------------------------------------------------------------

TIMES = st.integers(-(1 << 63), (1 << 63) - 1).map(lambda time: struct.pack("<q", time))
# What may follow a header: main data in its short or long form, of the length it says or another's.
SENSIBLE = st.binary(max_size=100).map(lambda main: bytes([255, len(main)]) + main)
LONG = st.binary(max_size=300).map(lambda main: struct.pack("<BI", 254, len(main)) + main)
LYING = st.tuples(st.integers(0, 255), st.binary(max_size=40)).map(
    lambda said: bytes([255, said[0]]) + said[1]
)
ORIGIN = SENSIBLE.map(lambda main: b"\xfd\x01\x00" + main)
PLAIN = TIMES.map(lambda time: b"\xff\x08" + time)
LONGER = st.tuples(TIMES, st.binary(max_size=8)).map(
    lambda parts: bytes([255, 8 + len(parts[1])]) + parts[0] + parts[1]
)
CUT = st.tuples(PLAIN, st.integers(0, 10)).map(lambda parts: parts[0][: parts[1]])
BODIES = st.one_of(PLAIN, PLAIN, CUT, LONGER, SENSIBLE, LONG, LYING, ORIGIN, st.binary(max_size=40))
DECODED = [
    (rmgr, info)
    for rmgr in Rmgr
    for info in range(0, 256, 16)
    if any(holds_facts(rmgr, info, major) for major in MAJOR_BY_MAGIC.values())
    and (rmgr, info) not in ((Rmgr.XLOG, SWITCH), (Rmgr.XLOG, OVERWRITE))
]
KINDS = st.one_of(
    st.tuples(st.just(int(Rmgr.TRANSACTION)), st.sampled_from([*range(0, 256, 16), 1, 0x81])),
    st.sampled_from([(int(rmgr), info) for rmgr, info in DECODED]),
    st.just((21, 0)),  # of no interest
)
RECORDS = st.builds(
    lambda kind, body, xid: Written(rmgr=kind[0], info=kind[1], body=body, xid=xid),
    KINDS, BODIES, st.integers(0, (1 << 32) - 1),
)  # fmt: skip
COMMIT = st.builds(lambda body: Written(rmgr=1, info=0, body=body), PLAIN)


# -- what must be alike ---------------------------------------------------------------------------


@settings(deadline=None, max_examples=400)
@given(
    st.lists(st.one_of(RECORDS, COMMIT), min_size=1, max_size=12),
    st.sampled_from(sorted(MAJOR_BY_MAGIC)),
    st.one_of(st.none(), st.integers(0, 60).map(lambda units: 8 * units)),
)
def test_a_scan_says_what_decoding_each_record_says(
    records: list[Written], magic: int, gap: int | None
) -> None:
    wal = WalWriter(magic=magic)
    if gap is not None:  # near the end of a page, where a window may end
        wal.fill_page_to(gap)
    before = next(map(said_by_scan, scan_all(wal)), Said())
    expected = decode_each(wal, records, MAJOR_BY_MAGIC[magic])
    expected.records += before.records
    expected.end_lsn = expected.end_lsn or before.end_lsn
    for window in (wal_engine.WINDOW_BYTES, PAGE):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wal_engine, "WINDOW_BYTES", window)
            (scan,) = scan_all(wal)
        assert said_by_scan(scan) == expected
        assert (scan.end.kind is EndKind.DAMAGED) == (expected.damaged_lsn is not None)
        if scan.damage:
            assert scan.damage.kind is DamageKind.BAD_HEADER
            assert scan.end.lsn <= scan.damage.lsn
        assert unpack_scan(pack_scan(scan)) == scan  # what the ledger keeps is what was read


@settings(deadline=None, max_examples=60)
@given(RECORDS, st.integers(1, 12).map(lambda units: 8 * units))
def test_a_record_at_a_segments_end_is_no_other_than_elsewhere(record: Written, gap: int) -> None:
    wal = WalWriter()
    wal.fill_to(gap)
    expected = decode_each(wal, [record, Written(rmgr=21, info=0, body=b"")], 16)
    run = list(stitch_run(scan_all(wal)))
    transactions = [t for each in run for t in each.scan.facts.transactions]
    events: list[Event] = [e for each in run for e in each.scan.facts.events]
    for each in run:
        if each.boundary:
            transactions += each.boundary.facts.transactions
            events += each.boundary.facts.events
    damage = next((each.damage for each in run if each.damage), None)
    assert (transactions, events) == (expected.transactions, expected.events)
    assert (damage.lsn if damage else None) == expected.damaged_lsn


@pytest.mark.parametrize("length", range(HEADER, 34))
@pytest.mark.parametrize("info", [0x00, 0x20, 0x30, 0x40])
def test_no_commit_time_is_taken_from_the_record_after(length: int, info: int) -> None:
    cut = Written(rmgr=1, info=info, body=(b"\xff\x08" + bytes(8))[: length - HEADER])
    wal = WalWriter()
    wal.commit(1, 1)
    lsn, _ = append(wal, cut)
    for xid in range(2, 5):
        wal.commit(xid, xid)
    (scan,) = scan_all(wal)
    assert [(t.xid, t.time_us) for t in scan.facts.transactions] == [(1, 1)]
    assert scan.damage is not None
    assert (scan.damage.kind, scan.damage.lsn) == (DamageKind.BAD_HEADER, lsn)
    assert scan.end.lsn == lsn


@pytest.mark.parametrize("length", range(HEADER, 34))
def test_a_short_commit_that_ends_a_segment_is_damage(length: int) -> None:
    wal = WalWriter()
    wal.fill_to(length + 7 & ~7)
    body = (b"\xff\x08" + bytes(8))[: length - HEADER]
    lsn, _ = append(wal, Written(rmgr=1, info=0, body=body))
    assert wal.left % MIB == 0
    (scan,) = scan_all(wal)
    assert scan.damage is not None
    assert (scan.damage.kind, scan.damage.lsn) == (DamageKind.BAD_HEADER, lsn)


def test_the_ledger_keeps_a_tablespace_whose_path_is_no_text() -> None:
    wal = WalWriter()
    wal.record(Rmgr.TABLESPACE, 0x00, 700, struct.pack("<I", 16384) + b"/srv/espa\xf1a\0")
    (scan,) = scan_all(wal)
    (event,) = scan.facts.events
    assert isinstance(event, TablespaceCreate)
    assert event.location.encode("utf-8", "surrogateescape") == b"/srv/espa\xf1a"
    assert unpack_scan(pack_scan(scan)) == scan
