"""How much was looked at lately, of the archive and of the window."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.documents.coverage import coverage_document
from rules.case.case import Case
from rules.case.context import Context
from rules.drill.coverage import ReadTimes, TimeSpan, WindowCoverage, coverage_of
from rules.drill.records import DrillsFacts
from rules.model.evidence import WindowsFacts
from tests.rules.catalogue.facts import DAY, NOW, ago, archive, drill, name, scan, window

A_DAY = timedelta(days=1)


def windows(from_seconds_ago: float) -> WindowsFacts:
    return WindowsFacts(by_backup={"/backup": (window(from_seconds_ago),)})


def drilled(*seconds_ago: float, **changes: object) -> DrillsFacts:
    records = [drill(instant=ago(each), **changes).records[0] for each in seconds_ago]
    return replace(drill(), records=tuple(records))


def of_drills(window_seconds: float, drills: DrillsFacts) -> WindowCoverage:
    found = coverage_of({WindowsFacts: windows(window_seconds), DrillsFacts: drills}, NOW).drills
    assert found is not None
    return found


def test_what_is_not_known_is_null() -> None:
    coverage = coverage_of({}, NOW)
    assert (coverage.read_share, coverage.oldest_read_at, coverage.drills) == (None, None, None)
    document = coverage_document(coverage)
    assert {key for key, value in document.items() if value is not None} == {"days"}
    assert coverage_of({WindowsFacts: windows(DAY)}, NOW).drills is None, "drills are not known"


def test_what_was_read_lately_is_a_share_of_all() -> None:
    """Of four segments one was never read, and one so long ago that it does not count."""
    read_at = {name(1): ago(31 * DAY), name(2): ago(DAY), name(3): NOW, name(9): NOW}
    listed = archive(name(1), name(2), name(3), name(4))
    case = Case(context=Context(depth="records")).having(listed, scan(read_at=read_at))
    coverage = coverage_of(case, NOW)
    assert (coverage.segments_count, coverage.read_count, coverage.never_count) == (4, 2, 1)
    assert coverage.read_share == 0.5
    assert coverage.oldest_read_at == ago(31 * DAY).timestamp()
    assert coverage_of(case, NOW + 40 * A_DAY).read_share == 0


def test_an_empty_archive_has_no_share() -> None:
    times = ReadTimes(segments_count=0, read_at=())
    assert coverage_of({ReadTimes: times}, NOW).read_share is None


def test_days_without_a_drill_are_named() -> None:
    """Days are counted back from the window's end; what is left of one is the oldest."""
    found = of_drills(3.5 * DAY, drilled(0.5 * DAY, 0.75 * DAY, 2.5 * DAY))
    assert (found.days, found.drilled_days, found.drilled_share) == (4, 2, 0.5)
    assert found.never == (
        TimeSpan(ago(3.5 * DAY), ago(3 * DAY)), TimeSpan(ago(2 * DAY), ago(1 * DAY)),
    )  # fmt: skip


def test_days_that_follow_each_other_are_one_span() -> None:
    found = of_drills(5 * DAY, drilled(0))
    assert found.never == (TimeSpan(ago(5 * DAY), ago(DAY)),)
    assert of_drills(5 * DAY, drilled(5 * DAY)).never == (TimeSpan(ago(4 * DAY), NOW),)


@pytest.mark.parametrize("changes", [{"outcome": "failed"}, {"outcome": "not_run"},
                                     {"agrees": False}, {"timed_out": "replay"}])  # fmt: skip
def test_a_drill_that_did_not_succeed_shows_nothing(changes: dict[str, object]) -> None:
    assert of_drills(2 * DAY, drilled(60, **changes)).drilled_days == 0


def test_a_drill_outside_of_the_window_shows_nothing_of_it() -> None:
    assert of_drills(2 * DAY, drilled(2 * DAY + 1)).drilled_days == 0


def test_a_window_of_an_instant_is_a_day() -> None:
    found = of_drills(0, drilled(0))
    assert (found.days, found.drilled_days, found.never) == (1, 1, ())
