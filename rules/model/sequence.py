"""Gaps: runs of WAL segments that the archive should hold and does not.

A timeline's segments are expected from where it left its parent (or from the oldest that is left)
to the newest that exists, to what a backup on it needs, and to where a child leaves it. The
segment that holds the switch itself is not expected of the parent: the child's first segment
repeats its content. Names are turned to numbers with the archive's own segment size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from parsers.segment import segment_before, segment_name, segment_of
from parsers.sentences import tr, trn
from parsers.values import dataclass
from rules.model.facts import BackupFacts
from rules.model.timelines import TimelineTree

LOST, DELAYED, UPLOADING, ACKNOWLEDGED = "lost", "delayed", "uploading", "acknowledged"
GAP_CLASSES = (LOST, DELAYED, UPLOADING, ACKNOWLEDGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One run of absent segments on one timeline."""

    timeline: int
    first: int  # segment numbers, both ends absent
    last: int
    segment_size_bytes: int
    cause: str = LOST  # the contract's `class`
    harmless: bool = False  # no window needs it
    at_fork: bool = False  # it begins where its timeline does

    @property
    def segments_count(self) -> int:
        return self.last - self.first + 1

    @property
    def word(self) -> str:
        """Its cause, for a person: of so many segments."""
        count = self.segments_count
        return {
            LOST: trn("lost", "lost", count),
            DELAYED: trn("delayed", "delayed", count),
            UPLOADING: trn("uploading", "uploading", count),
            ACKNOWLEDGED: trn("acknowledged", "acknowledged", count),
        }[self.cause]

    @property
    def in_words(self) -> str:
        """From where to where, how many, and of what cause."""
        first, last = self.first_name, self.last_name
        told = tr("{span} ({count} {cause}, no restore needs it)")
        return tr(
            told if self.harmless else tr("{span} ({count} {cause})"),
            span=first if first == last else tr("{first} to {last}", first=first, last=last),
            count=self.segments_count,
            cause=self.word,
        )

    @property
    def first_name(self) -> str:
        return segment_name(self.timeline, self.first, self.segment_size_bytes)

    @property
    def last_name(self) -> str:
        return segment_name(self.timeline, self.last, self.segment_size_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgedGap:
    """A gap that the owner knows of and has given a reason for."""

    timeline: int
    first: str
    last: str
    why: str


Numbers = Mapping[int, frozenset[int]]  # timeline -> segment numbers


def number_segments(names: Iterable[str], segment_size_bytes: int) -> Numbers:
    """Group segment names by timeline, as numbers. Names impossible at this size are left out."""
    per_log = 0x1_0000_0000 // segment_size_bytes
    grouped: dict[str, set[int]] = {}
    for name in names:  # a million of them: each costs two conversions and no pattern
        low = int(name[16:], 16)
        if low < per_log:
            number = int(name[8:16], 16) * per_log + low
            numbers = grouped.get(name[:8])
            if numbers is None:
                numbers = grouped[name[:8]] = set()
            numbers.add(number)
    return {int(t, 16): frozenset(numbers) for t, numbers in sorted(grouped.items())}


Runs = Mapping[int, Sequence[range]]  # timeline -> runs of segment numbers, lowest first


def find_gaps(
    present: Runs,
    tree: TimelineTree,
    segment_size_bytes: int,
    backups: Iterable[BackupFacts] = (),
) -> list[Gap]:
    """List the runs absent from `present`, per timeline, oldest first. See the module's rule."""
    backups = tuple(backups)
    starts = {
        (b.label.timeline, segment_of(b.label.start_lsn, segment_size_bytes)) for b in backups
    }
    stops = {
        (b.stop_timeline or b.label.timeline, segment_before(b.stop_lsn, segment_size_bytes))
        for b in backups
        if b.stop_lsn is not None
    }
    needed = starts | stops
    everything = [runs[0].start for runs in present.values() if runs]
    everything += [number for _, number in needed]
    if not everything:
        return []
    oldest = min(everything)
    gaps: list[Gap] = []
    for timeline in sorted({*present, *tree.timelines, *(t for t, _ in needed)}):
        runs = present.get(timeline, ())
        ends = [runs[0].start, runs[-1][-1]] if runs else []
        wanted = [*ends, *(number for t, number in needed if t == timeline)]
        ended = [*ends, *(number for t, number in stops if t == timeline)]
        bounds = _expected(timeline, wanted, ended, tree, segment_size_bytes, oldest)
        if bounds is not None:
            fork = _fork_of(timeline, tree, segment_size_bytes)
            gaps += [
                replace(gap, at_fork=gap.first == fork)
                for gap in _between(runs, timeline, bounds, segment_size_bytes)
            ]
    return gaps


def _fork_of(timeline: int, tree: TimelineTree, size: int) -> int | None:
    """The first segment of a timeline that left another; None for one that did not."""
    node = tree.timelines.get(timeline)
    if node is None or node.switch_lsn is None:
        return None
    return segment_of(node.switch_lsn, size)


def _expected(
    timeline: int,
    wanted: list[int],
    ended: list[int],  # of `wanted` what is surely complete: a backup being made has only begun
    tree: TimelineTree,
    size: int,
    oldest: int,
) -> tuple[int, int] | None:
    """First and last segment number expected on a timeline, None when nothing is."""
    left_at = [
        segment_of(child.switch_lsn, size) - 1
        for child in tree.children(timeline)
        if child.switch_lsn is not None
    ]
    fork = _fork_of(timeline, tree, size)
    first = max(fork, oldest) if fork is not None else min(wanted, default=oldest)
    last = max([*ended, *left_at], default=None)
    return None if last is None or last < first else (first, last)


def _between(
    runs: Sequence[range], timeline: int, bounds: tuple[int, int], size: int
) -> Iterator[Gap]:
    """What `runs` leave out between `bounds` (inclusive)."""
    expected, last = bounds
    for run in [*runs, range(last + 1, last + 2)]:
        end = min(run.start - 1, last)
        if end >= expected:
            yield Gap(timeline=timeline, first=expected, last=end, segment_size_bytes=size)
        expected = max(expected, run.stop)


def is_needed(gap: Gap, tree: TimelineTree, backups: Iterable[BackupFacts]) -> bool:
    """Tell whether some backup's window runs over the gap.

    It does when recovery from the backup towards the gap's timeline passes there, and the backup
    does not carry the absent WAL in its own pg_wal.
    """
    size = gap.segment_size_bytes
    for backup in backups:
        label = backup.label
        if not tree.reaches(gap.timeline, label.timeline, label.checkpoint_lsn):
            continue
        first = max(gap.first, segment_of(label.start_lsn, size))
        carried = number_segments(backup.wal, size).get(gap.timeline, frozenset())
        if any(
            number not in carried
            for number in range(first, min(gap.last, first + len(carried)) + 1)
        ):
            return True
    return False
