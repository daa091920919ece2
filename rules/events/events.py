"""What happened on a path of timelines, and which of it a person asked for.

Commits and aborts stay columns until they are chosen: a busy archive has millions of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Final

from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.facts import (
    ChecksumsChange,
    DatabaseDrop,
    Event,
    LogicalDecodingChange,
    RestorePoint,
    Transaction,
)
from rules.events.catalog_rows import Action, RelationEvent
from rules.events.path_event import Kind, PathEvent
from rules.events.path_segments import Chapter
from rules.events.transactions import PathTransactions, Written
from rules.events.wanted import Place, WantedEvents, is_wanted

_STATES: Final = (tr("off"), tr("on"), tr("being turned off"), tr("being turned on"))


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundEvents:
    """What was found, oldest first."""

    happenings: tuple[PathEvent, ...]
    total: int  # that it would have been without the limit


# -- what is asked for ---------------------------------------------------------------------------


def find(story: PathTransactions, wanted: WantedEvents) -> FoundEvents:
    """Choose from a story. With `around_us` the nearest in time, with `from_us` the first, else the
    last of them are kept when there are more than the limit."""
    if wanted.is_everything:
        return _latest(story, wanted)
    from rules.events.candidates import find_candidates  # and numpy

    candidates = find_candidates(story, wanted)
    is_meant = wanted.is_named or (attrgetter("takes_away") if wanted.takes_away else None)
    if is_meant is not None:
        return _limited([each for each in _build(story, candidates) if is_meant(each)], wanted)
    happenings = _build(story, candidates.chosen(wanted))
    return FoundEvents(happenings=tuple(happenings), total=candidates.total)


def _latest(story: PathTransactions, wanted: WantedEvents) -> FoundEvents:
    """The last of everything: a chapter's records begin after those of the chapters before it."""
    total, last = 0, list[Place]()
    for number, chapter in reversed(list(enumerate(story.chapters))):
        for facts in (chapter.inside, chapter.crossing):
            events = [event for event in facts.events if is_wanted(event, facts, wanted)]
            rows = range(len(facts.transactions))
            total += len(rows) + len(events)
            if len(last) < wanted.limit:
                last += ((number, facts, row, None) for row in rows[-wanted.limit :])
                last += ((number, facts, -1, event) for event in events)
    happenings = _build(story, last)
    return FoundEvents(happenings=tuple(happenings[-wanted.limit :]), total=total)


def _limited(happenings: list[PathEvent], wanted: WantedEvents) -> FoundEvents:
    from rules.events.candidates import choose

    chosen = sorted(choose([each.time_us or 0 for each in happenings], wanted))
    kept = _sorted(happenings[index] for index in chosen)
    return FoundEvents(happenings=tuple(kept), total=len(happenings))


def _sorted(happenings: Iterator[PathEvent]) -> list[PathEvent]:
    return sorted(happenings, key=lambda each: each.lsn)


# -- values for a person -------------------------------------------------------------------------


def _build(story: PathTransactions, places: Iterable[Place]) -> list[PathEvent]:
    """In LSN order."""
    found = list(places)
    ended = [facts.transactions[row] for _, facts, row, event in found if event is None]
    written = story.written_by(xid for each in ended for xid in (each.xid, *each.subxids))
    return _sorted(_build_one(story, each, written) for each in found)


def _build_one(story: PathTransactions, place: Place, written: Mapping[int, Written]) -> PathEvent:
    number, facts, row, event = place
    chapter = story.chapters[number]
    if event is None:
        return _of_transaction(story, chapter, facts.transactions[row], written)
    kind, name, time_us = _say(event)
    return PathEvent(
        kind=kind, lsn=event.lsn, end_lsn=event.end_lsn, time_us=time_us,
        xid=0, segment=chapter.segment, timeline=chapter.timeline, name=name,
    )  # fmt: skip


def _say(event: Event) -> tuple[Kind, str, int | None]:
    """The kind of an event of no transaction, its name or state, and its time."""
    match event:
        case RestorePoint():
            return "restore_point", event.name, event.time_us
        case ChecksumsChange():
            known = event.state < len(_STATES)
            return "data_checksums", _STATES[event.state] if known else str(event.state), None
        case LogicalDecodingChange():
            return "logical_decoding", _STATES[event.on], None
    raise AssertionError("not asked for")


def _of_transaction(
    story: PathTransactions, chapter: Chapter, ended: Transaction, written: Mapping[int, Written]
) -> PathEvent:
    commits = ended.kind.is_commit
    records, size, first_lsn = _sum(written, (ended.xid, *ended.subxids))
    database = story.databases.get(ended.xid) if commits else None
    return PathEvent(
        kind="commit" if commits else "abort",
        lsn=ended.lsn,
        end_lsn=ended.end_lsn,
        time_us=ended.time_us,
        xid=ended.xid,
        segment=chapter.segment,
        timeline=chapter.timeline,
        subxids=ended.subxids,
        gid=ended.gid,
        database=database.database if database else None,
        database_name=story.rows.database_name(database.database)
        if database and story.rows
        else None,
        database_lsn=_spoilt_from(story, database, first_lsn),
        relations=tuple(_relations(story, ended)) if commits else (),
        records=records,
        bytes=size,
        first_lsn=first_lsn,
    )


def _relations(story: PathTransactions, ended: Transaction) -> Iterator[RelationEvent]:
    """What the catalogs' rows tell, then the files that went away and that they do not explain."""
    events = story.touched.get(ended.lsn, ())
    yield from events
    explained = {(event.database, event.filenode) for event in events}
    for relation in ended.relations:
        place = (relation.database, relation.number)
        if place not in explained:
            yield _nameless(story, "removed", place)
    for xid in (ended.xid, *ended.subxids):
        for relation in story.emptied.get(xid, ()):
            yield _nameless(story, "truncated", (relation.database, relation.number))


def _nameless(story: PathTransactions, action: Action, place: tuple[int, int]) -> RelationEvent:
    """What is known of a file only."""
    row = story.rows.row_of_file(*place) if story.rows else None
    event = RelationEvent(action, *place, row)
    return story.rows.name(event) if story.rows else event


def _spoilt_from(
    story: PathTransactions, drop: DatabaseDrop | None, first_lsn: int | None
) -> int | None:
    """DROP DATABASE marks the database as invalid, in place and for ever, then begins in earnest.

    The mark is of no transaction; without it (before the minor releases of August 2023) the first
    record of the transaction counts.
    """
    if drop is None:
        return None
    marked = story.rows.invalid_from.get(drop.database) if story.rows else None
    return min(lsn for lsn in (drop.lsn, first_lsn, marked) if lsn is not None)


def _sum(
    written: Mapping[int, Written], xids: tuple[int, ...]
) -> tuple[int, int, int] | tuple[None, None, None]:
    """Records, bytes and first LSN of a transaction and its subtransactions."""
    found = [written[xid] for xid in xids if xid in written]
    if not found:
        return None, None, None
    records, sizes, first_lsns = zip(*found, strict=True)
    return sum(records), sum(sizes), min(first_lsns)
