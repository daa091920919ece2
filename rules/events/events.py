"""What happened on a path of timelines, and which of it a person asked for.

Commits and aborts stay columns until they are chosen: a busy archive has millions of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field
from operator import attrgetter
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.facts import (
    ChecksumsChange,
    DatabaseDrop,
    Event,
    Facts,
    LogicalDecodingChange,
    RestorePoint,
    Transaction,
    Transactions,
)
from parsers.wal.journal import Usage
from rules.events.catalog_rows import Action, RelationEvent
from rules.events.path_segments import Chapter
from rules.events.transactions import PathTransactions, column

Kind = Literal["commit", "abort", "restore_point", "data_checksums", "logical_decoding"]
# What a server was switched to, of a record without a time. Others are of no interest here.
_SWITCHES: Final = (ChecksumsChange, LogicalDecodingChange)
_STATES: Final = (tr("off"), tr("on"), tr("being turned off"), tr("being turned on"))
_AWAY: Final = ("dropped", "truncated", "removed")


@dataclass(frozen=True, slots=True, kw_only=True)
class PathEvent:
    """One thing that happened."""

    kind: Kind
    lsn: int  # of the record that makes it so
    end_lsn: int
    time_us: int | None  # TimestampTz; None: its record has none
    xid: int  # 0: of no transaction
    segment: str
    timeline: int
    subxids: tuple[int, ...] = ()
    name: str | None = None  # of a restore point; of a switch, its new state
    gid: str | None = None  # of a prepared transaction
    database: int | None = None  # that it dropped: gone before the commit, at `database_lsn`
    database_name: str | None = None
    database_lsn: int | None = None  # the first record that spoils it
    relations: tuple[RelationEvent, ...] = ()
    records: int | None = None  # that the transaction wrote; None: not counted
    bytes: int | None = None
    first_lsn: int | None = None  # of the first of them

    @property
    def takes_away(self) -> bool:
        """Whether something was dropped or emptied; a toast table goes with its table only."""
        away = (event.row for event in self.relations if event.action in _AWAY)
        named = any(row is None or not row.name.startswith("pg_toast_") for row in away)
        return self.database is not None or named


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedEvents:
    """Which happenings are asked for. What is None asks nothing."""

    from_us: int | None = None
    to_us: int | None = None
    around_us: int | None = None
    xid: int | None = None  # also a subtransaction's
    takes_away: bool = False  # only what dropped or emptied something
    is_named: Callable[[PathEvent], bool] | None = None  # only what did it to this
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundEvents:
    """What was found, oldest first."""

    happenings: tuple[PathEvent, ...]
    total: int  # that it would have been without the limit


# -- what is asked for ---------------------------------------------------------------------------


class _Candidate(NamedTuple):
    """A transaction by its place, or another event."""

    chapter: int
    facts: Facts
    row: int  # of its transaction; -1: `event`
    event: Event | None


@dataclass(slots=True)
class _Candidates:
    """Columns of what may be wanted, by chapter: of each its transactions, then its events."""

    times: list[npt.NDArray[np.int64]] = field(default_factory=list)
    lsns: list[npt.NDArray[np.int64]] = field(default_factory=list)
    places: list[tuple[int, Facts, npt.NDArray[np.intp], Event | None]] = field(
        default_factory=list
    )

    def add(
        self, chapter: int, facts: Facts, rows: npt.NDArray[np.intp], event: Event | None = None
    ) -> None:
        if event is not None:
            at = getattr(event, "time_us", None) or _time_near(facts, event.lsn) or 0
            self.times.append(np.array([at], np.int64))
            self.lsns.append(np.array([event.lsn], np.int64))
        else:
            self.times.append(column(facts.transactions.times_us)[rows])
            self.lsns.append(column(facts.transactions.lsns)[rows])
        self.places.append((chapter, facts, rows, event))

    def __iter__(self) -> Iterator[_Candidate]:
        for chapter, facts, rows, event in self.places:
            for row in rows.tolist():
                yield _Candidate(chapter, facts, row, event)


def find(story: PathTransactions, wanted: WantedEvents) -> FoundEvents:
    """Choose from a story. With `around_us` the nearest in time, with `from_us` the first, else the
    last of them are kept when there are more than the limit."""
    candidates = _Candidates()
    for number, chapter in enumerate(story.chapters):
        for facts in (chapter.crossing, chapter.inside):
            rows = _wanted_rows(facts, story, wanted)
            if len(rows):
                candidates.add(number, facts, rows)
            for event in facts.events:
                if _is_wanted(event, facts, wanted):
                    candidates.add(number, facts, _EVENT, event)
    is_meant = wanted.is_named or (attrgetter("takes_away") if wanted.takes_away else None)
    if is_meant is not None:
        built = _sorted(_build(story, each) for each in candidates)
        named = [each for each in built if is_meant(each)]
        return _limited(named, wanted)
    times = np.concatenate([_NONE, *candidates.times])
    in_order = np.concatenate([_NONE, *candidates.lsns]).argsort(kind="stable")
    chosen = set(in_order[_choose(times[in_order], wanted)].tolist())
    kept = (each for index, each in enumerate(candidates) if index in chosen)
    happenings = tuple(_sorted(_build(story, each) for each in kept))
    return FoundEvents(happenings=happenings, total=len(times))


_EVENT: Final = np.array([-1])
_NONE: Final = np.empty(0, np.int64)


def _wanted_rows(
    facts: Facts, story: PathTransactions, wanted: WantedEvents
) -> npt.NDArray[np.intp]:
    transactions = facts.transactions
    if not len(transactions):
        return np.empty(0, np.intp)
    mask = _in_period(column(transactions.times_us), wanted)
    if wanted.xid is not None:
        named = column(transactions.xids) == wanted.xid
        for row, details in transactions.details.items():
            named[row] |= wanted.xid in details.subxids
        mask &= named
    if wanted.takes_away:
        mask &= _taking_away(transactions, story)
    return np.flatnonzero(mask)


def _taking_away(transactions: Transactions, story: PathTransactions) -> npt.NDArray[np.bool_]:
    """The commits that may have dropped or emptied something."""
    mask = np.zeros(len(transactions), np.bool_)
    emptied = story.emptied.keys()
    for row, details in transactions.details.items():
        mask[row] = bool(details.relations) or not emptied.isdisjoint(details.subxids)
    mask |= np.isin(column(transactions.xids), [*emptied, *story.databases])
    mask |= np.isin(column(transactions.lsns), list(story.touched))
    return mask & np.isin(column(transactions.kinds), (0, 2))


def _in_period(times: npt.NDArray[np.int64], wanted: WantedEvents) -> npt.NDArray[np.bool_]:
    mask = np.ones(len(times), np.bool_)
    if wanted.from_us is not None:
        mask &= times >= wanted.from_us
    if wanted.to_us is not None:
        mask &= times <= wanted.to_us
    return mask


def _is_wanted(event: Event, facts: Facts, wanted: WantedEvents) -> bool:
    if wanted.takes_away or wanted.xid is not None:
        return False
    if isinstance(event, RestorePoint):
        at: int | None = event.time_us
    elif isinstance(event, _SWITCHES):
        at = _time_near(facts, event.lsn)
    else:
        return False
    return at is None or bool(_in_period(np.array([at], np.int64), wanted)[0])


def _time_near(facts: Facts, lsn: int) -> int | None:
    """When a record without a time was written: at the transaction before it, or after it."""
    before, after = facts.transactions.before(lsn), facts.transactions.from_lsn(lsn)
    if before:
        return before[-1].time_us
    return after[0].time_us if after else None


def _choose(times: npt.NDArray[np.int64], wanted: WantedEvents) -> npt.NDArray[np.intp]:
    """Which of the candidates are kept."""
    everything = np.arange(len(times))
    if len(times) <= wanted.limit:
        return everything
    if wanted.around_us is not None:
        return np.argsort(np.abs(times - wanted.around_us), kind="stable")[: wanted.limit]
    if wanted.from_us is not None:
        return everything[: wanted.limit]
    return everything[len(times) - wanted.limit :]


def _limited(happenings: list[PathEvent], wanted: WantedEvents) -> FoundEvents:
    times = np.array([each.time_us or 0 for each in happenings], np.int64)
    chosen = sorted(_choose(times, wanted).tolist())
    kept = _sorted(happenings[index] for index in chosen)
    return FoundEvents(happenings=tuple(kept), total=len(happenings))


def _sorted(happenings: Iterator[PathEvent]) -> list[PathEvent]:
    return sorted(happenings, key=lambda each: each.lsn)


# -- values for a person -------------------------------------------------------------------------


def _build(story: PathTransactions, candidate: _Candidate) -> PathEvent:
    chapter, event = story.chapters[candidate.chapter], candidate.event
    if event is None:
        return _of_transaction(story, chapter, candidate.facts, candidate.row)
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


def _of_transaction(story: PathTransactions, chapter: Chapter, facts: Facts, row: int) -> PathEvent:
    ended = facts.transactions[row]
    commits = ended.kind.is_commit
    records, size, first_lsn = _written(story.usage, (ended.xid, *ended.subxids))
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


def _written(usage: Usage, xids: tuple[int, ...]) -> tuple[int, int, int] | tuple[None, None, None]:
    """Records, bytes and first LSN of a transaction and its subtransactions."""
    at = np.searchsorted(usage.xids, np.array(xids, np.uint32))
    at = at[at < len(usage.xids)]
    at = at[np.isin(usage.xids[at], np.array(xids, np.uint32))]
    if not len(at):
        return None, None, None
    return (
        int(usage.records[at].sum()),
        int(usage.bytes[at].sum()),
        int(usage.first_lsns[at].min()),
    )
