"""The small plots: what is drawn is what was seen."""

from __future__ import annotations

from datetime import UTC, datetime

from agent.page.sparkline import Hole, Sparkline, sparkline
from rules.capacity.archiving_history import READY_FILES, Series


def drawn(*values: float | None) -> Sparkline | None:
    series = Series(
        quantity=READY_FILES,
        step_seconds=60,
        ends_at=datetime(2026, 1, 1, tzinfo=UTC),
        values=values,
    )
    return sparkline(series, "Waiting", lambda value: f"{value:.0f} files")


def test_a_hole_is_never_drawn_over() -> None:
    plot = drawn(None, None, 4, 4, 8, None, None, 0)
    assert plot is not None
    assert plot.lines == ("M2 20H4V2H5", "M7 38H8")
    assert plot.areas == ("M2 20H4V2H5V38H2Z", "M7 38H8V38H7Z")
    assert plot.holes == (Hole(x=0, width=2), Hole(x=5, width=2))
    assert plot.words == "Waiting: last 0 files, 0 files to 8 files; not known for 4m of it"


def test_what_is_not_known_now_has_no_last() -> None:
    plot = drawn(5, None)
    assert plot is not None and plot.last is None and plot.range == "always 5 files"
    assert "last not known" in plot.words


def test_a_rate_is_known_from_the_second_reading_on() -> None:
    plot = drawn(None, 3, 3)
    assert plot is not None and plot.holes == () and plot.unseen is None


def test_zero_all_along_lies_on_the_floor() -> None:
    plot = drawn(0, 0, 0)
    assert plot is not None and plot.lines == ("M0 38H3",) and plot.unseen is None


def test_nothing_known_is_no_plot() -> None:
    assert drawn(None, None) is None
