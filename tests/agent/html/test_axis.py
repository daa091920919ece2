"""The time axis: ticks at round instants, and the part of it that a zoom shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from agent.html.axis import ZOOMS, round_up, ticks, view_of, whole_view, zooms_for

BEGIN = datetime(2024, 2, 27, 22, 13, 7, 123456, tzinfo=UTC)
YEAR = BEGIN + timedelta(days=366)
LENGTHS = [timedelta(seconds=10 * 1.9**n) for n in range(31)]


@pytest.mark.parametrize("length", LENGTHS, ids=str)
def test_there_are_a_few_ticks_of_which_no_two_read_alike(length: timedelta) -> None:
    found = ticks(BEGIN, BEGIN + length)
    assert 2 <= len(found) <= 9
    assert all(0 <= tick.x <= 100 for tick in found)
    assert sorted(tick.x for tick in found) == [tick.x for tick in found]
    labels = [tick.label for tick in found]
    assert all(one != other for one, other in pairwise(labels))


def test_ticks_stand_at_round_instants() -> None:
    labels = [tick.label for tick in ticks(BEGIN, BEGIN + timedelta(hours=6))]
    assert labels == ["23:00", "28 Feb", "01:00", "02:00", "03:00", "04:00"]
    labels = [tick.label for tick in ticks(BEGIN, BEGIN + timedelta(days=7))]
    assert labels == ["28 Feb 2024", "29 Feb", "1 Mar", "2 Mar", "3 Mar", "4 Mar", "5 Mar"]
    labels = [tick.label for tick in ticks(BEGIN, YEAR)]
    assert labels == ["Mar 2024", "May", "Jul", "Sep", "Nov", "2025"]


@pytest.mark.parametrize("zoom", [name for name, length in ZOOMS.items() if length])
def test_without_more_a_zoom_shows_the_newest(zoom: str) -> None:
    view, length = (
        view_of(BEGIN, YEAR + timedelta(days=99), zoom, until=None, around=None),
        ZOOMS[zoom],
    )
    assert length is not None
    newest = YEAR + timedelta(days=99)
    assert view.begin <= newest - length and newest < view.end
    assert view.end - newest < length / 20


def test_a_view_lies_around_an_instant_and_never_far_outside() -> None:
    day = ZOOMS["day"]
    assert day is not None
    middle = BEGIN + timedelta(days=100)
    view = view_of(BEGIN, YEAR, "day", until=None, around=middle)
    assert (view.begin, view.end) == (middle - day / 2, middle + day / 2)
    assert view_of(BEGIN, YEAR, "day", until=middle, around=BEGIN).end == middle
    for far in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        view = view_of(BEGIN, YEAR, "day", until=far, around=None)
        assert BEGIN - day <= view.begin <= view.end <= YEAR + day


def test_a_zoom_that_nobody_knows_or_needs_shows_all() -> None:
    whole = whole_view(BEGIN, BEGIN + timedelta(hours=5))
    for zoom in ("all", "year", "<script>"):
        assert view_of(BEGIN, BEGIN + timedelta(hours=5), zoom, until=None, around=BEGIN) == whole
    assert zooms_for(BEGIN, BEGIN + timedelta(hours=5)) == ["hour", "all"]
    assert zooms_for(BEGIN, YEAR + timedelta(days=1)) == list(ZOOMS)


def test_a_view_stands_for_a_step() -> None:
    step = timedelta(minutes=7)
    ends = {round_up(BEGIN + n * step / 10, step) for n in range(11)}
    assert len(ends) == 2 and min(ends) >= BEGIN
