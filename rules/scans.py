"""The scans of an archive, by segment, of which whole stretches may be at hand joined.

A look at everything goes from stretch to stretch; a segment's own scan is fetched when it is asked
for by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from parsers.wal_join import JoinedScan
from parsers.wal_scan import SegmentScan

Scans = Mapping[str, SegmentScan]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A stretch of segments, nothing wrong in it."""

    names: tuple[str, ...]  # on one timeline, one after the other
    whole: JoinedScan


class JoinedScans(Scans):
    """A mapping that also has stretches."""

    def __init__(
        self,
        names: Collection[str],
        fetch: Callable[[str], SegmentScan],
        joined: Mapping[str, Joined],
    ) -> None:
        self._names = names
        self._fetch = fetch
        self.joined = joined  # by the name of the first segment

    def __getitem__(self, name: str) -> SegmentScan:
        if name not in self._names:
            raise KeyError(name)
        return self._fetch(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names


def joined_in(scans: Scans) -> Mapping[str, Joined]:
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
    for name in scans.keys() - covered:
        header = scans[name].header
        if header is not None:
            said[header.system_identifier] += 1
    return said
