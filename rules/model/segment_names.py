"""Names of segments without an object for each: a million of them in half a megabyte.

The 24 digits of a name are timeline, four-GiB log and segment in the log (XLogFileName in
xlog_internal.h). What names share, the first 16 digits, is told once, and the segments of that log
are the bits of a number.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from functools import partial
from heapq import merge
from typing import Final, TypeVar

from parsers.segment import MIN_SEGMENT_SIZE, is_segment_name, segments_per_log
from rules.model.facts import ArchivedFile

T = TypeVar("T")

_MOST: Final = segments_per_log(MIN_SEGMENT_SIZE)  # segments of a log
# Last eight digits, and maybe a suffix -> the segment's bit.
Bits = dict[str, int]
BITS: Final[Bits] = {}


class SegmentNames(Set[str]):
    """A set of names; iterating is in order. It may hold any name, few of them at best."""

    __slots__ = ("logs", "others")

    def __init__(self, logs: Mapping[str, int] | None = None, others: Iterable[str] = ()) -> None:
        self.logs: Final = logs or {}  # first 16 digits -> its segments, each a bit
        self.others: Final = frozenset(others)  # names that no segment can have

    @classmethod
    def of(cls, names: Iterable[str]) -> SegmentNames:
        """The same names; without a copy where they are so already."""
        if isinstance(names, SegmentFiles):
            return names.keys()
        if isinstance(names, ListedFiles):
            return names.segment_names()
        if isinstance(names, SegmentNames):
            return names
        logs: dict[str, int] = {}
        return cls(logs, mark_segments(names, logs))

    @classmethod
    def _from_iterable(cls, it: Iterable[str]) -> SegmentNames:  # type: ignore[override]
        return cls.of(it)

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        log = self.logs.get(name[:16])
        if log is not None and (bit := _bit_of(name)) is not None:
            return bool(log & bit)
        return name in self.others

    def __iter__(self) -> Iterator[str]:
        names = (
            f"{log}{number:08X}"
            for log in sorted(self.logs)
            for run in _runs_of_bits(self.logs[log])
            for number in run
        )
        return merge(names, sorted(self.others)) if self.others else names

    def __reversed__(self) -> Iterator[str]:
        names = (name for log in sorted(self.logs, reverse=True) for name in _down(self, log))
        return merge(names, sorted(self.others, reverse=True), reverse=True)

    def __len__(self) -> int:
        return sum(map(int.bit_count, self.logs.values())) + len(self.others)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SegmentNames):
            return self.logs == other.logs and self.others == other.others
        return super().__eq__(other)

    def __or__(self, other: Iterable[str]) -> SegmentNames:  # type: ignore[override]
        names = SegmentNames.of(other)
        logs = {log: bits | self.logs.get(log, 0) for log, bits in names.logs.items()}
        return SegmentNames({**self.logs, **logs}, self.others | names.others)

    __ror__ = __or__

    def __and__(self, other: Iterable[str]) -> SegmentNames:
        names = SegmentNames.of(other)
        both = ((log, bits & names.logs.get(log, 0)) for log, bits in self.logs.items())
        return SegmentNames(dict(each for each in both if each[1]), self.others & names.others)

    __rand__ = __and__

    def __sub__(self, other: Iterable[str]) -> SegmentNames:
        names = SegmentNames.of(other)
        left = ((log, bits & ~names.logs.get(log, 0)) for log, bits in self.logs.items())
        return SegmentNames(dict(each for each in left if each[1]), self.others - names.others)

    def __rsub__(self, other: Iterable[str]) -> SegmentNames:
        return SegmentNames.of(other) - self

    @property
    def ends(self) -> dict[str, tuple[str, str]]:
        """The oldest and the newest name of each timeline, by its eight digits."""
        logs: dict[str, list[str]] = {}
        for log in sorted(self.logs):
            logs.setdefault(log[:8], []).append(log)
        ends = {
            timeline: (_oldest(own[0], self.logs[own[0]]), _newest(own[-1], self.logs[own[-1]]))
            for timeline, own in logs.items()
        }
        for name in self.others:
            oldest, newest = ends.get(name[:8], (name, name))
            ends[name[:8]] = min(oldest, name), max(newest, name)
        return ends

    def by_timeline(self) -> list[SegmentNames]:
        """The names of each timeline by themselves."""
        parts: dict[str, tuple[dict[str, int], list[str]]] = {}
        for log, bits in self.logs.items():
            parts.setdefault(log[:8], ({}, []))[0][log] = bits
        for name in self.others:
            parts.setdefault(name[:8], ({}, []))[1].append(name)
        return [SegmentNames(*part) for part in parts.values()]

    @property
    def timelines(self) -> set[int]:
        return {int(timeline, 16) for timeline in self.ends}

    @property
    def extent(self) -> tuple[str, str] | None:
        """The first and the last name by the WAL's order, not the timelines'; None: no name."""
        ends = [name for both in self.ends.values() for name in both]
        return (min(ends, key=_place), max(ends, key=_place)) if ends else None

    def sample(self, count: int) -> list[str]:
        """All of them, or one from each of so many logs."""
        if len(self) <= count:
            return list(self)
        logs = sorted(self.logs)
        return [_newest(log, self.logs[log]) for log in logs[:: -(-len(logs) // count)]]

    def runs(self, segment_size_bytes: int) -> dict[int, list[range]]:
        """The numbers of the segments by timeline, as runs of those that follow each other.

        Names impossible at this size are left out.
        """
        per_log = segments_per_log(segment_size_bytes)
        runs: dict[int, list[range]] = {}
        for log in sorted(self.logs):
            own, base = runs.setdefault(int(log[:8], 16), []), int(log[8:], 16) * per_log
            for run in _runs_of_bits(self.logs[log] & (1 << per_log) - 1):
                first, stop = base + run.start, base + run.stop
                if own and own[-1].stop == first:
                    own[-1] = range(own[-1].start, stop)
                else:
                    own.append(range(first, stop))
        return {timeline: own for timeline, own in runs.items() if own}

    def impossible(self, segment_size_bytes: int) -> SegmentNames:
        """Those that no server gives: of timeline 0, or beyond the segments of a log.

        >>> names = SegmentNames.of(["0000000100000001000000FF", "0000000100000001FFFFFFFF"])
        >>> list(names.impossible(16 << 20))
        ['0000000100000001FFFFFFFF']
        """
        per_log = segments_per_log(segment_size_bytes)
        beyond = (
            (log, bits if log.startswith("00000000") else bits >> per_log << per_log)
            for log, bits in self.logs.items()
        )
        return SegmentNames(dict(each for each in beyond if each[1]), self.others)


def _place(name: str) -> tuple[str, str]:
    return name[8:], name[:8]


def mark_segments(
    names: Iterable[str], logs: dict[str, int], bits: Bits = BITS, suffix: str = ""
) -> list[str]:
    """Add names (24 digits and the suffix) to `logs`; give those that are no such names.

    `bits` belongs to the suffix and is filled here. A million names pass through this loop.
    """
    rest: list[str] = []
    for name in names:
        log = name[:16]
        try:
            logs[log] |= bits[name[16:]]
        except KeyError:  # the first of its log, or of its number in a log
            bit = _bit_of(name[: len(name) - len(suffix)]) if name.endswith(suffix) else None
            if bit is None:
                rest.append(name)
            else:
                bits[name[16:]] = bit
                logs[log] = logs.get(log, 0) | bit
    return rest


def _bit_of(name: str) -> int | None:
    """The bit of a name's segment in its log; None: it is no name, or no log has such a one."""
    if not is_segment_name(name):
        return None
    number = int(name[16:], 16)
    return 1 << number if number < _MOST else None


def _oldest(log: str, bits: int) -> str:
    return f"{log}{(bits & -bits).bit_length() - 1:08X}"


def _newest(log: str, bits: int) -> str:
    return f"{log}{bits.bit_length() - 1:08X}"


def _down(names: SegmentNames, log: str) -> Iterator[str]:
    runs = [*_runs_of_bits(names.logs[log])]
    return (f"{log}{number:08X}" for run in reversed(runs) for number in reversed(run))


def _runs_of_bits(bits: int) -> Iterator[range]:
    """The runs of bits that are set, lowest first."""
    at = 0
    while bits:
        unset = (bits & -bits).bit_length() - 1
        bits, at = bits >> unset, at + unset
        count = (~bits & bits + 1).bit_length() - 1
        yield range(at, at + count)
        bits, at = bits >> count, at + count


class LookedUp(Mapping[str, T]):
    """What there is of each segment, looked up when it is asked for."""

    def __init__(self, names: Collection[str], find: Callable[[str], T]) -> None:
        self._names, self._find = names, find

    def __getitem__(self, name: str) -> T:
        if name not in self._names:
            raise KeyError(name)
        return self._find(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names


class SegmentFiles(LookedUp[ArchivedFile]):
    """The file of each segment."""

    _names: SegmentNames

    def keys(self) -> SegmentNames:  # type: ignore[override]
        """A set, as that of a dict."""
        return self._names


class ListedFiles(dict[str, ArchivedFile]):
    """The file of each segment, each as an object. Files are put there and never taken away."""

    __slots__ = ("_names",)
    _names: SegmentNames

    def segment_names(self) -> SegmentNames:
        """The keys, worked out once."""
        names = getattr(self, "_names", None)
        if names is None or len(names) != len(self):
            logs: dict[str, int] = {}
            names = self._names = SegmentNames(logs, mark_segments(self, logs))
        return names


def without(files: Mapping[str, ArchivedFile], gone: SegmentNames) -> Mapping[str, ArchivedFile]:
    """The others."""
    if isinstance(files, SegmentFiles):
        return SegmentFiles(files.keys() - gone, files.__getitem__)
    return ListedFiles({name: file for name, file in files.items() if name not in gone})


def overlay(
    first: Mapping[str, ArchivedFile], second: Mapping[str, ArchivedFile]
) -> Mapping[str, ArchivedFile]:
    """The files of both; of a segment that both have, the first one's."""
    if isinstance(first, SegmentFiles) or isinstance(second, SegmentFiles):
        names = SegmentNames.of(first) | SegmentNames.of(second)
        return SegmentFiles(names, partial(_of_first, first, second))
    return ListedFiles({**second, **first})


def _of_first(
    first: Mapping[str, ArchivedFile], second: Mapping[str, ArchivedFile], name: str
) -> ArchivedFile:
    return first[name] if name in first else second[name]
