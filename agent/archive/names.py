"""Listing names without an object, nor a look, for each: a directory tells no more of its files.

The size and times of a file are asked for when somebody wants them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import field
from itertools import chain
from typing import Final, NamedTuple

from agent.store.local import stat_path
from parsers.segment import NameKind, parse_wal_name
from parsers.values import dataclass
from rules.model.facts import ArchivedFile
from rules.model.packed_names import logs_of, pack_names
from rules.model.segment_names import BITS, Bits, SegmentNames, mark_segments

_BITS: dict[str, Bits] = {"": BITS}  # by suffix
_MANY_LOGS: Final = (
    500  # from then on names of a directory are packed; see rules.model.packed_names
)


@dataclass(frozen=True, slots=True)
class Shelf:
    """The segments of one directory that are stored in one way."""

    directory: str
    suffix: str  # of a codec; empty: as they are
    logs: dict[str, int] = field(default_factory=dict)  # see SegmentNames
    packed: bytearray = field(default_factory=bytearray)  # what is not in `logs` yet

    @property
    def names(self) -> SegmentNames:
        return SegmentNames(self.logs)

    def add(self, names: list[str]) -> list[str]:
        """Take the names that belong here; give the others."""
        if len(self.logs) >= _MANY_LOGS:
            packed = pack_names(names, self.suffix)
            if packed is not None:
                self.packed.extend(packed)
                return []
        return mark_segments(names, self.logs, _BITS.setdefault(self.suffix, {}), self.suffix)

    def unpack(self) -> None:
        if self.packed:
            for log, bits in logs_of(self.packed).items():
                self.logs[log] = self.logs.get(log, 0) | bits
            self.packed.clear()


class Listed(NamedTuple):
    """What the shelves hold together."""

    names: SegmentNames
    compressed: SegmentNames  # those that are served by a compressed file
    further: list[tuple[Shelf, SegmentNames]]  # files of segments that another shelf serves


@dataclass(slots=True)
class Shelves:
    """All of them, in the order of the walk: of several files of a segment the first one serves."""

    _by_directory: dict[str, list[Shelf]] = field(default_factory=dict)
    _by_log: dict[str, list[Shelf]] = field(default_factory=dict)
    _looked_up: dict[str, ArchivedFile] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._by_directory)

    def __iter__(self) -> Iterator[Shelf]:
        return chain.from_iterable(self._by_directory.values())

    def add(self, directory: str, names: list[str]) -> list[str]:
        """Take the segments among the names of one directory; give the others."""
        own = self._by_directory.setdefault(directory, [])
        if not own:
            own.append(Shelf(directory, ""))
        for shelf in own:
            names = shelf.add(names)
        for suffix in dict.fromkeys(filter(None, map(_suffix_of, names))):
            own.append(Shelf(directory, suffix))
            names = own[-1].add(names)
        return names

    def arrange(self) -> Listed:
        """To be called once, after the last was added."""
        names, compressed = dict[str, int](), dict[str, int]()
        further: list[tuple[Shelf, SegmentNames]] = []
        for shelf in self:
            shelf.unpack()
            twice: dict[str, int] = {}
            for log, bits in shelf.logs.items():
                before = names.get(log, 0)
                names[log] = before | bits
                self._by_log.setdefault(log, []).append(shelf)
                if both := bits & before:
                    twice[log] = both
                if shelf.suffix and (own := bits & ~before):
                    compressed[log] = compressed.get(log, 0) | own
            if twice:
                further.append((shelf, SegmentNames(twice)))
        return Listed(SegmentNames(names), SegmentNames(compressed), further)

    def find(self, name: str) -> ArchivedFile:
        """The file that serves, as it was when it was asked for first."""
        file = self._looked_up.get(name)
        if file is None:
            shelf = next(each for each in self._by_log[name[:16]] if name in each.names)
            file = self._looked_up[name] = look_at(shelf, name)
        return file


def look_at(shelf: Shelf, name: str) -> ArchivedFile:
    """Of a file that has gone, or does not say, nobody knows when it came: as if just now."""
    stored = f"{name}{shelf.suffix}"
    try:
        status = stat_path(f"{shelf.directory}/{stored}")
    except OSError:
        now = time.time_ns()
        return ArchivedFile(shelf.directory, stored, 0, now, now)
    times = (status.st_mtime_ns, status.st_ctime_ns)
    return ArchivedFile(shelf.directory, stored, status.st_size, *times)


def _suffix_of(name: str) -> str | None:
    parsed = parse_wal_name(name)
    return parsed.compression if parsed and parsed.kind is NameKind.SEGMENT else None
