"""One segment that is wrong in one way: the kind and the LSN of each."""

from __future__ import annotations

import mmap
import struct
from dataclasses import replace

import pytest

from parsers.wal.damage import DamageKind
from parsers.wal.scan import EndKind, SegmentScan, judge_end, scan_segment
from tests.wal_writer import MIB, PAGE, SYSTEM, WalWriter


def sound(records: int = 4000) -> WalWriter:
    wal = WalWriter()
    for xid in range(700, 700 + records):
        wal.commit(xid, xid * 1000)
        wal.message(150)
    return wal


def scan(data: bytes, **options: int) -> SegmentScan:
    settings = {"name_timeline": 1, "segment_number": 1} | options
    return scan_segment(data, **settings)  # type: ignore[arg-type]


def kind_and_lsn(scan: SegmentScan) -> tuple[DamageKind, int] | None:
    return (scan.damage.kind, scan.damage.lsn) if scan.damage else None


def test_a_segment_says_who_it_is_and_what_happened() -> None:
    wal = sound()
    wal.switch()
    result = scan(wal.segments()[0])
    assert result.damage is None and result.end.kind is EndKind.SWITCH
    assert result.header is not None
    assert (result.header.system_identifier, result.major) == (SYSTEM, 16)
    facts = result.facts
    assert (facts.records, facts.first_lsn, facts.end_lsn) == (8001, MIB + 40, result.end.lsn)
    assert [fact.xid for fact in facts.transactions] == list(range(700, 4700))
    assert facts.transactions[-1] == facts.transactions[3999]
    assert {one.rmgr: one.records for one in facts.by_rmgr} == {0: 1, 1: 4000, 21: 4000}


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, "mmap"])
def test_any_buffer_will_do_and_is_let_go(kind: object) -> None:
    data = sound().segments()[0]
    if kind == "mmap":
        with mmap.mmap(-1, MIB) as mapped:
            mapped[:] = data
            assert scan(mapped) == scan(data)  # type: ignore[arg-type]
        return
    assert scan(kind(data)) == scan(data)  # type: ignore[operator]


@pytest.mark.parametrize("size", [0, 1, 39, 40, 8191, 8192, 8193, 500_000, MIB - 1])
def test_a_short_file_is_truncated(size: int) -> None:
    result = scan(sound().segments()[0][:size])
    lsn = MIB + size if size >= PAGE else result.start_lsn
    assert kind_and_lsn(result) == (DamageKind.TRUNCATED, lsn)


def test_a_long_file_is_oversized() -> None:
    result = scan(sound().segments()[0] + b"\0")
    assert kind_and_lsn(result) == (DamageKind.OVERSIZED, 2 * MIB)
    assert result.facts.records > 0


def test_an_empty_file_of_the_right_size_is_zeroed() -> None:
    assert kind_and_lsn(scan(bytes(MIB), segment_size=MIB)) == (DamageKind.ZEROED, MIB)


def test_zeros_at_the_end_are_damage_only_where_more_should_be() -> None:
    wal = sound(1000)
    end = wal.lsn
    result = scan(wal.segments()[0])
    assert (result.damage, result.end.kind, result.end.lsn) == (None, EndKind.ZEROS, end)
    assert judge_end(result, may_end_early=True) is None
    judged = judge_end(result, may_end_early=False)
    assert judged is not None and (judged.kind, judged.lsn) == (DamageKind.ZEROED, end)


def test_a_switched_segment_may_end_early_anywhere() -> None:
    wal = sound(10)
    wal.switch()
    assert judge_end(scan(wal.segments()[0]), may_end_early=False) is None


@pytest.mark.parametrize("cut", [300_000, 37 * PAGE, 37 * PAGE + 24, 37 * PAGE + 40])
def test_a_file_whose_rest_became_zeros_is_zeroed_where_its_records_end(cut: int) -> None:
    data = sound().segments()[0]
    whole = scan(data).facts.transactions
    result = scan(data[:cut] + bytes(MIB - cut))
    judged = judge_end(result, may_end_early=False)
    assert judged is not None and judged.kind is DamageKind.ZEROED
    assert MIB + cut - 200 <= judged.lsn <= MIB + cut + 24
    kept = [fact for fact in whole if fact.end_lsn <= MIB + cut]
    assert list(result.facts.transactions) == kept


@pytest.mark.parametrize("page", [1, 37, 127])
def test_a_page_that_became_zeros_inside_is_zeroed(page: int) -> None:
    wal = WalWriter()
    while wal.lsn < 3 * MIB:
        wal.commit(700, 1)
    data = bytearray(wal.segments()[0])
    data[page * PAGE : (page + 1) * PAGE] = bytes(PAGE)
    judged = judge_end(scan(bytes(data)), may_end_early=False)
    assert judged is not None and judged.kind is DamageKind.ZEROED
    assert MIB + page * PAGE - 48 <= judged.lsn <= MIB + page * PAGE + 24


def test_records_are_not_read_past_a_page_of_another_kind() -> None:
    data = bytearray(sound().segments()[0])
    at = 50 * PAGE
    for change, kind in (
        (struct.pack("<HH", 0xD110, 0), DamageKind.BAD_HEADER),
        (struct.pack("<HHIQ", 0xD113, 0, 1, 5 * MIB), DamageKind.WRONG_ADDRESS),
        (struct.pack("<HHIQ", 0xD113, 0, 2, MIB + at), DamageKind.WRONG_TIMELINE),
        (struct.pack("<HH", 0xD113, 0x10), DamageKind.BAD_HEADER),
    ):
        changed = bytearray(data)
        changed[at : at + len(change)] = change
        result = scan(bytes(changed))
        assert kind_and_lsn(result) == (kind, MIB + at)
        assert 0 < result.facts.records < scan(bytes(data)).facts.records
        headers = scan_segment(bytes(changed), name_timeline=1, segment_number=1, depth="headers")
        assert headers.damage == result.damage


def test_a_name_that_is_not_the_segments_own_is_found() -> None:
    data = sound().segments()[0]
    assert kind_and_lsn(scan(data, segment_number=9)) == (DamageKind.WRONG_ADDRESS, 9 * MIB)
    assert kind_and_lsn(scan(data, system_identifier=5)) == (DamageKind.FOREIGN_SYSTEM, MIB)
    assert kind_and_lsn(scan(data, segment_size=2 * MIB)) == (DamageKind.BAD_HEADER, 2 * MIB)
    later = WalWriter(timeline=3)
    later.commit(1, 1)
    assert kind_and_lsn(scan(later.segments()[0])) == (DamageKind.WRONG_TIMELINE, MIB)
    assert scan(later.segments()[0], name_timeline=4).damage is None


def test_a_first_page_with_unknown_flags_is_refused_at_both_depths() -> None:
    data = bytearray(sound(10).segments()[0])
    data[3] |= 0x10
    for depth in ("headers", "records"):
        result = scan_segment(
            bytes(data), name_timeline=1, segment_number=1,
            depth=depth,  # type: ignore[arg-type]
        )  # fmt: skip
        assert kind_and_lsn(result) == (DamageKind.BAD_HEADER, MIB)


def test_a_big_endian_segment_is_an_unknown_magic() -> None:
    data = struct.pack(">HHIQI4xQII", 0xD113, 2, 1, MIB, 0, SYSTEM, MIB, PAGE) + bytes(MIB - 40)
    result = scan(data)
    assert kind_and_lsn(result) == (DamageKind.BAD_HEADER, MIB)
    assert result.damage is not None and "magic 13D1" in result.damage.detail


def test_depths_agree_on_a_sound_segment() -> None:
    wal = sound(100)
    wal.switch()
    data = wal.segments()[0]
    headers = scan_segment(data, name_timeline=1, segment_number=1, depth="headers")
    records = scan(data)
    assert (headers.end, headers.damage, headers.header) == (records.end, None, records.header)
    assert replace(records, facts=headers.facts, head=None, tail=None, depth="headers") == headers


def test_the_kinds_of_damage_are_the_contracts() -> None:
    """`damaged[].kind` of pitr-check's JSON."""
    assert {kind.value for kind in DamageKind} == {
        "truncated", "oversized", "zeroed", "bad_crc", "bad_prev_link", "bad_header",
        "foreign_system", "wrong_timeline", "wrong_address", "unreadable", "encrypted",
        "conflicting_copies",
    }  # fmt: skip
