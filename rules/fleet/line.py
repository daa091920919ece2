"""One cluster against its goals: everything that a line of the fleet shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeVar, cast

from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.facts import instant
from rules.archive.dated_wal import DatedWalFacts
from rules.capacity.exposure import ExposureFacts
from rules.capacity.forecast import RestoreEstimateFacts
from rules.case.case import Case
from rules.case.derived.goal_space import GoalSpace
from rules.case.observations import ArchiveRoom
from rules.drill.records import DrillsFacts
from rules.fleet.cuts import WindowCuts
from rules.fleet.forecasts import (
    Breach,
    Habit,
    WalRate,
    forecast_age,
    forecast_rpo,
    forecast_rto,
    forecast_space,
    forecast_window,
    habit_of,
    rate_of,
    rhythm_of,
)
from rules.model.evidence import KnownFacts, WindowsFacts
from rules.model.facts import ArchiveStatusFacts, BackupsFacts, Objectives
from rules.model.findings import Verdict
from rules.model.windows import Window

WORST_FIRST: Final = (Verdict.CRITICAL, Verdict.UNKNOWN, Verdict.WARNING, Verdict.OK)
T = TypeVar("T")

_NEVER: Final = float("inf")
_LONG_AGO: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetLine:
    """None is *not known*, or not applicable, of every number."""

    name: str
    protection_class: str | None
    verdict: Verdict
    goal_seconds: float | None  # of the window
    window_seconds: float | None
    exposure_seconds: float | None
    exposure_bytes: int | None
    breaches: tuple[Breach, ...]  # the first to come first, before them those of no known instant
    backups: Literal["there", "none", "unknown"]
    backup_needed_by: datetime | None
    obsolete_bytes: int | None
    needed_bytes: int | None  # of WAL in the archive, for the goal
    available_bytes: int | None  # what is there and what is free
    drilled_at: datetime | None  # when the last good drill ended
    drilled_share: float | None  # how much of the window drills covered, 0 to 1
    summary: str  # the worst that was found; empty: nothing

    @property
    def rank(self) -> tuple[int, float, str]:
        """For sorting: the worst verdict first, then who breaks a goal first."""
        return WORST_FIRST.index(self.verdict), self.first_breach, self.name

    @property
    def first_breach(self) -> float:
        """For sorting: seconds since 1970."""
        return _instant(self.breaches[0]).timestamp() if self.breaches else _NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class _Habits:
    """What was seen again and again."""

    backups: tuple[datetime, ...]  # when they ended
    backup: Habit | None
    rate: WalRate | None


def line_of(
    case: Case,
    name: str,
    protection_class: str | None,
    verdict: Verdict,
    now: datetime,
    summary: str = "",
    *,
    has_backups: bool = True,
) -> FleetLine:
    """Asks the case, each fact once, and forecasts. `has_backups`: it is said where they lie."""
    known, wanted = _Once(case), case.context.objectives
    latest = latest_window(known)
    exposed, drills = known.get(ExposureFacts), known.get(DrillsFacts)
    space, room = known.get(GoalSpace), known.get(ArchiveRoom)
    habits = _habits(known, latest)
    needed = _needed_bytes(wanted, space, habits)
    backups = _backups(known.get(BackupsFacts), has_backups)
    none = backups == "none"
    found = list(
        _without_backup(wanted) if none else _breaches(known, wanted, latest, habits, needed, now)
    )
    cuts = known.get(WindowCuts)
    breaches = sorted(_dated(found, cuts) if cuts else found, key=_instant)
    good = drills.last_success if drills else None
    begins = latest.from_time if latest else None
    return FleetLine(
        name=name,
        protection_class=protection_class,
        verdict=verdict,
        goal_seconds=wanted.window_seconds,
        window_seconds=(now - begins).total_seconds() if begins else None,
        exposure_seconds=exposed.seconds if exposed else None,
        exposure_bytes=exposed.bytes if exposed else None,
        breaches=tuple(breaches),
        backups=backups,
        backup_needed_by=now if none else _next_backup(wanted, habits, breaches, now),
        obsolete_bytes=space.obsolete_bytes if space else None,
        needed_bytes=needed,
        available_bytes=space.held_bytes + room.free_bytes if space and room else None,
        drilled_at=good.ended_at if good else None,
        drilled_share=_drilled_share(known, latest, drills) if drills else None,
        summary=summary,
    )


def follow_breaches(before: WindowCuts, line: FleetLine, now: datetime) -> WindowCuts:
    """Add the goals that are found broken now, and nothing tells since when; the same value where
    nothing changed. One that cannot be told of now is as it was.
    """
    broken = {each.goal: before.broken.get(each.goal, now) for each in line.breaches if not each.at}
    stood = {e.goal: e.at for e in line.breaches if e.at and e.at == before.broken.get(e.goal)}
    is_known = line.backups == "none" or line.window_seconds is not None
    kept = {**({} if is_known else before.broken), **stood, **broken}
    return before if kept == before.broken else replace(before, broken=kept)


class _Once:
    """A case that works a fact out once: what rests on much is looked through at each question."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._asked: dict[type, object | None] = {}

    def get(self, kind: type[T]) -> T | None:
        if kind not in self._asked:
            self._asked[kind] = self._case.get(kind)
        return cast("T | None", self._asked[kind])


def latest_window(known: KnownFacts) -> Window | None:
    """The window of the latest restorable instant; None while a backup's reach is not known."""
    windows = known.get(WindowsFacts)
    return windows.latest if windows and None not in windows.by_backup.values() else None


def _habits(known: KnownFacts, latest: Window | None) -> _Habits:
    found = known.get(BackupsFacts)
    backups = found.backups if found else ()
    ended = tuple(b.finished_at for b in backups if b.finished_at is not None)
    points, between = [], []
    if latest is not None and latest.to_time is not None:
        points = [
            (b.started_at, b.label.start_lsn)
            for b in backups
            if b.started_at and b.label.timeline == latest.timeline
            if b.label.start_lsn < latest.to_lsn
        ]
        points.append((latest.to_time, latest.to_lsn))
        dated = known.get(DatedWalFacts)
        places = dated.places.get(latest.timeline, ()) if dated else ()
        between = [(instant(each.time_us), each.lsn) for each in places[:: len(places) // 200 + 1]]
    return _Habits(backups=ended, backup=habit_of(ended), rate=rate_of(points, between))


def _needed_bytes(wanted: Objectives, space: GoalSpace | None, habits: _Habits) -> int | None:
    """WAL for the window that is wanted, and back to the backup that it begins at."""
    if wanted.window_seconds is None or space is None or habits.rate is None:
        return None
    between = habits.backup.longest_seconds if habits.backup else wanted.backup_age_seconds
    if between is None:
        return None
    seconds = wanted.window_seconds + between
    if seconds > 2 * habits.rate.seen_seconds:  # as much again as was seen, and no more
        return None
    return round(seconds * habits.rate.bytes_per_second * space.stored_share)


def _breaches(
    known: KnownFacts,
    wanted: Objectives,
    latest: Window | None,
    habits: _Habits,
    needed: int | None,
    now: datetime,
) -> Iterator[Breach]:
    exposed, estimate = known.get(ExposureFacts), known.get(RestoreEstimateFacts)
    drills, cuts = known.get(DrillsFacts), known.get(WindowCuts)
    space, room = known.get(GoalSpace), known.get(ArchiveRoom)
    found: list[Breach | None] = []
    if wanted.window_seconds is not None and latest is not None and latest.from_time is not None:
        taken = cuts.cuts if cuts else ()
        found.append(forecast_window(wanted.window_seconds, latest.from_time, taken, now))
    if wanted.rpo_seconds != _NEVER and exposed is not None:
        status = known.get(ArchiveStatusFacts)
        waits = bool(status and status.ready)
        found.append(forecast_rpo(wanted.rpo_seconds, exposed, waits, now))
    if wanted.rto_seconds is not None and estimate is not None:
        rhythm = rhythm_of(habits.backups)
        found.append(forecast_rto(wanted.rto_seconds, estimate, habits.rate, rhythm, now))
    if (age := wanted.backup_age_seconds) is not None:
        found.append(
            forecast_age(
                "backup_age", tr("the last base backup ended at {at}"), age, habits.backups, now
            )
        )
    if (age := wanted.drill_age_seconds) is not None and drills is not None:
        good = [record.ended_at for record in drills.records if record.succeeded]
        found.append(
            forecast_age("drill_age", tr("the last good drill ended at {at}"), age, good, now)
        )
    if needed is not None and space and room and habits.rate and not (cuts and cuts.cuts):
        stored = habits.rate.bytes_per_second * space.stored_share
        rate = replace(habits.rate, bytes_per_second=stored, until=now)
        found.append(forecast_space(needed, space.held_bytes, room.free_bytes, rate))
    yield from (each for each in found if each is not None)


def _backups(found: BackupsFacts | None, has_backups: bool) -> Literal["there", "none", "unknown"]:
    """Whether there is any: one that cannot be read, or is being written, may be one."""
    if found is None:
        return "unknown" if has_backups else "none"
    if found.backups:
        return "there"
    return "unknown" if found.unreadable or found.changing else "none"


def _without_backup(wanted: Objectives) -> Iterator[Breach]:
    """The goals that nothing keeps."""
    basis = tr("there is no base backup")
    if wanted.window_seconds is not None:
        yield Breach(goal="window", at=None, basis=basis)
    if wanted.backup_age_seconds is not None:
        yield Breach(goal="backup_age", at=None, basis=basis)


def _dated(found: Sequence[Breach], kept: WindowCuts) -> Iterator[Breach]:
    """Those of no known instant by when they were found first: broken since then at the latest."""
    for each in found:
        yield each if each.at else replace(each, at=kept.broken.get(each.goal))


def _instant(breach: Breach) -> datetime:
    return breach.at or _LONG_AGO


def _next_backup(
    wanted: Objectives, habits: _Habits, breaches: Sequence[Breach], now: datetime
) -> datetime | None:
    """When the goals that only a new backup keeps would be broken without one."""
    due = [each.at or now for each in breaches if each.goal == "rto"]
    if wanted.backup_age_seconds is not None and habits.backups:
        due.append(max(habits.backups) + timedelta(seconds=wanted.backup_age_seconds))
    return min(due, default=None)


def _drilled_share(known: KnownFacts, latest: Window | None, drills: DrillsFacts) -> float | None:
    """A good drill has replayed from where its backup is consistent to the instant it went to."""
    windows = known.get(WindowsFacts)
    if latest is None or windows is None or latest.from_time is None or latest.to_time is None:
        return None
    whole = (latest.to_time - latest.from_time).total_seconds()
    if whole <= 0:
        return None
    stretches = []
    for record in drills.records:
        own = windows.by_backup.get(record.backup or "") or ()
        begin = next((w.from_time for w in own if w.timeline == latest.timeline), None)
        if record.succeeded and record.instant is not None and begin is not None:
            stretches.append((max(begin, latest.from_time), min(record.instant, latest.to_time)))
    covered, until = 0.0, latest.from_time
    for begin, end in sorted(stretches):
        covered += max(0.0, (end - max(begin, until)).total_seconds())
        until = max(until, end)
    return covered / whole
