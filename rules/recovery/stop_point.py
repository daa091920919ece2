"""At which record a target stops recovery.

Follows recoveryStopsBefore and recoveryStopsAfter in xlogrecovery.c (the same in 13 to 18):

time        before the first commit or abort with a later time; exclusive: with the same or later
xid         after the commit or abort of that very transaction; exclusive: before it
lsn         after the first record that starts there or after; exclusive: before it
name        after the first restore point of that name from the redo location on
immediate   before the record that follows consistency, or after the commit that reached it

Commits and aborts of prepared transactions count under the prepared transaction's xid, PREPARE
itself does not; subtransactions have no record of their own. Times are in no order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from parsers.sentences import tr
from parsers.wal.facts import Facts, Transaction
from parsers.wal.page import first_record_lsn
from parsers.wal.record import RecordPlace
from rules.model.goal import Goal
from rules.model.outcome import Position, Stop

Locate = Callable[[int], RecordPlace | None]  # the first record of the stretch at or after an LSN


class FoundStop(NamedTuple):
    """A stop, and what the server makes of the record that it stops at."""

    stop: Stop
    read_lsn: int  # start of the last record read: what "redo done at" names
    applied: bool  # that record is replayed
    counted: bool  # a transaction there is the "last completed" one

    @property
    def replayed_lsn(self) -> int:
        """Records that start before it are replayed, and no others."""
        return self.read_lsn + self.applied


class Consistency(NamedTuple):
    """Where the backup became consistent."""

    lsn: int  # end of the record that did it
    by_lsn: int | None  # its start; None when not known


def find_stop(
    goal: Goal,
    facts: Facts,
    consistency: Consistency | None,
    segment_size: int,
    locate: Locate,
) -> FoundStop | None:
    """Find the target in one stretch of WAL; None when it is not in it."""
    match goal.type:
        case "time":
            return _stop_by_time(goal, facts)
        case "xid":
            return _stop_by_xid(goal, facts)
        case "lsn":
            return _stop_by_lsn(goal, facts, locate)
        case "name":
            return _stop_by_name(goal, facts)
        case "immediate":
            if consistency is None:
                return None
            return _stop_by_consistency(facts, consistency, segment_size)
        case _:
            return None


def _stop_by_time(goal: Goal, facts: Facts) -> FoundStop | None:
    assert goal.time_us is not None
    times = facts.transactions.times_us
    limit = goal.time_us + goal.inclusive
    if not times or max(times) < limit:
        return None
    row = next(row for row, time in enumerate(times) if time >= limit)
    return _at_transaction("before", facts.transactions[row])


def _stop_by_xid(goal: Goal, facts: Facts) -> FoundStop | None:
    assert goal.xid is not None
    try:
        row = facts.transactions.xids.index(goal.xid)
    except ValueError:
        return None
    return _at_transaction("after" if goal.inclusive else "before", facts.transactions[row])


def _at_transaction(position: Position, transaction: Transaction) -> FoundStop:
    stop = Stop(
        position=position,
        kind="commit" if transaction.kind.is_commit else "abort",
        lsn=transaction.lsn,
        end_lsn=transaction.end_lsn,
        xid=transaction.xid,
        time_us=transaction.time_us,
    )
    after = position == "after"
    return FoundStop(stop, transaction.lsn, applied=after, counted=after)


def _stop_by_name(goal: Goal, facts: Facts) -> FoundStop | None:
    for point in facts.restore_points:
        if point.name == goal.name:
            stop = Stop(
                position="at",
                kind="restore_point",
                lsn=point.lsn,
                end_lsn=point.end_lsn,
                name=point.name,
                time_us=point.time_us,
            )
            return FoundStop(stop, point.lsn, applied=True, counted=False)
    return None


def _stop_by_lsn(goal: Goal, facts: Facts, locate: Locate) -> FoundStop | None:
    assert goal.lsn is not None
    if facts.first_lsn is None or facts.last_lsn is None or facts.last_lsn < goal.lsn:
        return None
    lsn, end_lsn = facts.last_lsn, facts.end_lsn
    if goal.lsn < lsn and facts.first_lsn < lsn:
        lsn = max(goal.lsn, facts.first_lsn)
        place = locate(lsn)
        lsn, end_lsn = (place.lsn, place.end_lsn) if place else (lsn, None)
    stop = Stop(
        position="after" if goal.inclusive else "before",
        kind="lsn",
        lsn=lsn,
        end_lsn=end_lsn,
        record=_describe(facts, lsn),
    )
    return FoundStop(stop, lsn, applied=goal.inclusive, counted=False)


def _describe(facts: Facts, lsn: int) -> str | None:
    """What is at an LSN, as far as the facts know it."""
    later = facts.transactions.from_lsn(lsn)
    if later and later[0].lsn == lsn:
        first = later[0]
        commit = tr("commit of transaction {xid}")
        told = commit if first.kind.is_commit else tr("abort of transaction {xid}")
        return tr(told, xid=first.xid)
    return next((type(event).__name__ for event in facts.events if event.lsn == lsn), None)


def _stop_by_consistency(
    facts: Facts, consistency: Consistency, segment_size: int
) -> FoundStop | None:
    if facts.first_lsn is None or facts.last_lsn is None:
        return None
    stop = Stop(
        position="after", kind="consistency", lsn=consistency.by_lsn, end_lsn=consistency.lsn
    )
    ends = facts.transactions.end_lsns
    if consistency.lsn in ends:
        reached = facts.transactions[ends.index(consistency.lsn)]
        return FoundStop(stop, reached.lsn, applied=True, counted=True)
    if facts.last_lsn < consistency.lsn:
        return None
    next_lsn = max(first_record_lsn(consistency.lsn, segment_size), facts.first_lsn)
    return FoundStop(stop, next_lsn, applied=False, counted=False)
