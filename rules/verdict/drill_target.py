"""Where a drill goes: the target asked for, a random instant, or the newest that can be reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Literal

from parsers.lsn import format_lsn
from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.facts import instant
from rules.case.case import Case
from rules.case.derived.restores import restores_of
from rules.case.derived.segments import scans_of
from rules.drill.sample import sample_goals
from rules.model.goal import Goal
from rules.model.outcome import Outcome
from rules.model.restore_inputs import RestoreInputs, Server
from rules.model.windows import Window
from rules.recovery.predictor import simulate
from rules.recovery.restorable import best_restore
from rules.recovery.start import base_timeline
from rules.verdict.fetching import served_by_fetch_wal
from rules.verdict.report import BackupReport, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillPlan:
    """One restore, and what is predicted of it."""

    restore: RestoreInputs
    goal: Goal
    outcome: Outcome
    target: str  # in words
    refused: bool = False  # the tool would not restore, in the version that is known here


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """Drill a random instant."""

    random: Random
    drilled: tuple[datetime, ...] = ()  # instants that drills went to before


def plan_at_random(report: Report, case: Case, chance: Chance) -> DrillPlan | None:
    """A restore to a random instant of the windows; None where none is known to be reachable."""
    restores = _restores(case)
    windows = [w for backup, w in _windows(report.backups) if backup.facts.url in restores]
    for goal in sample_goals(windows, scans_of(case), chance.drilled, chance.random):
        best = best_restore(restores.values(), goal)
        if best is not None and best[1].reachable:
            return _plan(best[0], goal)
    return None


def plan_drill(report: Report, case: Case) -> DrillPlan | None:
    """The restore to try; None when there is none that could be tried.

    Without a target the end of WAL is the newest instant, unless recovery would open short of WAL
    that exists: then the last commit of the newest window is.
    """
    facts, goal, restores = report.target, report.asked.goal, _restores(case)
    if facts.backup is None or facts.prediction is None or facts.backup.url not in restores:
        return None
    if goal.type == "none" and not facts.reachable:
        newest = _plan_newest(report, goal, restores)
        if newest is not None:
            return newest
    plan = _plan(restores[facts.backup.url], goal)
    if facts.via == "tool" and facts.reachable and not plan.outcome.reachable:
        # The tool restores along the backup's own timeline where it is not told another.
        own = _plan(restores[facts.backup.url], replace(goal, timeline="current"))
        return own if own.outcome.reachable else plan
    return plan


def plan_by_tool(report: Report, case: Case) -> DrillPlan | None:
    """The tool's own restore, as it was asked about; None where nothing is predicted of it."""
    facts, restores = report.target, restores_of(case)
    if facts.via != "tool" or not restores or facts.outcome == "unknown":
        return None
    if facts.backup is not None and facts.backup.url in restores:
        restore = restores[facts.backup.url]
    else:  # it refuses before it takes one
        restore = max(restores.values(), key=lambda each: each.backup.label.start_lsn)
    refused = Outcome(outcome="fails", reachable=False, reason=facts.reason, fatal=facts.fatal)
    goal = report.asked.goal
    outcome = facts.prediction or refused
    return DrillPlan(
        restore=restore,
        goal=goal,
        outcome=outcome,
        target=_words(goal),
        refused=facts.prediction is None,
    )


def _restores(case: Case) -> dict[str, RestoreInputs]:
    """Every restore there is, with WAL as the drill's server gets it."""
    found = restores_of(case)
    return {url: served_by_fetch_wal(restore, case) for url, restore in found.items()}


def _plan(restore: RestoreInputs, goal: Goal) -> DrillPlan:
    """Predict a restore as a drill makes it: on its own settings, with tablespaces of its own."""
    adapted = _adapt(restore)
    return DrillPlan(
        restore=adapted, goal=goal, outcome=simulate(adapted, goal), target=_words(goal)
    )


def _adapt(restore: RestoreInputs) -> RestoreInputs:
    was = restore.server
    return replace(
        restore,
        backup=replace(restore.backup, tablespaces=()),
        server=Server(major=was.major, hot_standby=was.hot_standby, adjustable=True),
    )


def _plan_newest(
    report: Report, asked: Goal, restores: Mapping[str, RestoreInputs]
) -> DrillPlan | None:
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
    timeline = tr(", timeline {timeline}", timeline=goal.timeline)
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
            return tr("end of WAL{timeline}", timeline=timeline)
        case _:
            value = ""
    exclusive = "" if goal.inclusive else tr(", exclusive")
    return tr(
        "{type}{value}{exclusive}{timeline}",
        type=goal.type,
        value=value,
        exclusive=exclusive,
        timeline=timeline,
    )
