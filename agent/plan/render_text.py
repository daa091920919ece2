"""A plan as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from agent.documents.values import asked_for, point
from agent.language import say
from agent.plan.plan import RestorePlan, WalPlace
from parsers.sentences import indented, tr, trn
from rules.model.counted import counted, sized, timed
from rules.model.findings import Verdict

_LEFT: Final = 12  # columns of what is told, beside the name of what it is
_ANSWERS: Final = {
    True: tr("{verdict}: {target} can be reached"),
    False: tr("{verdict}: {target} cannot be reached"),
    None: tr("{verdict}: {target} is not proven"),
}


def plan_lines(plan: RestorePlan) -> Iterator[str]:
    """The answer, then what is needed, in the order in which it is needed."""
    target, report = plan.report.target, plan.report
    yield tr(
        _ANSWERS[target.reachable], verdict=report.verdict.word, target=asked_for(target.target)
    )
    yield indented(target.reason)
    if plan.proposal:
        yield tr("  ask for what can be had: {proposal}", proposal=plan.proposal)
    if report.verdict is not Verdict.OK:
        found = ", ".join(dict.fromkeys(f.id for f in report.findings))
        yield tr("  findings: {found}", found=found) if found else tr("  findings: none")
    if plan.backup is None or plan.outcome is None:
        return
    yield ""
    yield from _backup(plan)
    yield from _wal(plan)
    yield from _room(plan)
    yield from _time(plan)
    for needed in plan.outcome.directories:
        yield tr(
            "tablespace  {location} ({tablespace})",
            location=needed.location,
            tablespace=needed.tablespace,
        )
    if plan.settings:
        yield tr("settings    to paste:")
        yield from (indented(line, 4) for line in say(plan.settings).splitlines())


def _backup(plan: RestorePlan) -> Iterator[str]:
    backup = plan.backup
    assert backup is not None
    size = sized(plan.backup_bytes) if plan.backup_bytes is not None else tr("size not known")
    place = backup.url  # else pg_basebackup's own words
    if backup.stored:
        place = tr("{name} in {url}", name=backup.name, url=backup.url)
    yield tr("backup      {place}, {size}", place=place, size=size)
    if backup.finished_at:
        at = f"{backup.finished_at:%Y-%m-%d %H:%M:%S %Z}"
        yield tr("            finished at {at}", at=at)
    if backup.stored and backup.stored.parents:
        parents = ", ".join(backup.stored.parents)
        yield tr("            with what it is built on: {parents}", parents=parents)
    if plan.backup_unread:
        yield indented(plan.backup_unread, _LEFT)


def _wal(plan: RestorePlan) -> Iterator[str]:
    outcome = plan.outcome
    assert outcome is not None
    count, size = len(outcome.segments_needed), sized(outcome.bytes_needed)
    yield tr("WAL         {segments}, {size}", segments=counted(count, "segment"), size=size)
    yield from (indented(_place(place), _LEFT) for place in plan.wal)
    last = outcome.last_transaction
    if last:
        yield tr(
            "            up to transaction {xid}, {point}",
            xid=last.xid,
            point=point(last.lsn, last.time),
        )


def _place(place: WalPlace) -> str:
    span = place.first
    if place.segments > 1:
        span = tr("{first} to {last}", first=place.first, last=place.last)
    return tr(
        "{segments} in {directory}: {span}, {size}",
        segments=place.segments,
        directory=place.directory,
        span=span,
        size=sized(place.stored_bytes),
    )


def _room(plan: RestorePlan) -> Iterator[str]:
    if plan.room_bytes is None:
        yield tr("room        not known: the backup could not be looked through")
        return
    yield tr(
        "room        {size}: the backup, and WAL that is fetched meanwhile",
        size=sized(plan.room_bytes),
    )
    if plan.destination is not None and plan.free_bytes is not None:
        yield tr(
            "            free under {destination}: {free}, {enough}",
            destination=plan.destination,
            free=sized(plan.free_bytes),
            enough=tr("enough") if plan.free_bytes >= plan.room_bytes else tr("NOT ENOUGH"),
        )


def _time(plan: RestorePlan) -> Iterator[str]:
    time = plan.time
    if time is None:
        yield tr(
            "time        not known: no drill of the agent's has measured it (--config names them)"
        )
        return
    rest = trn(
        "replay {replay}, by {n} restore measured",
        "replay {replay}, by {n} restores measured",
        time.measured,
        replay=timed(time.replay_seconds),
    )
    if time.copy_seconds is None:
        yield tr(
            "time        {rest}; copying the backup is not in it: nothing has measured that",
            rest=rest,
        )
    else:
        total = time.copy_seconds + time.replay_seconds
        yield tr(
            "time        {total}: copy {copy}, {rest}",
            total=timed(total),
            copy=timed(time.copy_seconds),
            rest=rest,
        )
