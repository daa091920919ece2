"""One cluster against its goals: what is said of goals that are broken, and since when."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from rules.case.case import Case
from rules.case.context import Context
from rules.fleet.cuts import WindowCuts
from rules.fleet.line import FleetLine, follow_breaches, line_of
from rules.model.evidence import WindowsFacts
from rules.model.facts import BackupsFacts, Objectives
from rules.model.findings import Verdict
from tests.rules.catalogue.facts import DAY, NOW, backup, backups, estimate, window

GOALS = Objectives(rpo_seconds=60, window_seconds=DAY, backup_age_seconds=400 * DAY, rto_seconds=60)
NONE = BackupsFacts(backups=(), unreadable={}, depth="label")
UNREADABLE = BackupsFacts(backups=(), unreadable={"/backup": "it is closed"}, depth="label")
WHOLE = (backups(backup(started_at=None)), WindowsFacts(by_backup={"/backup": (window(2 * DAY),)}))


def hours(count: float) -> datetime:
    return NOW + timedelta(hours=count)


def line(*facts: object, now: datetime = NOW, has_backups: bool = True) -> FleetLine:
    case = Case(context=Context(depth="records", objectives=GOALS)).having(*facts)
    return line_of(case, "a", None, Verdict.OK, now, has_backups=has_backups)


def broken(line: FleetLine) -> dict[str, datetime | None]:
    return {each.goal: each.at for each in line.breaches}


@pytest.mark.parametrize(
    ("facts", "has_backups", "said"),
    [
        ((), True, "unknown"),  # nothing was read
        ((), False, "none"),  # and nothing is configured
        ((NONE,), True, "none"),
        ((UNREADABLE,), True, "unknown"),
        ((replace(NONE, changing={"/new": NOW}),), True, "unknown"),
        (WHOLE, True, "there"),
    ],
)
def test_whether_there_is_a_backup(facts: tuple[object, ...], has_backups: bool, said: str) -> None:
    told = line(*facts, has_backups=has_backups)
    assert told.backups == said
    assert (broken(told).keys() >= {"window", "backup_age"}) is (said == "none")
    assert (told.backup_needed_by == NOW) is (said == "none")


def test_since_when_there_is_none_is_not_known_at_first_and_then_stands_still() -> None:
    told = line(NONE)
    assert broken(told) == {"window": None, "backup_age": None}
    cuts = follow_breaches(WindowCuts(), told, NOW)
    for later in (0.0, 1.0, 700.0):
        again = line(NONE, cuts, now=hours(later))
        assert broken(again) == {"window": NOW, "backup_age": NOW}
        assert follow_breaches(cuts, again, hours(later)) is cuts
    assert again.backup_needed_by == hours(700)


def test_what_cannot_be_read_for_a_while_forgets_nothing_and_a_backup_does() -> None:
    cuts = follow_breaches(WindowCuts(), line(NONE), NOW)
    assert follow_breaches(cuts, line(), hours(1)) is cuts
    assert follow_breaches(cuts, line(UNREADABLE, cuts), hours(1)) is cuts
    assert follow_breaches(cuts, line(WHOLE[0], cuts), hours(1)) is cuts, "its reach is not known"
    kept = follow_breaches(cuts, line(*WHOLE, cuts, now=hours(2)), hours(2))
    assert kept.broken == {}
    again = follow_breaches(kept, line(NONE, kept, now=hours(3)), hours(3))
    assert again.broken == {"window": hours(3), "backup_age": hours(3)}


def test_a_restore_that_takes_too_long_at_an_unknown_pace_is_the_same() -> None:
    slow = estimate(3600)
    told = line(*WHOLE, slow)
    assert broken(told) == {"rto": None}
    assert told.backup_needed_by == NOW
    cuts = follow_breaches(WindowCuts(), told, NOW)
    assert broken(line(*WHOLE, slow, cuts, now=hours(5))) == {"rto": NOW}


def test_those_of_no_known_instant_come_first() -> None:
    old = replace(GOALS, backup_age_seconds=1.0)
    case = Case(context=Context(depth="records", objectives=old)).having(*WHOLE, estimate(3600))
    told = line_of(case, "a", None, Verdict.OK, NOW)
    assert [each.goal for each in told.breaches] == ["rto", "backup_age"]
    dated = replace(told, breaches=told.breaches[1:])
    assert told.rank < dated.rank < replace(told, breaches=()).rank
