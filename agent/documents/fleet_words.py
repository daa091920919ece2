"""What a line of the fleet says, in words: alike in text and in HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from parsers.sentences import joined, tr, trn
from rules.fleet.line import WORST_FIRST, FleetLine
from rules.model.counted import counted, sized, timed
from rules.model.findings import Verdict

UNKNOWN = tr("not known")
_NAMED = 12
_COUNTED_AS = {
    Verdict.CRITICAL: tr("{count} critical"),
    Verdict.UNKNOWN: tr("{count} could not be checked"),
    Verdict.WARNING: tr("{count} with warnings"),
    Verdict.OK: tr("{count} fine"),
}


def in_a_line(lines: Sequence[FleetLine]) -> str:
    """How many there are of each verdict, and who breaks a goal."""
    counts = Counter(line.verdict for line in lines)
    told = [tr(_COUNTED_AS[each], count=counts[each]) for each in WORST_FIRST if counts[each]]
    clusters = counted(len(lines), "cluster")
    return tr("{clusters}: {told}", clusters=clusters, told=joined(", ", told))


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
    said = [
        trn(
            "backups: {n} cluster needs one within a day{named}",
            "backups: {n} clusters need one within a day{named}",
            len(first),
            named=_named(first),
        )
    ]
    if now + within > today:
        said += [
            tr(
                "{count} more within {time}{named}",
                count=len(later),
                time=timed(within.total_seconds()),
                named=_named(later),
            )
        ]
    unread = [line.name for line in lines if line.backups == "unknown"]
    if unread:
        named = _named(unread)
        said += [tr("of {count} it is not known{named}", count=len(unread), named=named)]
    return joined("; ", said)


def _named(names: Sequence[str]) -> str:
    """In brackets; of very many only the first."""
    if not names:
        return ""
    more = tr(" and {count} more", count=len(names) - _NAMED) if len(names) > _NAMED else ""
    return tr(" ({names}{more})", names=", ".join(names[:_NAMED]), more=more)


def window(line: FleetLine) -> str:
    there = UNKNOWN if line.window_seconds is None else timed(line.window_seconds)
    if line.goal_seconds is None:
        return there
    return tr("{there} of {goal}", there=there, goal=timed(line.goal_seconds))


def unprotected(line: FleetLine) -> str:
    if line.exposure_bytes is None:
        return UNKNOWN
    age = [] if line.exposure_seconds is None else [timed(line.exposure_seconds)]
    return joined(", ", [sized(line.exposure_bytes), *age])


def first_breach(line: FleetLine, now: datetime) -> str:
    if not line.breaches:
        return nothing_foreseen(line)
    first = line.breaches[0]
    when = until(first.at, now) if first.at else tr("already")
    return tr("{goal} {when}", goal=first.goal, when=when)


def backup_by(line: FleetLine, now: datetime) -> str:
    if line.backups == "none":
        return tr("now: there is none")
    if line.backups == "unknown" and line.backup_needed_by is None:
        return UNKNOWN
    return until(line.backup_needed_by, now)


def nothing_foreseen(line: FleetLine) -> str:
    """A cluster that could not be checked is not called calm."""
    return UNKNOWN if line.verdict is Verdict.UNKNOWN else tr("none foreseen")


def until(at: datetime | None, now: datetime) -> str:
    """How far away an instant is."""
    if at is None:
        return "-"
    seconds = (at - now).total_seconds()
    if -1 < seconds <= 0:
        return tr("now")
    time = timed(abs(seconds))
    return tr("in {time}", time=time) if seconds > 0 else tr("since {time}", time=time)


def space(line: FleetLine) -> str:
    if line.needed_bytes is None or line.available_bytes is None:
        return UNKNOWN
    needed, there = sized(line.needed_bytes), sized(line.available_bytes)
    return tr("{needed} of {there}", needed=needed, there=there)


def drilled(line: FleetLine, now: datetime) -> str:
    if line.drilled_at is None:
        return tr("none known")
    ago = tr("{time} ago", time=timed((now - line.drilled_at).total_seconds()))
    if line.drilled_share is None:
        return ago
    return tr("{ago}, {share:.0%} of the window", ago=ago, share=line.drilled_share)


def obsolete(line: FleetLine) -> str:
    return UNKNOWN if line.obsolete_bytes is None else sized(line.obsolete_bytes)
