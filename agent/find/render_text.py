"""What `pitr-check find` prints for a person: what happened, oldest first, and the target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from agent.documents.values import printed_time
from agent.find.answer import Answer
from parsers.lsn import format_lsn
from parsers.wal.facts import instant
from rules.events.attribution import shorten
from rules.events.catalog_rows import RelationEvent
from rules.events.coverage import Coverage
from rules.events.events import PathEvent
from rules.events.relation_names import is_companion, kind_word, qualified_name
from rules.events.target_before import Moment
from rules.model.counted import counted, sized

_SWITCHES: Final = {
    "data_checksums": "data checksums", "logical_decoding": "logical decoding",
}  # fmt: skip


def find_lines(answer: Answer) -> Iterator[str]:
    look, found = answer.look, answer.found
    chapters = look.story.chapters
    yield (
        f"timeline {look.timeline}: {counted(len(chapters), 'segment')}, {chapters[0].segment} to "
        f"{chapters[-1].segment}"
    )
    yield from (f"note: {note}" for note in answer.notes)
    if answer.coverage:
        yield ""
        yield from _coverage(answer, answer.coverage)
    if found is not None:
        yield ""
        for happening in found.happenings:
            yield from _happening(happening)
            yield from _who(answer, happening)
        shown = len(found.happenings)
        if shown < found.total:
            yield f"{shown} of {found.total}: --limit shows more, --around T the nearest to T"
        elif not found.total:
            yield "nothing that was asked for"
    if answer.moment is not None and answer.chosen is not None:
        yield ""
        yield from _moment(answer, answer.moment)


def _happening(each: PathEvent) -> Iterator[str]:
    at = _time(each.time_us)
    if each.kind == "restore_point":
        yield f"{at}  {format_lsn(each.lsn)}  restore point {each.name!r}"
        return
    if each.kind in _SWITCHES:
        yield f"{at}  {format_lsn(each.lsn)}  {_SWITCHES[each.kind]}: {each.name}"
        return
    prepared = f" (prepared as {each.gid!r})" if each.gid else ""
    yield f"{at}  {format_lsn(each.lsn)}  {each.kind} of {each.xid}{prepared}{_written(each)}"
    yield from (f"    {line}" for line in _relations(each))


def _who(answer: Answer, each: PathEvent) -> Iterator[str]:
    """Of a long transaction the first and the last lines."""
    found = list((answer.who or {}).get(each.lsn, ()))
    shown = found if len(found) <= 4 else [*found[:2], *found[-2:]]
    for witness in shown:
        line = witness.line
        whose = f"user {line.user or 'unknown'}, database {line.database or 'unknown'}"
        pid = f", pid {line.pid}" if line.pid is not None else ""
        how = "by" if witness.by == "transaction" else "likely, not proven: by"
        yield f"    {how} {whose}{pid}: {shorten(line.text)}"
    if len(shown) < len(found):
        yield f"    and {counted(len(found) - len(shown), 'more line')} of it in the log"


def _written(each: PathEvent) -> str:
    if each.records is None:
        return ""
    parts = f" in {len(each.subxids) + 1} (sub)transactions" if each.subxids else ""
    return f", {counted(each.records, 'record')}, {sized(each.bytes or 0)}{parts}"


def _relations(each: PathEvent) -> Iterator[str]:
    if each.database is not None:
        name = each.database_name or "of unknown name"
        yield f"dropped database {name} (OID {each.database})"
    main = [event for event in each.relations if not is_companion(event)]
    for event in main or each.relations:
        yield _relation(event)
    rest = len(each.relations) - len(main or each.relations)
    if rest:
        yield f"and {rest} of their indexes, sequences and toast tables"


def _relation(event: RelationEvent) -> str:
    where = f"in database {event.database_name or event.database}"
    if event.row is None:
        return f"{event.action} file {event.filenode} {where}: whose it was is unknown"
    numbers = f"OID {event.row.oid}"
    if event.filenode and event.filenode != event.row.oid:
        numbers += f", file {event.filenode}"
    return f"{event.action} {kind_word(event)} {qualified_name(event)} ({numbers}) {where}"


def _coverage(answer: Answer, coverage: Coverage) -> Iterator[str]:
    at = _time(coverage.at_us)
    if not coverage.segments:
        yield f"{at} is earlier than everything that was read"
        return
    if coverage.is_known:
        yield f"the WAL of {at} is in"
    else:
        yield f"{at} is later than everything that was read, which ends in"
    for each in coverage.segments:
        file = answer.look.file_of(each.segment)
        held = file.path if file else "MISSING"
        flaw = f", DAMAGED: {each.flaw}" if each.flaw else ""
        times = (
            f", commits {_time(each.first_us)} to {_time(each.last_us)}" if each.first_us else ""
        )
        yield f"  {each.segment}  {held}{times}{flaw}"
    if coverage.next_segment:
        yield f"  its WAL would be in {coverage.next_segment} or later: it is not there (yet)"


def _moment(answer: Answer, moment: Moment) -> Iterator[str]:
    goal, outcome = moment.goal, moment.outcome
    value = {"xid": goal.xid, "lsn": format_lsn(goal.lsn or 0), "time": _time(goal.time_us)}
    how = f"recovery_target_{goal.type} = {value[goal.type]}, exclusive"
    if not moment.reachable:
        told = "cannot be reached" if moment.reachable is False else "not proven"
        yield f"the target just before it, {how}: {told}"
        yield f"  {moment.reason}"
        return
    assert outcome is not None
    assert moment.restore is not None
    yield f"the target just before it: {how}"
    yield f"  {moment.reason}"
    last = f", the last at {_time(moment.last_time_us)}" if moment.last_time_us else ""
    yield f"  it leaves out {counted(moment.commits_after, 'commit')}{last}"
    yield f"  restore {moment.restore.backup.url}, and paste:"
    yield from (f"    {line}" for line in (answer.settings or "").splitlines())


def _time(time_us: int | None) -> str:
    return printed_time(instant(time_us)) if time_us is not None else "at an unknown time"
