"""Whole segments that follow each other, joined into one scan.

Most of a large archive is uneventful: nothing is wrong in or between its segments, and no record
in them asks for more than to be replayed. `join_scans` makes one scan of such a stretch, which
says of it what its segments and the records that cross between them say. Who needs more looks at
the segments themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from parsers.values import dataclass
from parsers.wal.facts import (
    CheckpointRecord,
    CheckpointRedo,
    ChecksumsChange,
    DatedPlace,
    Event,
    Facts,
    FullPageWritesChange,
    LogicalDecodingChange,
    RelationTruncate,
    RestorePoint,
    RmgrCount,
    RunningTransactions,
    TableTruncate,
    Transaction,
    TransactionKind,
    Transactions,
)
from parsers.wal.scan import EndKind, SegmentScan
from parsers.wal.stitch import follow_tail, stitch

_ENDS: Final = (EndKind.FULL, EndKind.SWITCH)
_QUIET: Final = (
    CheckpointRedo,
    ChecksumsChange,
    FullPageWritesChange,
    LogicalDecodingChange,
    RelationTruncate,
    RestorePoint,
    RunningTransactions,
    TableTruncate,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionSummary:
    """What the transactions of a stretch come to."""

    commits: int
    aborts: int
    last: Transaction | None  # None: there is none
    latest_us: int
    lowest_xid: int
    highest_xid: int
    sample: tuple[DatedPlace, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedScan:
    """Segments that follow each other on one timeline, as one."""

    scan: SegmentScan  # header and head of the first, end and tail of the last, facts of all
    segments: int
    summary: TransactionSummary

    @property
    def end_lsn(self) -> int:
        """Up to where it is replayed: a switch ends it where its last segment ends."""
        facts, end = self.scan.facts, self.scan.end
        if end.kind is EndKind.SWITCH and self.scan.tail is not None:
            return self.scan.tail.lsn
        assert facts.end_lsn is not None, "what is joined has records"
        return facts.end_lsn


def is_quiet(facts: Facts) -> bool:
    """True when nothing in a stretch can do more to a recovery than be replayed."""
    kinds = facts.transactions.kinds
    if TransactionKind.COMMIT_PREPARED in kinds or TransactionKind.ABORT_PREPARED in kinds:
        return False
    return all(_is_quiet_event(event) for event in facts.events)


def _is_quiet_event(event: Event) -> bool:
    if isinstance(event, CheckpointRecord):
        return not event.shutdown and event.timeline == event.previous_timeline
    return isinstance(event, _QUIET)


def join_scans(scans: Sequence[SegmentScan]) -> JoinedScan | None:
    """Join segments in their order; None when anything in them needs to be looked at."""
    if not all(_is_whole(scan) and is_quiet(scan.facts) for scan in scans):
        return None
    first, parts = scans[0], [scans[0].facts]
    tail = first.tail
    for scan in scans[1:]:
        assert tail is not None and scan.head is not None, "they are whole"
        if scan.head.lsn != tail.lsn or _identity(scan) != _identity(first):
            return None
        boundary = stitch(tail, scan.head)
        if boundary.damage or boundary.fragment or not is_quiet(boundary.facts):
            return None
        parts += [boundary.facts, scan.facts]
        assert scan.tail is not None, "it is whole"
        tail = follow_tail(scan.tail, boundary)
    facts = _merge([part for part in parts if part.last_lsn is not None])
    scan = replace(first, facts=facts, tail=tail, end=scans[-1].end)
    return JoinedScan(scan=scan, segments=len(scans), summary=_summarise(facts.transactions))


def _is_whole(scan: SegmentScan) -> bool:
    """True when a segment is full of records that begin and end in it, but for its edges."""
    header, head, tail = scan.header, scan.head, scan.tail
    if scan.damage or scan.end.kind not in _ENDS or scan.depth != "records":
        return False
    if header is None or head is None or tail is None or scan.facts.last_lsn is None:
        return False
    if scan.size_bytes != header.segment_size or head.overwrites or tail.passing is not None:
        return False
    return head.fragment is None or not head.fragment.runs_on


def _identity(scan: SegmentScan) -> tuple[object, ...]:
    header, head, tail = scan.header, scan.head, scan.tail
    assert header is not None and head is not None and tail is not None, "it is whole"
    system, pages = header.system_identifier, (header.segment_size, header.page_size)
    return system, pages, header.page.magic, head.timeline, tail.timeline


def _merge(parts: Sequence[Facts]) -> Facts:
    records: Counter[int] = Counter()
    sizes: Counter[int] = Counter()
    for part in parts:
        for rmgr, count, size in part.by_rmgr:
            records[rmgr] += count
            sizes[rmgr] += size
    return Facts(
        first_lsn=parts[0].first_lsn,
        last_lsn=parts[-1].last_lsn,
        end_lsn=parts[-1].end_lsn,
        records=sum(part.records for part in parts),
        transactions=_concatenate([part.transactions for part in parts]),
        events=tuple(event for part in parts for event in part.events),
        by_rmgr=tuple(RmgrCount(rmgr, records[rmgr], sizes[rmgr]) for rmgr in sorted(records)),
    )


def _concatenate(parts: Sequence[Transactions]) -> Transactions:
    whole = Transactions()
    for part in parts:
        begin = len(whole)
        whole.lsns.extend(part.lsns)
        whole.end_lsns.extend(part.end_lsns)
        whole.times_us.extend(part.times_us)
        whole.xids.extend(part.xids)
        whole.kinds.extend(part.kinds)
        whole.details.update({begin + row: details for row, details in part.details.items()})
    return whole


def _summarise(transactions: Transactions) -> TransactionSummary:
    if not transactions:
        return TransactionSummary(
            commits=0, aborts=0, last=None, latest_us=0, lowest_xid=0, highest_xid=0
        )
    aborts = transactions.kinds.count(TransactionKind.ABORT)
    return TransactionSummary(
        commits=len(transactions) - aborts,
        aborts=aborts,
        last=transactions[-1],
        latest_us=max(transactions.times_us),
        lowest_xid=min(transactions.xids),
        highest_xid=max(transactions.xids),
        sample=tuple(transactions.sample()),
    )
