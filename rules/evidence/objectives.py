"""Objectives beside what is: met, missed, or not known, each with the number behind it."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

from rules.capacity.exposure import ExposureFacts
from rules.capacity.forecast import RestoreEstimateFacts
from rules.case.case import Case
from rules.drill.records import DrillsFacts
from rules.model.evidence import WindowsFacts
from rules.model.facts import BackupsFacts, Objectives
from rules.model.findings import Finding

# Which finding says that an objective is missed. What it needs to be judged is in `_measured`.
MISSED_BY: Final = {
    "rpo": "exposure_over_objective",
    "rto": "restore_over_objective",
    "window": "window_too_short",
    "backup_age": "backup_stale",
    "drill_age": "drill_overdue",
}


class Measured(NamedTuple):
    """One objective, and what was measured."""

    name: str
    wanted_seconds: float
    seconds: float | None  # None: it could not be measured


def objectives_met(
    case: Case, findings: Iterable[Finding], now: datetime, blind: Container[str] = ()
) -> list[dict[str, Any]]:
    """Each objective that somebody set. `met` is None where it could not be judged."""
    found = {finding.id for finding in findings}
    return [
        {
            "objective": each.name,
            "wanted_seconds": each.wanted_seconds,
            "measured_seconds": None if each.seconds is None else round(each.seconds, 1),
            "met": _met(each, found, blind),
        }
        for each in _measured(case, case.context.objectives, now)
    ]


def _met(each: Measured, found: Collection[str], blind: Container[str]) -> bool | None:
    check = MISSED_BY[each.name]
    if check in found and check not in blind:
        return False
    return None if check in blind or each.seconds is None else True


def _measured(case: Case, wanted: Objectives, now: datetime) -> Iterator[Measured]:
    if wanted.rpo_seconds != float("inf"):
        exposed = case.get(ExposureFacts)
        yield Measured("rpo", wanted.rpo_seconds, exposed.seconds if exposed else None)
    if wanted.rto_seconds is not None:
        estimate = case.get(RestoreEstimateFacts)
        yield Measured("rto", wanted.rto_seconds, estimate.seconds if estimate else None)
    if wanted.window_seconds is not None:
        windows = case.get(WindowsFacts)
        latest = windows.latest if windows else None
        yield Measured(
            "window", wanted.window_seconds, _age(latest.from_time if latest else None, now)
        )
    if wanted.backup_age_seconds is not None:
        backups = case.get(BackupsFacts)
        ended = [b.finished_at for b in backups.backups if b.finished_at] if backups else []
        yield Measured("backup_age", wanted.backup_age_seconds, _age(max(ended, default=None), now))
    if wanted.drill_age_seconds is not None:
        drills = case.get(DrillsFacts)
        good = drills.last_success if drills else None
        yield Measured(
            "drill_age", wanted.drill_age_seconds, _age(good.ended_at if good else None, now)
        )


def _age(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else (now - at).total_seconds()
