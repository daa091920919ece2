"""The scans of an archive, by segment, of which whole stretches may be at hand joined.

A look at everything goes from stretch to stretch, and so does a recovery past those that cannot
hold what it looks for; a segment's own scan is fetched when it is asked for by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from parsers.values import dataclass
from parsers.wal.facts import Facts, Transactions
from parsers.wal.join import JoinedScan, TransactionSummary
from parsers.wal.scan import SegmentScan, SegmentTail
from rules.model.segment_names import LookedUp

Scans = Mapping[str, SegmentScan]


class Sought(Protocol):
    """What recovery looks for, as `rules.model.goal.Goal` has it."""

    @property
    def type(self) -> str: ...
    @property
    def time_us(self) -> int | None: ...
    @property
    def lsn(self) -> int | None: ...
    @property
    def xid(self) -> int | None: ...
    @property
    def name(self) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedStretch:
    """A stretch of segments, nothing wrong in it."""

    names: tuple[str, ...]  # on one timeline, one after the other
    whole: JoinedScan

    @property
    def facts(self) -> Facts:
        """What lies in its segments and crosses between them, but for the single transactions."""
        facts = self.whole.scan.facts
        return replace(facts, end_lsn=self.whole.end_lsn, transactions=Transactions())

    @property
    def summary(self) -> TransactionSummary:
        """What its transactions come to."""
        return self.whole.summary

    @property
    def tail(self) -> SegmentTail:
        """Of its last segment."""
        tail = self.whole.scan.tail
        assert tail is not None, "they are whole"
        return tail

    def may_contain(self, goal: Sought) -> bool:
        """False when a target is certainly not in it."""
        facts, summary = self.whole.scan.facts, self.whole.summary
        match goal.type:
            case "time":
                some = bool(summary.commits or summary.aborts)
                return some and (goal.time_us is None or summary.latest_us >= goal.time_us)
            case "xid":
                return goal.xid is None or summary.lowest_xid <= goal.xid <= summary.highest_xid
            case "lsn":
                return goal.lsn is None or (facts.last_lsn or 0) >= goal.lsn
            case "name":
                return any(point.name == goal.name for point in facts.restore_points)
            case "none":
                return False
            case _:  # immediate: any record may be it
                return True

    def holds(self, lsn: int) -> bool:
        """Tell whether an LSN lies after its first record's start and not after its end."""
        first_lsn = self.whole.scan.facts.first_lsn
        return first_lsn is not None and first_lsn < lsn <= self.whole.end_lsn


class JoinedScans(LookedUp[SegmentScan]):
    """The scans of segments, and stretches of them."""

    def __init__(
        self,
        names: Collection[str],
        find: Callable[[str], SegmentScan],
        joined: Mapping[str, JoinedStretch],
    ) -> None:
        super().__init__(names, find)
        self.joined = joined  # by the name of the first segment


def joined_in(scans: Scans) -> Mapping[str, JoinedStretch]:
    """The stretches of a mapping, by the name of their first segment; empty where it has none."""
    return scans.joined if isinstance(scans, JoinedScans) else {}


class Unit(NamedTuple):
    """One segment, or a stretch of them."""

    names: Sequence[str]
    scan: SegmentScan


def units_of(run: Sequence[str], scans: Scans) -> Iterator[Unit]:
    """A run of segments that follow each other, in as few pieces as there are."""
    joined, position = joined_in(scans), 0
    while position < len(run):
        name = run[position]
        unit = joined.get(name)
        if unit is not None and tuple(run[position : position + len(unit.names)]) == unit.names:
            yield Unit(unit.names, unit.whole.scan)
            position += len(unit.names)
        else:
            yield Unit((name,), scans[name])
            position += 1


def count_systems(scans: Scans) -> Counter[int]:
    """How many segments say that they are of which cluster."""
    said: Counter[int] = Counter()
    covered: set[str] = set()
    for unit in joined_in(scans).values():
        header = unit.whole.scan.header
        if header is not None:
            said[header.system_identifier] += len(unit.names)
            covered.update(unit.names)
    for name in set(scans).difference(covered):
        header = scans[name].header
        if header is not None:
            said[header.system_identifier] += 1
    return said
