"""What `pitr-check find` prints for a person: what happened, oldest first, and the target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from agent.documents.values import printed_time
from agent.find.answer import Answer
from agent.language import say
from parsers.lsn import format_lsn
from parsers.sentences import indented, joined, tr, trn
from parsers.wal.facts import instant
from rules.events.attribution import shorten
from rules.events.catalog_rows import RelationEvent
from rules.events.coverage import Coverage
from rules.events.path_event import PathEvent
from rules.events.relation_names import is_companion, kind_word, qualified_name
from rules.events.target_before import Moment
from rules.model.counted import counted, sized

_SWITCHES: Final = {
    "data_checksums": tr("data checksums"), "logical_decoding": tr("logical decoding"),
}  # fmt: skip

_ACTIONS: Final = {
    "created": tr("created"), "dropped": tr("dropped"), "truncated": tr("truncated"),
    "rewritten": tr("rewritten"), "removed": tr("removed"),
}  # fmt: skip


def find_lines(answer: Answer) -> Iterator[str]:
    look, found = answer.look, answer.found
    chapters = look.story.chapters
    yield tr(
        "timeline {id}: {segments}, {first} to {last}",
        id=look.timeline,
        segments=counted(len(chapters), "segment"),
        first=chapters[0].segment,
        last=chapters[-1].segment,
    )
    yield from (tr("note: {note}", note=note) for note in answer.notes)
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
            yield tr(
                "{shown} of {total}: --limit shows more, --around T the nearest to T",
                shown=shown,
                total=found.total,
            )
        elif not found.total:
            yield tr("nothing that was asked for")
    if answer.moment is not None and answer.chosen is not None:
        yield ""
        yield from _moment(answer, answer.moment)


def _happening(each: PathEvent) -> Iterator[str]:
    if each.kind == "restore_point":
        what: str = tr("restore point {name!r}", name=each.name)
    elif each.kind in _SWITCHES:
        what = tr("{switch}: {value}", switch=_SWITCHES[each.kind], value=each.name)
    else:
        what = tr(
            "{kind} of {xid}{prepared}{written}",
            kind=each.kind,
            xid=each.xid,
            prepared=tr(" (prepared as {gid!r})", gid=each.gid) if each.gid else "",
            written=_written(each),
        )
    yield tr("{at}  {lsn}  {what}", at=_time(each.time_us), lsn=format_lsn(each.lsn), what=what)
    yield from (indented(line, 4) for line in _relations(each))


def _who(answer: Answer, each: PathEvent) -> Iterator[str]:
    """Of a long transaction the first and the last lines."""
    found = list((answer.who or {}).get(each.lsn, ()))
    shown = found if len(found) <= 4 else [*found[:2], *found[-2:]]
    for witness in shown:
        line = witness.line
        whose = tr(
            "user {user}, database {database}{pid}: {text}",
            user=line.user or tr("unknown"),
            database=line.database or tr("unknown"),
            pid=f", pid {line.pid}" if line.pid is not None else "",
            text=shorten(line.text),
        )
        if witness.by == "transaction":
            yield tr("    by {whose}", whose=whose)
        else:
            yield tr("    likely, not proven: by {whose}", whose=whose)
    if len(shown) < len(found):
        yield trn(
            "    and {n} more line of it in the log",
            "    and {n} more lines of it in the log",
            len(found) - len(shown),
        )


def _written(each: PathEvent) -> str:
    if each.records is None:
        return ""
    parts = ""
    if each.subxids:
        parts = tr(" in {count} (sub)transactions", count=len(each.subxids) + 1)
    return tr(
        ", {records}, {size}{parts}",
        records=counted(each.records, "record"),
        size=sized(each.bytes or 0),
        parts=parts,
    )


def _relations(each: PathEvent) -> Iterator[str]:
    if each.database is not None:
        name = each.database_name or tr("of unknown name")
        yield tr("dropped database {name} (OID {oid})", name=name, oid=each.database)
    main = [event for event in each.relations if not is_companion(event)]
    for event in main or each.relations:
        yield _relation(event)
    rest = len(each.relations) - len(main or each.relations)
    if rest:
        yield tr("and {rest} of their indexes, sequences and toast tables", rest=rest)


def _relation(event: RelationEvent) -> str:
    action, database = _ACTIONS[event.action], event.database_name or event.database
    if event.row is None:
        return tr(
            "{action} file {filenode} in database {database}: whose it was is unknown",
            action=action,
            filenode=event.filenode,
            database=database,
        )
    numbers = [f"OID {event.row.oid}"]
    if event.filenode and event.filenode != event.row.oid:
        numbers.append(tr("file {filenode}", filenode=event.filenode))
    return tr(
        "{action} {kind} {name} ({numbers}) in database {database}",
        action=action,
        kind=kind_word(event),
        name=qualified_name(event),
        numbers=joined(", ", numbers),
        database=database,
    )


def _coverage(answer: Answer, coverage: Coverage) -> Iterator[str]:
    at = _time(coverage.at_us)
    if not coverage.segments:
        yield tr("{at} is earlier than everything that was read", at=at)
        return
    if coverage.is_known:
        yield tr("the WAL of {at} is in", at=at)
    else:
        yield tr("{at} is later than everything that was read, which ends in", at=at)
    for each in coverage.segments:
        file = answer.look.file_of(each.segment)
        held = file.path if file else tr("MISSING")
        flaw = tr(", DAMAGED: {flaw}", flaw=each.flaw) if each.flaw else ""
        times = ""
        if each.first_us:
            first, last = _time(each.first_us), _time(each.last_us)
            times = tr(", commits {first} to {last}", first=first, last=last)
        yield tr(
            "  {segment}  {held}{times}{flaw}",
            segment=each.segment,
            held=held,
            times=times,
            flaw=flaw,
        )
    if coverage.next_segment:
        yield tr(
            "  its WAL would be in {segment} or later: it is not there (yet)",
            segment=coverage.next_segment,
        )


def _moment(answer: Answer, moment: Moment) -> Iterator[str]:
    goal, outcome = moment.goal, moment.outcome
    value = {"xid": goal.xid, "lsn": format_lsn(goal.lsn or 0), "time": _time(goal.time_us)}
    how = tr("recovery_target_{type} = {value}, exclusive", type=goal.type, value=value[goal.type])
    if not moment.reachable:
        told = tr("cannot be reached") if moment.reachable is False else tr("not proven")
        yield tr("the target just before it, {how}: {told}", how=how, told=told)
        yield indented(moment.reason)
        return
    assert outcome is not None
    assert moment.restore is not None
    yield tr("the target just before it: {how}", how=how)
    yield indented(moment.reason)
    last = ""
    if moment.last_time_us:
        last = tr(", the last at {time}", time=_time(moment.last_time_us))
    commits = counted(moment.commits_after, "commit")
    yield tr("  it leaves out {commits}{last}", commits=commits, last=last)
    yield tr("  restore {url}, and paste:", url=moment.restore.backup.url)
    yield from (indented(line, 4) for line in say(answer.settings or "").splitlines())


def _time(time_us: int | None) -> str:
    return printed_time(instant(time_us)) if time_us is not None else tr("at an unknown time")
