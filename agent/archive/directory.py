"""The layout `directory`: WAL files in a directory tree, flat or nested by date, as they are or
compressed one by one.

One listing is one walk. Files that appear or vanish meanwhile are normal.
"""

from __future__ import annotations

import gc
import heapq
import os
import re
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from agent.archive.codecs import BrokenStream, open_stream, read_content
from agent.archive.tree import CannotList, walk_files
from parsers.backup_label import BackupLabel, parse_backup_label
from parsers.errors import ParseError
from parsers.segment import NameKind, WalName, is_segment_size, parse_wal_name
from parsers.timeline_history import HistoryError, TimelineHistory, parse_timeline_history
from parsers.wal_page import LONG_HEADER_BYTES, LongPageHeader, parse_segment_header
from rules.facts import ArchivedFile, ArchiveFacts, BrokenHistory

LAYOUT: Final = "directory"
_SMALL_FILE_BYTES: Final = 1 << 20  # a history or label larger than this is not one
_PLAIN_SEGMENT: Final = re.compile(r"[0-9A-F]{24}\Z").match
_PROBES: Final = 8  # segments whose header is asked for the segment size


class NotAnArchive(Exception):
    """The directory cannot be listed, or holds nothing that PostgreSQL archives."""


def list_archive(url: str) -> ArchiveFacts:
    """List one archive. Raises NotAnArchive with a line for a person."""
    listed_at = datetime.now(UTC)
    listing = Listing()
    collects = gc.isenabled()
    gc.disable()  # nothing here makes cycles, and looking for them takes longer than the listing
    try:
        for directory, name in walk_files(os.path.normpath(url)):
            listing.add(directory, name)
    except CannotList as error:
        raise NotAnArchive(str(error)) from None
    finally:
        if collects:
            gc.enable()
    if not listing.known_count and listing.other_count:
        raise NotAnArchive(
            f"{url} holds {listing.other_count} file(s), none of them named as WAL is: "
            "is this the directory that archive_command writes to?"
        )
    return listing.facts(url, listed_at)


@dataclass(slots=True)
class Listing:
    """What one walk gathers."""

    layout: str = LAYOUT
    segments: dict[str, ArchivedFile] = field(default_factory=dict)
    partials: dict[str, ArchivedFile] = field(default_factory=dict)
    compressed: set[str] = field(default_factory=set)
    copies: dict[str, list[ArchivedFile]] = field(default_factory=dict)
    histories: dict[int, TimelineHistory] = field(default_factory=dict)
    broken_histories: dict[int, BrokenHistory] = field(default_factory=dict)
    backup_labels: dict[str, BackupLabel] = field(default_factory=dict)
    known_count: int = 0
    other_count: int = 0
    recycled: list[str] = field(default_factory=list)
    _sizes: dict[int, int] = field(default_factory=dict)  # one object for each size, not a million

    def add(self, directory: str, name: str) -> None:
        if _PLAIN_SEGMENT(name):  # a million of them: the way that takes no name apart
            self.known_count += 1
            file = self._stat(directory, name)
            if file is not None and self.segments.setdefault(name, file) is not file:
                self.copies.setdefault(name, []).append(file)
            return
        parsed = parse_wal_name(name)
        if parsed is None:
            self.other_count += 1
            return
        self.known_count += 1
        if parsed.kind is NameKind.TIMELINE_HISTORY:
            self._read_history(f"{directory}/{name}", parsed)
        elif parsed.kind is NameKind.BACKUP_HISTORY:
            self._read_label(f"{directory}/{name}", parsed)
        else:
            self._stat_segment(directory, name, parsed)

    def _stat_segment(self, directory: str, stored: str, name: WalName) -> None:
        file = self._stat(directory, stored)
        if file is not None:
            self.add_segment(file, name)

    def _stat(self, directory: str, stored: str) -> ArchivedFile | None:
        """The file as it is now; None when it vanished or is no regular file."""
        try:
            status = os.stat(f"{directory}/{stored}")  # noqa: PTH116
        except OSError:
            return None
        if not stat.S_ISREG(status.st_mode):
            self.other_count += 1  # a pipe of that name would keep its reader for ever
            return None
        size = self._sizes.setdefault(status.st_size, status.st_size)
        return ArchivedFile(directory, stored, size, status.st_mtime_ns, status.st_ctime_ns)

    def add_segment(self, file: ArchivedFile, name: WalName) -> None:
        """Take note of one segment or `.partial`."""
        assert name.segment is not None
        if name.kind is NameKind.PARTIAL:
            self.partials[name.segment] = file
            return
        key = file.name if file.name == name.segment else name.segment  # one object, not two
        served = self.segments.setdefault(key, file)
        if served is not file:
            self.copies.setdefault(name.segment, []).append(file)
        elif name.compression:
            self.compressed.add(name.segment)

    def _read_history(self, path: str, name: WalName) -> None:
        try:
            self.add_history(name, _read_small(path))
        except FileNotFoundError:
            return
        except (OSError, ParseError) as error:
            if name.timeline not in self.histories:
                fatal = error.fatal if isinstance(error, HistoryError) else None
                self.broken_histories[name.timeline] = BrokenHistory(str(error), fatal)

    def add_history(self, name: WalName, data: bytes) -> None:
        """Take note of one history file. Raises ParseError."""
        self.histories[name.timeline] = parse_timeline_history(data, name.timeline)
        self.broken_histories.pop(name.timeline, None)

    def _read_label(self, path: str, name: WalName) -> None:
        try:
            self.backup_labels[name.plain] = parse_backup_label(_read_small(path))
        except (OSError, ParseError):
            self.other_count += 1  # a backup's own label tells what is missing here

    def facts(self, url: str, listed_at: datetime) -> ArchiveFacts:
        return ArchiveFacts(
            url=url,
            layout=self.layout,
            listed_at=listed_at,
            segment_size_bytes=self._segment_size(),
            segments=self.segments,
            partials=self.partials,
            compressed=frozenset(self.compressed),
            histories=self.histories,
            broken_histories=self.broken_histories,
            backup_labels=self.backup_labels,
            copies={name: tuple(files) for name, files in self.copies.items()},
            other_count=self.other_count,
            recycled=tuple(sorted(self.recycled)),
        )

    def _segment_size(self) -> int | None:
        """Bytes, from the newest segments' own headers; from their common length if none tells."""
        for name in heapq.nlargest(_PROBES, self.segments):
            header = read_header(self.segments[name].path)
            if header is not None:
                return header.segment_size
        plain = (file for name, file in self.segments.items() if name not in self.compressed)
        legal = {file.size_bytes for file in plain if is_segment_size(file.size_bytes)}
        return legal.pop() if len(legal) == 1 else None


def read_header(path: str) -> LongPageHeader | None:
    """What a segment, compressed or not, says of itself; None when it says nothing sensible."""
    try:
        with open_stream(path) as stream:
            return parse_header(stream.read(LONG_HEADER_BYTES))
    except (OSError, BrokenStream):
        return None


def parse_header(data: bytes) -> LongPageHeader | None:
    """The long header that opens a segment; None when it is none."""
    try:
        return parse_segment_header(data)
    except ParseError:
        return None


def _read_small(path: str) -> bytes:
    content = read_content(path, _SMALL_FILE_BYTES)
    if content.flaw is not None:
        raise ParseError(content.detail)
    return content.data
