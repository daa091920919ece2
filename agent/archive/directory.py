"""The layout `directory`: WAL files in a directory tree, flat or nested by date, as they are.

One listing is one walk. Files that appear or vanish meanwhile are normal; a directory that cannot
be entered is an error, because what it holds would be judged missing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from parsers.backup_label import BackupLabel, parse_backup_label
from parsers.errors import ParseError
from parsers.segment import NameKind, WalName, is_segment_size, parse_wal_name
from parsers.timeline_history import TimelineHistory, parse_timeline_history
from parsers.wal_page import LONG_HEADER_BYTES, parse_segment_header
from rules.facts import ArchivedFile, ArchiveFacts

LAYOUT: Final = "directory"
_SMALL_FILE_BYTES: Final = 1 << 20  # a history or label larger than this is not one
_PROBES: Final = 8  # segments whose header is asked for the segment size


class NotAnArchive(Exception):
    """The directory cannot be listed, or holds nothing that PostgreSQL archives."""


def list_archive(url: str) -> ArchiveFacts:
    """List one archive. Raises NotAnArchive with a line for a person."""
    listed_at = datetime.now(UTC)
    listing = _Listing()
    for path, name in _walk(Path(url)):
        listing.add(path, name)
    if not listing.known_count and listing.other_count:
        raise NotAnArchive(
            f"{url} holds {listing.other_count} file(s), none of them named as WAL is: "
            "is this the directory that archive_command writes to?"
        )
    return listing.facts(url, listed_at)


def _walk(root: Path) -> Iterator[tuple[str, str]]:
    """Yield (path, name) of every file. Symbolic links to directories are followed once."""
    seen: set[tuple[int, int]] = set()
    pending = [str(root)]
    while pending:
        directory = pending.pop()
        try:
            status = os.stat(directory)  # noqa: PTH116 - strings: a tree can hold a million names
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(directory) as entries:
                for entry in entries:
                    if entry.is_dir():
                        pending.append(entry.path)
                    else:
                        yield entry.path, entry.name
        except FileNotFoundError:
            if directory == str(root):
                raise NotAnArchive(f"{root}: there is no such directory") from None
        except OSError as error:
            raise NotAnArchive(f"{directory}: cannot be listed: {error.strerror}") from None


@dataclass(slots=True)
class _Listing:
    """What one walk gathers."""

    segments: dict[str, ArchivedFile] = field(default_factory=dict)
    partials: dict[str, ArchivedFile] = field(default_factory=dict)
    compressed: set[str] = field(default_factory=set)
    copies: dict[str, list[ArchivedFile]] = field(default_factory=dict)
    histories: dict[int, TimelineHistory] = field(default_factory=dict)
    broken_histories: dict[int, str] = field(default_factory=dict)
    backup_labels: dict[str, BackupLabel] = field(default_factory=dict)
    known_count: int = 0
    other_count: int = 0

    def add(self, path: str, name: str) -> None:
        parsed = parse_wal_name(name)
        if parsed is None:
            self.other_count += 1
            return
        self.known_count += 1
        if parsed.kind is NameKind.TIMELINE_HISTORY:
            self._add_history(path, parsed)
        elif parsed.kind is NameKind.BACKUP_HISTORY:
            self._add_label(path, parsed)
        else:
            self._add_segment(path, parsed)

    def _add_segment(self, path: str, name: WalName) -> None:
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError:
            return  # it vanished
        file = ArchivedFile(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        assert name.segment is not None
        if name.kind is NameKind.PARTIAL:
            self.partials[name.segment] = file
        elif name.segment in self.segments:
            self.copies.setdefault(name.segment, []).append(file)
        else:
            self.segments[name.segment] = file
            if name.compression:
                self.compressed.add(name.segment)

    def _add_history(self, path: str, name: WalName) -> None:
        try:
            history = parse_timeline_history(_read_small(path, name), name.timeline)
        except FileNotFoundError:
            return
        except (OSError, ParseError) as error:
            self.broken_histories[name.timeline] = str(error)
            return
        self.histories[name.timeline] = history

    def _add_label(self, path: str, name: WalName) -> None:
        try:
            self.backup_labels[name.plain] = parse_backup_label(_read_small(path, name))
        except (OSError, ParseError):
            self.other_count += 1  # a backup's own label tells what is missing here

    def facts(self, url: str, listed_at: datetime) -> ArchiveFacts:
        return ArchiveFacts(
            url=url,
            layout=LAYOUT,
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
        )

    def _segment_size(self) -> int | None:
        """Bytes, from the newest segments' own headers; from their common length if none tells."""
        plain = sorted(name for name in self.segments if name not in self.compressed)
        for name in reversed(plain[-_PROBES:]):
            try:
                with Path(self.segments[name].path).open("rb") as file:
                    return parse_segment_header(file.read(LONG_HEADER_BYTES)).segment_size
            except (OSError, ParseError):
                continue
        sizes = {self.segments[name].size_bytes for name in plain}
        legal = {size for size in sizes if is_segment_size(size)}
        return legal.pop() if len(legal) == 1 else None


def _read_small(path: str, name: WalName) -> bytes:
    if name.compression:
        raise ParseError(f"stored as {name.compression}, which is not read here yet")
    with Path(path).open("rb") as file:
        return file.read(_SMALL_FILE_BYTES)
