"""What a line of the fleet says, in words: alike in text and in HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from rules.fleet.line import WORST_FIRST, FleetLine
from rules.model.counted import counted, sized, timed, verb
from rules.model.findings import Verdict

UNKNOWN = "not known"
_NAMED = 12
_COUNTED_AS = {
    Verdict.CRITICAL: "critical",
    Verdict.UNKNOWN: "could not be checked",
    Verdict.WARNING: "with warnings",
    Verdict.OK: "fine",
}


def in_a_line(lines: Sequence[FleetLine]) -> str:
    """How many there are of each verdict, and who breaks a goal."""
    counts = Counter(line.verdict for line in lines)
    told = [f"{counts[each]} {_COUNTED_AS[each]}" for each in WORST_FIRST if counts[each]]
    return f"{counted(len(lines), 'cluster')}: {', '.join(told)}"


def needs_backup(lines: Sequence[FleetLine], now: datetime, within: timedelta) -> str:
    """Who needs a backup today, and who before long."""

    def due(until: datetime, since: datetime | None = None) -> list[str]:
        return [
            line.name
            for line in lines
            if line.backup_needed_by is not None
            and line.backup_needed_by <= until
            and (since is None or line.backup_needed_by > since)
        ]

    today = now + timedelta(days=1)
    first, later = due(today), due(now + within, today)
    needs = verb(len(first), "cluster needs", "clusters need")
    said = f"backups: {len(first)} {needs} one within a day{_named(first)}"
    if now + within > today:
        said += f"; {len(later)} more within {timed(within.total_seconds())}{_named(later)}"
    unread = [line.name for line in lines if line.backups == "unknown"]
    return f"{said}; of {len(unread)} it is not known{_named(unread)}" if unread else said


def _named(names: Sequence[str]) -> str:
    """In brackets; of very many only the first."""
    if not names:
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f" ({', '.join(names[:_NAMED])}{more})"


def window(line: FleetLine) -> str:
    there = UNKNOWN if line.window_seconds is None else timed(line.window_seconds)
    return there if line.goal_seconds is None else f"{there} of {timed(line.goal_seconds)}"


def unprotected(line: FleetLine) -> str:
    if line.exposure_bytes is None:
        return UNKNOWN
    age = "" if line.exposure_seconds is None else f", {timed(line.exposure_seconds)}"
    return f"{sized(line.exposure_bytes)}{age}"


def first_breach(line: FleetLine, now: datetime) -> str:
    if not line.breaches:
        return nothing_foreseen(line)
    first = line.breaches[0]
    return f"{first.goal} {until(first.at, now) if first.at else 'already'}"


def backup_by(line: FleetLine, now: datetime) -> str:
    if line.backups == "none":
        return "now: there is none"
    if line.backups == "unknown" and line.backup_needed_by is None:
        return UNKNOWN
    return until(line.backup_needed_by, now)


def nothing_foreseen(line: FleetLine) -> str:
    """A cluster that could not be checked is not called calm."""
    return UNKNOWN if line.verdict is Verdict.UNKNOWN else "none foreseen"


def until(at: datetime | None, now: datetime) -> str:
    """How far away an instant is."""
    if at is None:
        return "-"
    seconds = (at - now).total_seconds()
    if -1 < seconds <= 0:
        return "now"
    return f"in {timed(seconds)}" if seconds > 0 else f"since {timed(-seconds)}"


def space(line: FleetLine) -> str:
    if line.needed_bytes is None or line.available_bytes is None:
        return UNKNOWN
    return f"{sized(line.needed_bytes)} of {sized(line.available_bytes)}"


def drilled(line: FleetLine, now: datetime) -> str:
    if line.drilled_at is None:
        return "none known"
    share = "" if line.drilled_share is None else f", {line.drilled_share:.0%} of the window"
    return f"{timed((now - line.drilled_at).total_seconds())} ago{share}"


def obsolete(line: FleetLine) -> str:
    return UNKNOWN if line.obsolete_bytes is None else sized(line.obsolete_bytes)
