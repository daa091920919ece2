"""A plan as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from agent.documents.values import point
from agent.plan.plan import RestorePlan, WalPlace
from rules.model.counted import counted, sized, timed
from rules.model.findings import Verdict
from rules.model.target import Target

_WORDS: Final = {True: "can be reached", False: "cannot be reached", None: "is not proven"}


def plan_lines(plan: RestorePlan) -> Iterator[str]:
    """The answer, then what is needed, in the order in which it is needed."""
    target, report = plan.report.target, plan.report
    yield f"{report.verdict.value.upper()}: {_asked(target.target)} {_WORDS[target.reachable]}"
    yield f"  {target.reason}"
    if plan.proposal:
        yield f"  ask for what can be had: {plan.proposal}"
    if report.verdict is not Verdict.OK:
        yield "  findings: " + (", ".join(dict.fromkeys(f.id for f in report.findings)) or "none")
    if plan.backup is None or plan.outcome is None:
        return
    yield ""
    yield from _backup(plan)
    yield from _wal(plan)
    yield from _room(plan)
    yield from _time(plan)
    for needed in plan.outcome.directories:
        yield f"tablespace  {needed.location} ({needed.tablespace})"
    if plan.settings:
        yield "settings    to paste:"
        yield from (f"    {line}" for line in plan.settings.splitlines())


def _asked(target: Target) -> str:
    value = f" {target.value}" if target.value else ""
    return "end of WAL" if target.type == "none" else f"{target.type}{value}"


def _backup(plan: RestorePlan) -> Iterator[str]:
    backup = plan.backup
    assert backup is not None
    size = sized(plan.backup_bytes) if plan.backup_bytes is not None else "size not known"
    name = f"{backup.name} in " if backup.stored else ""  # else pg_basebackup's own words
    yield f"backup      {name}{backup.url}, {size}"
    if backup.finished_at:
        yield f"            finished at {backup.finished_at:%Y-%m-%d %H:%M:%S %Z}"
    if backup.stored and backup.stored.parents:
        yield f"            with what it is built on: {', '.join(backup.stored.parents)}"
    if plan.backup_unread:
        yield f"            {plan.backup_unread}"


def _wal(plan: RestorePlan) -> Iterator[str]:
    outcome = plan.outcome
    assert outcome is not None
    count, size = len(outcome.segments_needed), sized(outcome.bytes_needed)
    yield f"WAL         {counted(count, 'segment')}, {size}"
    for place in plan.wal:
        yield f"            {_place(place)}"
    last = outcome.last_transaction
    if last:
        yield f"            up to transaction {last.xid}, {point(last.lsn, last.time)}"


def _place(place: WalPlace) -> str:
    span = place.first if place.segments == 1 else f"{place.first} to {place.last}"
    return f"{place.segments} in {place.directory}: {span}, {sized(place.stored_bytes)}"


def _room(plan: RestorePlan) -> Iterator[str]:
    if plan.room_bytes is None:
        yield "room        not known: the backup could not be looked through"
        return
    yield f"room        {sized(plan.room_bytes)}: the backup, and WAL that is fetched meanwhile"
    if plan.destination is not None and plan.free_bytes is not None:
        enough = "enough" if plan.free_bytes >= plan.room_bytes else "NOT ENOUGH"
        yield f"            free under {plan.destination}: {sized(plan.free_bytes)}, {enough}"


def _time(plan: RestorePlan) -> Iterator[str]:
    time = plan.time
    if time is None:
        yield "time        not known: no drill of the agent's has measured it (--config names them)"
        return
    rest = f"replay {timed(time.replay_seconds)}, by {counted(time.measured, 'restore')} measured"
    if time.copy_seconds is None:
        yield f"time        {rest}; copying the backup is not in it: nothing has measured that"
    else:
        total = time.copy_seconds + time.replay_seconds
        yield f"time        {timed(total)}: copy {timed(time.copy_seconds)}, {rest}"
