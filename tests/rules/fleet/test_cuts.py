"""Only what retention took is a cut: not a gap, not the first look, not a window that grew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rules.fleet.cuts import WindowCuts, follow_window
from rules.model.evidence import WindowsFacts
from rules.model.windows import Window

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def window(days_ago: float) -> Window:
    begins = NOW - timedelta(days=days_ago)
    return Window(
        timeline=1, from_lsn=round((100 - days_ago) * 1000), to_lsn=200_000, obstacle=None,
        from_time=begins, to_time=NOW,
    )  # fmt: skip


def windows(**backups: float) -> WindowsFacts:
    return WindowsFacts(by_backup={url: (window(days),) for url, days in backups.items()})


FIRST = follow_window(WindowCuts(), windows(old=9, new=2), NOW)


def test_the_first_look_is_no_cut() -> None:
    assert (FIRST.cuts, FIRST.backup) == ((), "old")


def test_a_backup_that_is_gone_is_a_cut() -> None:
    (cut,) = follow_window(FIRST, windows(new=2), NOW).cuts
    assert (cut.at, cut.left_seconds) == (NOW, 2 * 86400)


def test_a_gap_after_the_old_backup_is_no_cut() -> None:
    ended = WindowsFacts(by_backup={"old": (), "new": (window(2),)})
    after = follow_window(FIRST, ended, NOW)
    assert after.cuts == ()
    assert after.earliest == NOW - timedelta(days=2)


def test_what_is_not_known_changes_nothing() -> None:
    unsure = WindowsFacts(by_backup={"old": None, "new": (window(2),)})
    assert follow_window(FIRST, unsure, NOW) is FIRST
    assert follow_window(FIRST, WindowsFacts(by_backup={}), NOW) is FIRST
    assert follow_window(FIRST, windows(old=9, new=2), NOW) is FIRST


def test_a_bounded_number_is_kept() -> None:
    seen, at = FIRST, NOW
    for number in range(200):
        at += timedelta(days=1)
        seen = follow_window(seen, windows(**{f"b{number}": 90 - number / 10}), at)
    assert len(seen.cuts) == 60
