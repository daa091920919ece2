"""Where a drill goes: the target asked for, a random instant, or the newest that can be reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import Literal

from parsers.lsn import format_lsn
from parsers.wal_facts import instant
from rules.drill_sample import sample_goals
from rules.goal import Goal
from rules.outcome import Outcome
from rules.recovery import simulate
from rules.recovery_start import base_timeline
from rules.report import BackupReport, Gathered, Report
from rules.restorable import best_restore
from rules.restore import Restore, Server
from rules.windows import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One restore, and what is predicted of it."""

    restore: Restore
    goal: Goal
    outcome: Outcome
    target: str  # in words


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """Drill an instant that chance chooses."""

    random: Random
    drilled: tuple[datetime, ...] = ()  # instants that drills went to before


def plan_at_random(report: Report, gathered: Gathered, chance: Chance) -> Plan | None:
    """A restore to a random instant of the windows; None where none is known to be reachable."""
    restores = gathered.restores
    windows = [w for backup, w in _windows(report.backups) if backup.facts.url in restores]
    for goal in sample_goals(windows, gathered.scans, chance.drilled, chance.random):
        best = best_restore(restores.values(), goal)
        if best is not None and best[1].reachable:
            return _plan(best[0], goal)
    return None


def plan_drill(report: Report, restores: Mapping[str, Restore]) -> Plan | None:
    """The restore to try; None when there is none that could be tried.

    Without a target the end of WAL is the newest instant, unless recovery would open short of WAL
    that exists: then the last commit of the newest window is.
    """
    facts, goal = report.target, report.question.goal
    if facts.backup is None or facts.prediction is None or facts.backup.url not in restores:
        return None
    if goal.type == "none" and not facts.reachable:
        newest = _plan_newest(report, goal, restores)
        if newest is not None:
            return newest
    return _plan(restores[facts.backup.url], goal)


def _plan(restore: Restore, goal: Goal) -> Plan:
    """Predict a restore as a drill makes it: on its own settings, with tablespaces of its own."""
    adapted = _adapt(restore)
    return Plan(restore=adapted, goal=goal, outcome=simulate(adapted, goal), target=_words(goal))


def _adapt(restore: Restore) -> Restore:
    was = restore.server
    return replace(
        restore,
        backup=replace(restore.backup, tablespaces=()),
        server=Server(major=was.major, hot_standby=was.hot_standby, adjustable=True),
    )


def _plan_newest(report: Report, asked: Goal, restores: Mapping[str, Restore]) -> Plan | None:
    candidates = [(b, w) for b, w in _windows(report.backups) if b.facts.url in restores]
    if not candidates:
        return None
    backup, window = max(candidates, key=lambda each: _age(each[1]))
    restore = restores[backup.facts.url]
    of_backup = window.timeline == base_timeline(restore)
    timeline: int | Literal["current"] = "current" if of_backup else window.timeline
    last = simulate(_adapt(restore), Goal(timeline=timeline)).last_transaction
    if last is None or last.lsn < window.from_lsn:
        goal = Goal(type="immediate", timeline=timeline, action=asked.action)
    else:
        goal = Goal(type="lsn", lsn=last.lsn, timeline=timeline, action=asked.action)
    return _plan(restore, goal)


def _age(window: Window) -> tuple[bool, float, int]:
    at = window.to_time
    return at is not None, at.timestamp() if at else 0.0, window.to_lsn


def _windows(backups: Iterable[BackupReport]) -> list[tuple[BackupReport, Window]]:
    return [(backup, window) for backup in backups for window in backup.windows]


def _words(goal: Goal) -> str:
    """The target in words.

    >>> _words(Goal(type="lsn", lsn=0x3000028, timeline=2))
    'lsn 0/3000028, timeline 2'
    """
    timeline = f", timeline {goal.timeline}"
    match goal.type:
        case "time":
            value = f" {instant(goal.time_us or 0).isoformat(sep=' ')}"
        case "lsn":
            value = f" {format_lsn(goal.lsn or 0)}"
        case "xid":
            value = f" {goal.xid}"
        case "name":
            value = f" {goal.name}"
        case "none":
            return f"end of WAL{timeline}"
        case _:
            value = ""
    exclusive = "" if goal.inclusive else ", exclusive"
    return f"{goal.type}{value}{exclusive}{timeline}"
