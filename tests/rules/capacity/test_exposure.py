"""Exposure from a trail of polls: what would be lost, and since when it is there to lose."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.capacity.exposure import ExposureFacts, Trail, condense, exposure, follow
from rules.model.facts import ArchiverFacts, ControlFacts, PositionFacts

START = datetime(2026, 1, 1, tzinfo=UTC)
MIB = 1 << 20


def poll(
    trail: Trail,
    seconds: float,
    lsn: int,
    snapshot: str,
    archived: str | None,
    *,
    timeline: int = 1,
    in_recovery: bool = False,
) -> Trail:
    """One poll of a server with segments of 1 MiB."""
    positions = PositionFacts(
        server_version_num=160000,
        server_at=START + timedelta(seconds=seconds),
        in_recovery=in_recovery,
        timeline=None if in_recovery else timeline,
        insert_lsn=None if in_recovery else lsn,
        snapshot=None if in_recovery else snapshot,
        replay_lsn=None,
        last_replay_at=None,
        replay_paused=None,
    )
    archiver = ArchiverFacts(
        archived_count=1,
        last_archived_wal=archived,
        last_archived_at=None,
        failed_count=0,
        last_failed_wal=None,
        last_failed_at=None,
        stats_reset_at=None,
    )
    control = ControlFacts(
        system_identifier=1, segment_size_bytes=MIB, timeline=timeline, data_checksums=True
    )
    facts = {PositionFacts: positions, ArchiverFacts: archiver, ControlFacts: control}
    return follow(trail, facts)


def segment(number: int, timeline: int = 1) -> str:
    return f"{timeline:08X}00000000{number:08X}"


def answer(*polls: tuple[float, int, str, str | None]) -> ExposureFacts:
    trail: Trail = ()
    for seconds, lsn, snapshot, archived in polls:
        trail = poll(trail, seconds, lsn, snapshot, archived)
    found = exposure(trail)
    assert found is not None
    return found


def test_seconds_count_from_the_last_poll_at_which_everything_was_archived() -> None:
    found = answer(
        (0, 2 * MIB, "10:10:", segment(1)),
        (15, 2 * MIB + 500, "11:11:", segment(1)),
        (30, 2 * MIB + 900, "12:12:", segment(1)),
    )
    assert (found.bytes, found.seconds, found.at_least) == (900, 30.0, False)


def test_an_idle_server_has_nothing_to_lose() -> None:
    found = answer(
        (0, 2 * MIB, "10:10:", segment(1)),
        (15, 2 * MIB + 500, "10:10:", segment(1)),  # a checkpoint
        (3600, 2 * MIB + 900, "10:10:", segment(1)),
    )
    assert (found.bytes, found.seconds) == (900, 0.0)


def test_a_commit_and_a_switch_between_two_polls_leave_nothing_to_lose() -> None:
    found = answer(
        (0, 2 * MIB, "10:10:", segment(1)),
        (15, 3 * MIB + 40, "11:11:", segment(2)),  # where the first record would begin
        (3600, 3 * MIB + 96, "11:11:", segment(2)),
    )
    assert (found.bytes, found.seconds) == (96, 0.0)
    found = answer((0, 2 * MIB, "10:10:", segment(1)), (15, 3 * MIB + 80, "11:11:", segment(2)))
    assert found.seconds is None, "a commit may lie there, or not"


def test_an_older_transaction_that_ends_counts_although_xmax_stands_still() -> None:
    found = answer(
        (0, 2 * MIB, "10:12:10", segment(1)),
        (15, 2 * MIB + 500, "12:12:", segment(1)),
        (30, 2 * MIB + 500, "12:12:", segment(1)),
    )
    assert found.seconds == 30.0


def test_it_shrinks_to_what_was_written_after_the_archived_segment() -> None:
    found = answer(
        (0, 2 * MIB, "10:10:", segment(1)),
        (15, 2 * MIB + 500, "11:11:", segment(1)),
        (30, 3 * MIB + 500, "12:12:", segment(1)),
        (45, 3 * MIB + 600, "13:13:", segment(2)),
    )
    # What ended by the third poll may be archived: only what ended after it surely is not.
    assert (found.bytes, found.seconds, found.at_least) == (600, 0.0, True)


def test_a_commit_and_the_switch_after_it_between_two_polls_of_an_idle_server() -> None:
    before = (0, 2 * MIB + 500, "10:10:", segment(1))
    after = (15, 3 * MIB + 96, "11:11:", segment(2))  # the header of the page, and a snapshot
    found = answer(before, after, (600, 3 * MIB + 96, "11:11:", segment(2)))
    assert (found.seconds, found.at_least) == (None, True)
    found = answer(
        before,
        after,
        (600, 3 * MIB + 300, "12:12:", segment(2)),
        (615, 3 * MIB + 300, "12:12:", segment(2)),
    )
    assert (found.seconds, found.at_least) == (15.0, True)


def test_a_trail_that_begins_after_the_archive_gives_a_lower_bound() -> None:
    after = (0, 5 * MIB, "10:10:", segment(1))
    assert answer(after).seconds is None
    found = answer(
        after, (15, 5 * MIB + 1, "11:11:", segment(1)), (75, 5 * MIB + 1, "11:11:", None)
    )
    assert (found.seconds, found.at_least) == (60.0, True)


def test_a_backup_file_tells_of_its_segment_and_a_history_of_none() -> None:
    name = segment(3) + ".00000028.backup"
    assert answer((0, 4 * MIB + 7, "1:1:", name)).bytes == 7
    found = answer((0, 4 * MIB + 7, "1:1:", name), (1, 4 * MIB + 7, "1:1:", "00000002.history"))
    assert found.bytes == 7
    assert exposure(poll((), 0, 4 * MIB, "1:1:", "00000002.history")) is None


def test_recovery_and_another_timeline_begin_anew() -> None:
    trail = poll((), 0, 2 * MIB, "10:10:", segment(1))
    assert poll(trail, 1, 0, "", segment(1), in_recovery=True) == ()
    assert len(poll(trail, 1, 3 * MIB, "10:10:", segment(1), timeline=2)) == 1
    assert exposure(poll(trail, 1, 3 * MIB, "10:10:", segment(1), timeline=2)) is None
    assert len(poll(trail, -3600, 3 * MIB, "10:10:", segment(1))) == 1, "the clock was set back"


def test_rates_are_taken_over_the_trail() -> None:
    found = answer(
        (0, 2 * MIB, "10:10:", segment(1)),
        (10, 4 * MIB, "11:11:", segment(2)),
        (20, 6 * MIB, "12:12:", segment(3)),
    )
    assert found.written_per_second == 4 * MIB / 20
    assert found.archived_per_second == 2 * MIB / 20


@pytest.mark.slow
def test_the_trail_stays_bounded_through_an_outage_of_days() -> None:
    trail: Trail = ()
    for number in range(10_000):
        trail = poll(trail, 15 * number, 2 * MIB + 48 * number, f"{number}:{number}:", segment(1))
    assert len(trail) <= 2000
    found = exposure(trail)
    assert found is not None and found.seconds == 15 * 9_999


def test_a_server_that_is_behind_where_it_was_is_another() -> None:
    trail = poll((), 0, 2 * MIB, "10:10:", segment(1))
    assert len(poll(trail, 15, MIB, "10:10:", segment(1))) == 1


def test_what_ended_while_nobody_looked_may_have_ended_just_before() -> None:
    found = answer(
        (0, 2 * MIB, "10:10:", segment(1)),
        (3 * 3600, 2 * MIB + 500, "11:11:", segment(1)),  # nobody polled for three hours
        (3 * 3600 + 15, 2 * MIB + 500, "11:11:", segment(1)),
    )
    assert (found.seconds, found.at_least) == (15.0, True)


# Seconds since the poll before, MiB written, a transaction that ended, a segment archived.
STEPS = st.lists(
    st.tuples(st.sampled_from([15, 15, 15, 300]), st.integers(0, 3), st.booleans(), st.booleans()),
    min_size=1,
    max_size=60,
)


@given(STEPS, STEPS)
def test_a_trail_that_was_kept_over_a_restart_answers_as_the_whole(
    before: list[tuple[int, int, bool, bool]], after: list[tuple[int, int, bool, bool]]
) -> None:
    at, lsn, ended, archived = 0, 2 * MIB, 10, 1
    whole: Trail = ()
    kept: Trail = ()
    for number, (seconds, written, ends, archives) in enumerate((*before, *after)):
        at, lsn, ended = at + seconds, lsn + written * 700_000, ended + ends
        archived = lsn // MIB - 1 if archives else archived
        whole = poll(whole, at, lsn, f"{ended}:{ended}:", segment(archived))
        kept = poll(kept, at, lsn, f"{ended}:{ended}:", segment(archived))
        if number == len(before) - 1:
            kept = condense(kept)
            assert len(kept) <= 40
        one, other = exposure(whole), exposure(kept)
        assert one is not None and other is not None
        if len(before) <= 40:
            assert (one.bytes, one.seconds, one.at_least) == (
                other.bytes, other.seconds, other.at_least,
            )  # fmt: skip


def test_a_long_trail_is_kept_short_and_answers_the_same_now() -> None:
    trail: Trail = ()
    for number in range(1500):
        trail = poll(trail, 15 * number, 2 * MIB + 500 * number, f"{number}:{number}:", segment(1))
    kept = condense(trail)
    assert len(kept) <= 40
    whole, short = exposure(trail), exposure(kept)
    assert whole is not None and short is not None
    assert (whole.bytes, whole.seconds) == (short.bytes, short.seconds)
