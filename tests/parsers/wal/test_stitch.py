"""Records over segment boundaries, at every split that the format allows."""

from __future__ import annotations

import pickle
import random
from dataclasses import replace

import pytest

from parsers.wal.damage import DamageKind
from parsers.wal.engine import WINDOW_BYTES
from parsers.wal.facts import Transaction, TransactionKind
from parsers.wal.fragment import HeadFragment
from parsers.wal.locate import find_record
from parsers.wal.scan import Depth, EndKind, SegmentScan, judge_end, scan_segment
from parsers.wal.stitch import Stitched, stitch, stitch_run
from tests.wal_writer import MIB, PAGE, WalWriter


def scans_of(segments: list[bytes], first: int = 1) -> list[SegmentScan]:
    return [
        scan_segment(data, name_timeline=1, segment_number=number)
        for number, data in enumerate(segments, start=first)
    ]


def run(wal: WalWriter) -> list[Stitched]:
    return list(stitch_run(scans_of(wal.segments())))


def transactions(stitched: list[Stitched]) -> list[Transaction]:
    return [
        fact
        for one in stitched
        for facts in (one.boundary.facts if one.boundary else None, one.scan.facts)
        if facts
        for fact in facts.transactions
    ]


@pytest.mark.parametrize("gap", range(8, 80, 8))
def test_a_commit_split_at_any_place_is_whole(gap: int) -> None:
    """With 8 or 16 bytes left, the record's header itself is split."""
    wal = WalWriter()
    wal.fill_to(gap)
    assert wal.left == gap
    lsn = wal.commit(700, 12345, (701, 702, 703))
    end = wal.lsn
    wal.message(100)
    wal.switch()
    stitched = run(wal)
    assert [one.damage for one in stitched] == [None, None]
    assert transactions(stitched) == [
        Transaction(lsn, end, 12345, 700, TransactionKind.COMMIT, (701, 702, 703))
    ]


def test_a_record_that_ends_exactly_with_the_segment_leaves_nothing_open() -> None:
    wal = WalWriter()
    wal.fill_to(40)
    wal.message(40)
    assert wal.left == MIB
    wal.commit(700, 1)
    wal.switch()
    stitched = run(wal)
    assert [one.damage for one in stitched] == [None, None]
    assert stitched[0].scan.tail is not None and stitched[0].scan.tail.fragment is None
    assert len(transactions(stitched)) == 1


def test_a_commit_over_three_boundaries_keeps_its_subtransactions() -> None:
    wal = WalWriter()
    wal.fill_to(16)
    subxids = tuple(range(1000, 1000 + 700_000))
    lsn = wal.commit(700, 5, subxids)
    wal.switch()
    stitched = run(wal)
    assert [one.damage for one in stitched] == [None] * 4
    (fact,) = transactions(stitched)
    assert (fact.lsn, fact.xid, fact.subxids) == (lsn, 700, subxids)


def test_scans_come_back_from_another_process_as_they_were() -> None:
    wal = WalWriter()
    for xid in range(700, 800):
        wal.commit(xid, xid * 10, (xid + 1000,) if xid % 7 == 0 else ())
    wal.switch()
    (scan,) = scans_of(wal.segments())
    assert pickle.loads(pickle.dumps(scan)) == scan
    assert len(pickle.dumps(scan)) < 20_000


def crossing() -> WalWriter:
    wal = WalWriter()
    wal.fill_to(48)
    wal.commit(700, 12345, tuple(range(50)))
    wal.commit(800, 1)
    wal.switch()
    return wal


def test_a_boundary_is_checked_whichever_side_is_damaged() -> None:
    chance = random.Random(1)
    sound = crossing()
    lsn = scans_of(sound.segments())[0].tail.fragment.lsn  # type: ignore[union-attr]
    for offset in (MIB - 30, MIB - 1, MIB + 40, MIB + 100):
        wal = crossing()
        wal.out[offset] ^= chance.randrange(1, 256)
        damage = run(wal)[-1].damage
        assert damage is not None and (damage.kind, damage.lsn) == (DamageKind.BAD_CRC, lsn)


def test_a_neighbour_of_another_cluster_or_another_history_is_found() -> None:
    first, second = scans_of(crossing().segments())
    other = WalWriter()
    other.fill_to(48)
    other.commit(700, 1, tuple(range(50, 100)))
    other.commit(901, 1)
    other.switch()
    third = scans_of(other.segments())[1]
    assert first.tail and second.head and third.head
    assert stitch(first.tail, second.head).damage is None
    damage = stitch(first.tail, third.head).damage
    assert damage is not None and damage.kind is DamageKind.BAD_CRC


def test_a_first_record_that_points_elsewhere_is_a_bad_link() -> None:
    wal = WalWriter()
    wal.fill_to(40)
    wal.message(40)
    wal.prev -= 8
    lsn = wal.commit(700, 1)
    wal.switch()
    damage = run(wal)[-1].damage
    assert damage is not None and (damage.kind, damage.lsn) == (DamageKind.BAD_PREV_LINK, lsn)


def test_segments_that_do_not_follow_each_other_are_a_mistake_of_the_caller() -> None:
    first, second = scans_of(crossing().segments())
    assert first.head and second.tail
    with pytest.raises(ValueError, match="does not follow"):
        stitch(second.tail, first.head)


def test_a_large_fragment_is_joined_from_its_checksum_alone() -> None:
    """What is too large to keep is still checked: two checksums are joined into one."""
    wal = WalWriter()
    wal.fill_to(16)
    wal.message(5000)
    wal.switch()
    first, second = scans_of(wal.segments())
    assert first.tail and second.head and isinstance(second.head.fragment, HeadFragment)
    dropped = replace(second.head.fragment, kept=None)
    joined = stitch(first.tail, replace(second.head, fragment=dropped))
    assert joined.damage is None and joined.completed is not None
    changed = replace(dropped, rest_crc=dropped.rest_crc ^ 1)
    broken = stitch(first.tail, replace(second.head, fragment=changed)).damage
    assert broken is not None and broken.kind is DamageKind.BAD_CRC


# -- a switch at every place -----------------------------------------------------------------------


@pytest.mark.parametrize("gap", range(8, 56, 8))
def test_a_switch_ends_the_segment_that_its_last_byte_lies_in(gap: int) -> None:
    """With 8 or 16 bytes left, it ends in the next segment, whose rest is empty then."""
    wal = WalWriter()
    wal.commit(699, 1)
    wal.fill_to(gap)
    switch = wal.switch()
    after = wal.commit(700, 12345)
    wal.message(100)
    stitched = run(wal)
    straddles = gap < 24
    assert [one.damage for one in stitched] == [None] * len(stitched)
    kinds = [EndKind.FULL, EndKind.SWITCH, EndKind.ZEROS] if straddles else [
        EndKind.SWITCH, EndKind.ZEROS
    ]  # fmt: skip
    assert [one.scan.end.kind for one in stitched] == kinds
    assert [judge_end(one.scan, may_end_early=False) for one in stitched[:-1]] == [None] * (
        len(kinds) - 1
    )
    assert [fact.lsn for fact in transactions(stitched)][-1] == after
    last = stitched[-1].boundary
    assert last is not None and last.last_lsn == switch
    assert (after // MIB - 1) == len(kinds) - 1


@pytest.mark.parametrize("gap", [8, 16])
def test_nothing_after_a_switch_counts_in_the_segment_where_it_ends(gap: int) -> None:
    wal = WalWriter()
    wal.fill_to(gap)
    wal.switch()
    wal.commit(700, 12345)
    first, second, third = wal.segments()
    other = WalWriter()
    for xid in range(900, 950):
        other.commit(xid, 1)
    stale = second[:4096] + other.segments()[0][4096:8192] + second[8192:]
    stitched = list(stitch_run(scans_of([first, stale, third])))
    assert [one.damage for one in stitched] == [None, None, None]
    assert [fact.xid for fact in transactions(stitched)] == [700]


@pytest.mark.parametrize("gap", [8, 16])
def test_a_switch_over_a_boundary_is_held_to_its_checksum(gap: int) -> None:
    wal = WalWriter()
    wal.fill_to(gap)
    lsn = wal.switch()
    wal.commit(700, 1)
    wal.out[MIB - gap + 4] ^= 1
    damage = run(wal)[-1].damage
    assert damage is not None and (damage.kind, damage.lsn) == (DamageKind.BAD_CRC, lsn)


@pytest.mark.parametrize("depth", ["headers", "records"])
@pytest.mark.parametrize("gap", range(8, 56, 8))
def test_a_switch_over_a_page_or_a_window_is_one(
    gap: int, depth: Depth, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scan reads a segment in windows of whole pages."""
    wal = WalWriter()
    wal.message(PAGE * 3 - 40 - 24 * 2 - gap)
    assert -wal.lsn % PAGE == gap
    lsn = wal.switch()
    (data,) = wal.segments()
    for window in (WINDOW_BYTES, PAGE):
        monkeypatch.setattr("parsers.wal.engine.WINDOW_BYTES", window)
        scan = scan_segment(data, name_timeline=1, segment_number=1, depth=depth)
        assert (scan.end.kind, scan.damage) == (EndKind.SWITCH, None)
        straddles = gap < 24
        assert scan.end.lsn == lsn + 24 + (24 if straddles else 0)
        place = find_record(data, lsn, segment_number=1)
        assert place is not None and (place.lsn, place.end_lsn) == (lsn, 2 * MIB)
