"""The archiving history, held against all that it was told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.capacity.archiving_history import (
    ARCHIVED_PER_MINUTE,
    EXPOSURE_SECONDS,
    READY_FILES,
    SPAN_SECONDS,
    STEPS_MAX,
    WAL_BYTES,
    ArchivingHistory,
    Series,
)

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def one(history: ArchivingHistory, quantity: str, seconds: float) -> Series:
    return next(s for s in history.series(after(seconds)) if s.quantity == quantity)


def test_nothing_was_read() -> None:
    assert ArchivingHistory(15).series(START) == ()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.floats(0.5, 4000), st.floats(0, 1e12, allow_nan=False)),
        min_size=1, max_size=300,
    ),
    st.sampled_from([1.0, 15.0, 60.0, 1800.0]),
)  # fmt: skip
def test_each_step_holds_the_worst_of_its_readings(
    told: list[tuple[float, float]], poll: float
) -> None:
    """Whatever the pace: a step says what was read in it, or nothing."""
    history, seconds, readings = ArchivingHistory(poll), 0.0, []
    for pause, value in told:
        seconds += pause
        history.see(WAL_BYTES, after(seconds), value)
        readings.append((after(seconds).timestamp(), value))
    series = one(history, WAL_BYTES, seconds)
    assert len(series.values) <= STEPS_MAX
    step, ends = series.step_seconds, series.ends_at.timestamp()
    begins = ends - step * len(series.values)
    for index, value in enumerate(series.values):
        low = begins + index * step
        inside = [v for at, v in readings if low <= at < low + step]
        assert value == max(inside, default=None)
    # Older readings go only when there is no room: a day, or what the poll asks for.
    kept = max(SPAN_SECONDS, STEPS_MAX * 2 * poll) - 2 * step
    assert begins <= max(readings[-1][0] - kept, readings[0][0])


def test_a_day_of_polls_takes_the_room_of_an_hour() -> None:
    history = ArchivingHistory(60)
    steps = set()
    for minute in range(2 * 24 * 60):
        history.see(READY_FILES, after(60 * minute), minute % 7)
        if minute in (100, 1000, 2000):
            steps.add(one(history, READY_FILES, 60 * minute).step_seconds)
    series = one(history, READY_FILES, 2 * SPAN_SECONDS)
    assert steps == {160, 320}
    assert len(series.values) == STEPS_MAX - 1 and None not in series.values[:-1]
    assert series.span_seconds >= SPAN_SECONDS - series.step_seconds
    assert set(series.seen) <= {1.0, 2.0, 3.0, 4.0, 5.0, 6.0}


def test_a_pause_is_a_hole_in_the_middle_and_at_the_end() -> None:
    history = ArchivingHistory(15)
    for seconds in (*range(0, 300, 15), *range(900, 1200, 15)):
        history.see(EXPOSURE_SECONDS, after(seconds), seconds)
    series = one(history, EXPOSURE_SECONDS, 1260)
    assert series.step_seconds == 40
    # Read to 285, then from 900 to 1185; 1280 is the end of the step that goes on.
    known = 8 * [True] + 14 * [False] + 8 * [True] + [False]
    assert [value is not None for value in series.values] == known
    assert series.ends_at == after(1240)


def test_a_clock_set_back_leaves_nothing_that_lies_ahead() -> None:
    history = ArchivingHistory(15)
    for seconds in range(0, 600, 15):
        history.see(READY_FILES, after(seconds), 5)
    history.see(READY_FILES, after(300), 7)
    series = one(history, READY_FILES, 300)
    assert series.ends_at == after(320) and series.values[-1] == 7 and len(series.values) == 8
    history.see(READY_FILES, after(-86400), 1)
    assert one(history, READY_FILES, -86400).values == (1,)


def test_archived_files_are_a_rate_of_what_was_watched() -> None:
    history = ArchivingHistory(15)
    for seconds, files in ((0, 100), (10, 105), (20, 105), (25, 110)):
        history.see_archived(after(seconds), files, None)
    assert one(history, ARCHIVED_PER_MINUTE, 25).seen == (60 * 10 / 25,)


def test_the_rate_of_a_step_that_has_only_begun_counts_the_one_before() -> None:
    history = ArchivingHistory(15)
    for seconds, files in ((0, 0), (15, 5), (30, 10), (45, 10), (60, 10)):
        history.see_archived(after(seconds), files, None)
        if seconds == 45:
            assert one(history, ARCHIVED_PER_MINUTE, 45).seen == (20, 60 * 10 / 45)
    assert one(history, ARCHIVED_PER_MINUTE, 60).seen == (20, 0)


def test_a_counter_that_began_anew_or_was_not_seen_says_nothing() -> None:
    history = ArchivingHistory(15)
    history.see(READY_FILES, START, 0)
    history.see_archived(START, 100, None)
    history.see_archived(after(15), 3, None)
    history.see_archived(after(30), 500, START)
    history.see_archived(after(3600), 900, START)
    assert one(history, ARCHIVED_PER_MINUTE, 3600).seen == ()
    history.see_archived(after(3615), 900, START)
    assert one(history, ARCHIVED_PER_MINUTE, 3615).seen == (0,)
