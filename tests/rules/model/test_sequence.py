"""Gaps, for every segment size and along real trees."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.files.backup_label import BackupLabel
from parsers.files.timeline_history import parse_timeline_history
from parsers.segment import parse_segment_name, segment_name
from rules.archive.listing import find_absent, judge_sequence, timeline_tree
from rules.backup.completeness import BackupState, backup_state
from rules.model.facts import (
    ArchivedFile,
    ArchiveFacts,
    ArchiverFacts,
    ArchiveStatusFacts,
    BackupFacts,
)
from rules.model.segment_names import SegmentNames
from rules.model.sequence import AcknowledgedGap, Runs, find_gaps, number_segments
from rules.model.timelines import build_tree

MIB = 1 << 20
SIZES = [1 << bits for bits in range(20, 31)]
NOW = datetime(2025, 7, 10, tzinfo=UTC)


def numbers(timeline: int, present: Iterable[int]) -> Runs:
    return {timeline: runs(*present)} if present else {}


def runs(*present: int) -> list[range]:
    return SegmentNames.of(segment_name(1, number, MIB) for number in present).runs(MIB)[1]


def archive(*names: str, histories: dict[int, bytes] | None = None) -> ArchiveFacts:
    file = ArchivedFile("/archive", "x", 16 * MIB, 0, 0)
    return ArchiveFacts(
        url="/archive", layout="directory", listed_at=NOW, segment_size_bytes=16 * MIB,
        segments=dict.fromkeys(names, file), partials={}, compressed=frozenset(),
        histories={
            tli: parse_timeline_history(data, tli) for tli, data in (histories or {}).items()
        },
        broken_histories={}, backup_labels={}, copies={}, other_count=0,
    )  # fmt: skip


def backup(
    start_lsn: int, stop_lsn: int, timeline: int = 1, wal: Iterable[str] = ()
) -> BackupFacts:
    size = 16 * MIB
    return BackupFacts(
        url="/backup", stop_lsn=stop_lsn, stop_timeline=timeline, started_at=None,
        finished_at=None, system_identifier=None, major=16, segment_size_bytes=size,
        wal=frozenset(wal), control=None, needs=(), bad_files=(), manifest_error=None,
        files_checked=None, depth="label",
        label=BackupLabel(
            start_lsn=start_lsn, start_segment=segment_name(timeline, start_lsn // size, size),
            checkpoint_lsn=start_lsn + 56, timeline=timeline, method="streamed", source="primary",
            started_at_text=None, label=None,
        ),
    )  # fmt: skip


def seg(number: int, timeline: int = 1) -> str:
    return segment_name(timeline, number, 16 * MIB)


@pytest.mark.parametrize("size", SIZES)
@settings(deadline=None)  # a loaded machine is no failure
@given(present=st.sets(st.integers(1, 3 * 4096), min_size=1, max_size=40))
def test_gaps_and_presence_partition_the_range(size: int, present: set[int]) -> None:
    gaps = find_gaps(numbers(1, present), build_tree({}, {1}), size)
    absent = {number for gap in gaps for number in range(gap.first, gap.last + 1)}
    assert absent == set(range(min(present), max(present) + 1)) - present
    assert all(later.first > earlier.last + 1 for earlier, later in itertools.pairwise(gaps))


@pytest.mark.parametrize("size", SIZES)
def test_names_turn_to_numbers_and_back_over_a_log_boundary(size: int) -> None:
    per_log = 0x1_0000_0000 // size
    names = [segment_name(7, number, size) for number in range(per_log - 2, per_log + 3)]
    assert number_segments(names, size) == {7: frozenset(range(per_log - 2, per_log + 3))}
    assert not find_gaps(SegmentNames.of(names).runs(size), build_tree({}, {7}), size)


def test_the_parents_segment_at_a_switch_is_not_expected() -> None:
    histories = {2: parse_timeline_history(b"1\t0/5000100\tx\n", 2)}
    tree = build_tree(histories, {1, 2})
    present = {1: runs(3, 4), 2: runs(5, 6)}
    assert not find_gaps(present, tree, 16 * MIB)


def test_the_childs_first_segment_is_expected_and_so_is_all_before_the_switch() -> None:
    histories = {2: parse_timeline_history(b"1\t0/6000100\tx\n", 2)}
    tree = build_tree(histories, {1, 2})
    present = {1: runs(3, 4), 2: runs(7)}
    gaps = find_gaps(present, tree, 16 * MIB)
    assert [(gap.first_name, gap.last_name) for gap in gaps] == [
        (seg(5), seg(5)),
        (seg(6, 2), seg(6, 2)),
    ]


def test_what_retention_removed_before_the_oldest_is_no_gap() -> None:
    histories = {2: parse_timeline_history(b"1\t0/5000100\tx\n", 2)}
    present = {2: runs(9, 10)}
    assert not find_gaps(present, build_tree(histories, {2}), 16 * MIB)


def test_a_backup_widens_the_range_to_its_start_and_stop() -> None:
    gaps = find_gaps(numbers(1, {5}), build_tree({}, {1}), 16 * MIB, [backup(0x3000028, 0x7000100)])
    assert [(gap.first, gap.last) for gap in gaps] == [(3, 4), (6, 7)]


def judged(present: ArchiveFacts, backups: list[BackupFacts] | None, **options: object):  # type: ignore[no-untyped-def]
    tree = timeline_tree(present, backups or ())
    return judge_sequence(present, tree, 16 * MIB, backups=backups, **options).gaps  # type: ignore[arg-type]


def test_a_gap_that_the_backup_carries_itself_is_harmless() -> None:
    carried = backup(0x3000028, 0x3000138, wal=[seg(3)])
    gaps = judged(archive(seg(2), seg(4), seg(5)), [carried])
    assert [(gap.first, gap.harmless) for gap in gaps] == [(3, True)]


def test_a_gap_before_every_backup_is_harmless_and_one_after_is_not() -> None:
    gaps = judged(archive(seg(1), seg(3), seg(4), seg(6)), [backup(0x3000028, 0x3000138)])
    assert [(gap.first, gap.harmless) for gap in gaps] == [(2, True), (5, False)]


def test_without_knowing_the_backups_no_gap_is_called_harmless() -> None:
    gaps = judged(archive(seg(1), seg(3)), None)
    assert [gap.harmless for gap in gaps] == [False]


def test_what_the_server_still_holds_is_delayed_and_the_rest_lost() -> None:
    gaps = judged(archive(seg(1), seg(6)), None, waiting=[seg(3), seg(4), seg(9)])
    assert [(gap.first, gap.last, gap.cause) for gap in gaps] == [
        (2, 2, "lost"), (3, 4, "delayed"), (5, 5, "lost"),
    ]  # fmt: skip


def test_an_acknowledged_gap_is_told_apart_only_when_it_covers_the_run() -> None:
    known = AcknowledgedGap(timeline=1, first=seg(2), last=seg(4), why="disk lost")
    assert [g.cause for g in judged(archive(seg(1), seg(5)), None, acknowledged=[known])] == [
        "acknowledged"
    ]
    assert [g.cause for g in judged(archive(seg(1), seg(6)), None, acknowledged=[known])] == [
        "lost"
    ]


SECOND = timedelta(seconds=1)


def causes(gaps) -> list[tuple[int, int, str]]:  # type: ignore[no-untyped-def]
    return [(gap.first, gap.last, gap.cause) for gap in gaps]


def test_what_a_backup_younger_than_the_listing_needs_is_delayed() -> None:
    listing = archive(seg(3), seg(4))
    old = backup(0x3000028, 0x3000138)
    new = backup(0x5000028, 0x6000138, wal=[seg(5), seg(6)])
    late, known = (replace(new, known_at=NOW + step) for step in (SECOND, -SECOND))
    assert causes(judged(listing, [old, late])) == [(5, 6, "delayed")]
    assert causes(judged(listing, [old, known])) == [(5, 6, "lost")]
    assert causes(judged(listing, [old, new])) == [(5, 6, "lost")]
    # Whoever knows only what waited earlier does not know more.
    assert causes(judged(listing, [old, known], due_at=NOW - 2 * SECOND)) == [(5, 6, "delayed")]
    assert causes(judged(listing, [old, late], due_at=NOW + 2 * SECOND)) == [(5, 6, "delayed")]


def test_a_gap_that_older_files_prove_is_lost_whatever_came_since() -> None:
    old = backup(0x3000028, 0x3000138)
    late = replace(backup(0x7000028, 0x8000138), known_at=NOW + SECOND)
    gaps = judged(archive(seg(3), seg(5), seg(6)), [old, late], waiting=[seg(8)])
    assert causes(gaps) == [(4, 4, "lost"), (7, 8, "delayed")]


def test_a_segment_that_came_during_the_listing_proves_nothing_of_the_one_before_it() -> None:
    listing = archive(seg(3), seg(5), seg(8))
    nanoseconds = int(NOW.timestamp()) * 10**9
    for after, cause in ((5 * 10**6, "delayed"), (-(10**9), "lost")):
        file = listing.segments[seg(8)]._replace(ctime_ns=nanoseconds + after)
        late = replace(listing, segments={**listing.segments, seg(8): file})
        gaps = judged(late, [backup(0x3000028, 0x3000138)])
        assert causes(gaps) == [(4, 4, "lost"), (6, 7, cause)]


def test_a_backup_being_made_has_no_segment_yet() -> None:
    made = backup(0x3000028, 0x3000138)
    making = replace(backup(0x6000028, 0), stop_lsn=None, stop_timeline=None)
    assert causes(judged(archive(seg(3), seg(5)), [made, making])) == [(4, 4, "lost")]
    assert causes(judged(archive(seg(3), seg(4), seg(7)), [made, making])) == [(5, 6, "lost")]
    assert causes(judged(archive(seg(7)), [making])) == [(6, 6, "lost")]


def test_the_segment_in_which_a_standbys_backup_ends_may_be_written_for_hours() -> None:
    primary = backup(0x4000028, 0x6000138)
    standby = replace(primary, label=replace(primary.label, source="standby"))
    listing = archive(seg(3), seg(4))
    assert causes(judged(listing, [primary])) == [(5, 6, "lost")]
    assert causes(judged(listing, [standby])) == [(5, 5, "lost"), (6, 6, "delayed")]
    whole = replace(standby, stop_lsn=0x7000000)
    assert causes(judged(listing, [whole])) == [(5, 6, "lost")]


def test_what_a_younger_backup_lacks_is_not_known() -> None:
    new = backup(0x5000028, 0x6000138)
    states = [
        backup_state(replace(new, known_at=known_at), archive(seg(3), seg(5)), None)
        for known_at in (NOW + SECOND, NOW - SECOND, None)
    ]
    unknown, wrong = BackupState.UNKNOWN, BackupState.NOT_RESTORABLE
    assert states == [unknown, wrong, wrong]
    whole = archive(seg(5), seg(6))
    assert backup_state(replace(new, known_at=NOW + SECOND), whole, None) is BackupState.RESTORABLE


def one_backup(begin: int, length: int, known: int) -> BackupFacts:
    made = backup(begin * 16 * MIB + 40, (begin + length) * 16 * MIB + 0x138)
    return replace(made, known_at=NOW + known * SECOND)


@settings(deadline=None)
@given(
    early=st.sets(st.integers(3, 30), min_size=1),
    late=st.sets(st.integers(3, 40)),
    held=st.sets(st.integers(3, 40)),
    backups=st.lists(
        st.builds(one_backup, st.integers(3, 40), st.integers(0, 3), st.sampled_from([-5, 5])),
        max_size=4,
    ),
)
def test_only_what_was_due_when_the_listing_began_is_lost(
    early: set[int], late: set[int], held: set[int], backups: list[BackupFacts]
) -> None:
    listing = archive(*map(seg, early | late))
    ctime = int(NOW.timestamp() + 1) * 10**9
    files = {
        seg(number): listing.segments[seg(number)]._replace(ctime_ns=ctime)
        for number in late - early
    }
    listing = replace(listing, segments={**listing.segments, **files})
    gaps = judged(listing, backups, waiting=map(seg, held))
    spread = [(number, g.cause) for g in gaps for number in range(g.first, g.last + 1)]
    everything = find_gaps(numbers(1, early | late), build_tree({}, {1}), 16 * MIB, backups)
    assert [number for number, _ in spread] == [
        number for gap in everything for number in range(gap.first, gap.last + 1)
    ]
    known = [each for each in backups if each.known_at is not None and each.known_at < NOW]
    due = find_gaps(numbers(1, early), build_tree({}, {1}), 16 * MIB, known)
    missing = {number for gap in due for number in range(gap.first, gap.last + 1)}
    assert {n for n, cause in spread if cause == "lost"} == missing - early - late - held
    assert all(a.cause != b.cause for a, b in itertools.pairwise(gaps) if a.last + 1 == b.first)


def archiver(last: str | None) -> ArchiverFacts:
    return ArchiverFacts(
        archived_count=1, last_archived_wal=last, last_archived_at=NOW, failed_count=0,
        last_failed_wal=None, last_failed_at=None, stats_reset_at=None,
    )  # fmt: skip


def done(*names: str) -> ArchiveStatusFacts:
    return ArchiveStatusFacts(
        ready=frozenset(),
        done=frozenset(names),
        listed_at=NOW,
        oldest_ready_at=None,
        oldest_ready=None,
    )


def test_both_witnesses_of_a_silent_loss_are_heard() -> None:
    listing = archive(seg(1), seg(2))
    assert find_absent(listing, archiver(seg(2)), done(seg(1), seg(2))).segments == ()
    assert find_absent(listing, archiver(seg(3)), done()).segments == (seg(3),)
    assert find_absent(listing, archiver(seg(4)), done(seg(3), seg(4))).segments == (seg(3), seg(4))


def test_what_retention_removed_and_what_was_restored_is_not_a_silent_loss() -> None:
    listing = archive(seg(5), seg(6), seg(6, 2))
    removed_by_retention = done(seg(3), seg(4))
    assert find_absent(listing, archiver(None), removed_by_retention).segments == ()
    restored_elsewhere = archive(seg(6, 2))
    assert find_absent(restored_elsewhere, archiver(None), done(seg(5), seg(6))).segments == ()


def test_a_history_or_backup_file_as_the_last_archived_proves_nothing() -> None:
    listing = archive(seg(1))
    for name in ("00000002.history", f"{seg(1)}.00000028.backup"):
        assert find_absent(listing, archiver(name), done()).segments == ()


def test_every_legal_name_parses_to_its_own_number() -> None:
    assert parse_segment_name("00000001000000FF000000FF", 16 * MIB) == (1, 0xFFFF)
