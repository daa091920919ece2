"""The layout `directory`: WAL files in a directory tree, flat or nested by date, as they are or
compressed one by one.

One listing is one walk. Files that appear or vanish meanwhile are normal.
"""

from __future__ import annotations

import errno
import functools
import gc
import os
import re
import stat
from collections.abc import Mapping, Set
from dataclasses import field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

from agent.archive.codecs import BrokenStream, Flaw, open_stream, read_content
from agent.archive.names import Shelves, look_at
from agent.archive.tree import CannotList, NameBatch, walk_files
from agent.denied import is_proof, reason, unread
from agent.store.local import NO_TARGET, no_file, stat_path
from agent.store.urls import is_remote
from parsers.errors import ParseError
from parsers.files.backup_label import BackupLabel, parse_backup_history
from parsers.files.timeline_history import HistoryError, TimelineHistory, parse_timeline_history
from parsers.segment import (
    NameKind,
    WalName,
    is_segment_name,
    is_segment_size,
    parse_segment_name,
    parse_wal_name,
)
from parsers.sentences import message_of, tr
from parsers.values import dataclass
from parsers.wal.page import LONG_HEADER_BYTES, LongPageHeader, parse_any_header
from rules.archive.segment_names import set_aside
from rules.model.counted import counted
from rules.model.facts import ArchivedFile, ArchiveFacts, BrokenHistory
from rules.model.segment_names import ListedFiles, SegmentFiles, SegmentNames, overlay

if TYPE_CHECKING:
    from agent.archive.remote import WatchedPrefix

LAYOUT: Final = "directory"
_SMALL_FILE_BYTES: Final = 1 << 20  # a history or label larger than this is not one
_REMEMBERED_BYTES: Final = 1 << 14  # of one object
_SEGMENT_IN: Final = re.compile(r"(?<![0-9A-Za-z])[0-9A-F]{24}(?![0-9A-Za-z])").search
_PROBES: Final = 8  # segments whose header is asked for the segment size
_LENGTHS: Final = 1024  # segments whose length is


class NotAnArchive(Exception):
    """The directory cannot be listed, or holds nothing that PostgreSQL archives."""


def list_archive(
    url: str, watched: WatchedPrefix | None = None, *, by_names: bool = False
) -> ArchiveFacts:
    """List one archive. Raises NotAnArchive with a line for a person.

    `watched` knows what a prefix held the last time. `by_names`: nothing but names is wanted, and
    the size and times of a file are looked up when somebody asks for it.
    """
    listed_at = datetime.now(UTC)
    remote = is_remote(url)
    listing = Listing(root=url if remote else os.path.normpath(url))
    collects = gc.isenabled()
    gc.disable()  # nothing here makes cycles, and looking for them takes longer than the listing
    try:
        if remote:
            _list_remote(url, listing, watched)
        else:
            for batch in walk_files(listing.root):
                listing.add_batch(batch, by_names)
    except CannotList as error:
        raise NotAnArchive(message_of(error)) from None
    finally:
        if collects:
            gc.enable()
    if not listing.known_count and listing.other_count:
        raise NotAnArchive(
            tr(
                "{url} holds {files} and no WAL file: is this the directory that "
                "archive_command writes to?",
                url=url,
                files=counted(listing.other_count, "file"),
            )
        )
    return listing.facts(url, listed_at)


def _list_remote(url: str, listing: Listing, watched: WatchedPrefix | None) -> None:
    from agent.archive.remote import walk_objects

    for found in watched.walk() if watched else walk_objects(url):
        if isinstance(found, int):
            listing.other_count += found
        else:
            listing.add(found.directory, found.name, found)


@dataclass(slots=True)
class Listing:
    """What one walk gathers."""

    root: str  # what a link of a small file may not leave
    layout: str = LAYOUT
    segments: ListedFiles = field(default_factory=ListedFiles)
    partials: dict[str, ArchivedFile] = field(default_factory=dict)
    compressed: set[str] = field(default_factory=set)
    copies: dict[str, list[ArchivedFile]] = field(default_factory=dict)
    histories: dict[int, TimelineHistory] = field(default_factory=dict)
    broken_histories: dict[int, BrokenHistory] = field(default_factory=dict)
    backup_labels: dict[str, BackupLabel] = field(default_factory=dict)
    known_count: int = 0
    other_count: int = 0
    recycled: list[str] = field(default_factory=list)
    no_files: dict[str, str] = field(default_factory=dict)  # segments of which it holds no file
    lookalikes: dict[str, str] = field(default_factory=dict)
    shelves: Shelves = field(default_factory=Shelves)  # segments of which only the name is known
    _sizes: dict[int, int] = field(default_factory=dict)  # one object for each size, not a million

    def add_batch(self, batch: NameBatch, by_names: bool) -> None:
        """Take note of files of one directory."""
        files = batch.files
        if by_names:
            rest = self.shelves.add(batch.directory, files)
            if len(rest) < len(files):
                self.known_count += len(files) - len(rest)
                self._stat(batch.directory, files[0], files[0])  # may what is listed be looked at?
            files = rest
        for name in (*files, *batch.others):
            self.add(batch.directory, name)

    def add(self, directory: str, name: str, file: ArchivedFile | None = None) -> None:
        """Take note of one file; `file` where the listing told all of it."""
        if is_segment_name(name):  # a million of them: the way that takes no name apart
            self.known_count += 1
            file = file or self._stat(directory, name, name)
            if file is not None and self.segments.setdefault(name, file) is not file:
                self.copies.setdefault(name, []).append(file)
            return
        parsed = parse_wal_name(name)
        if parsed is None:
            self.other_count += 1
            self._note_lookalike(name)
            return
        self.known_count += 1
        if parsed.kind is NameKind.TIMELINE_HISTORY:
            self._read_history(f"{directory}/{name}", parsed, file)
        elif parsed.kind is NameKind.BACKUP_HISTORY:
            self._read_label(f"{directory}/{name}", parsed, file)
        else:
            file = file or self._stat(directory, name, parsed.plain)
            if file is not None:
                self.add_segment(file, parsed)

    def _note_lookalike(self, name: str) -> None:
        """A copy that was not finished: `.NAME.Xk2a9b` of rsync, NAME.tmp, NAME.part."""
        found = _SEGMENT_IN(name)
        if found is not None and ".backup" not in name:
            self.lookalikes[found[0]] = name

    def _stat(self, directory: str, stored: str, name: str) -> ArchivedFile | None:
        """The file as it is now; None when it vanished. What is no file is noted by its `name`."""
        path = f"{directory}/{stored}"
        try:
            status = stat_path(path)
        except OSError as error:
            if is_proof(error) and os.path.islink(path):  # noqa: PTH114 - where it led may come back
                self.no_files[name] = NO_TARGET
                return ArchivedFile(directory, stored, 0, 0, 0)
            if isinstance(error, FileNotFoundError):
                return None
            # Left out, it would be judged missing: the directory may be listed and not searched.
            raise CannotList(unread(error, path)) from None
        if not stat.S_ISREG(status.st_mode) and (kind := no_file(status.st_mode)):
            self.no_files[name] = kind
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

    def _read_history(self, path: str, name: WalName, file: ArchivedFile | None) -> None:
        try:
            self.add_history(name, _read_small(path, self.root, file))
        except FileNotFoundError:
            return
        except ParseError as error:
            self._cannot_use(name, error)
        except OSError as error:
            self._keep_broken(name, BrokenHistory(reason(error, path), None, unread=True))

    def _keep_broken(self, name: WalName, broken: BrokenHistory) -> None:
        if name.timeline not in self.histories:
            self.broken_histories[name.timeline] = broken

    def add_history(self, name: WalName, data: bytes) -> None:
        """Take note of one history file, or that it cannot be used."""
        try:
            self.histories[name.timeline] = parse_timeline_history(data, name.timeline)
        except ParseError as error:
            self._cannot_use(name, error)
        else:
            self.broken_histories.pop(name.timeline, None)

    def _cannot_use(self, name: WalName, error: Exception) -> None:
        fatal = error.fatal if isinstance(error, HistoryError) else None
        self._keep_broken(name, BrokenHistory(message_of(error), fatal))

    def _read_label(self, path: str, name: WalName, file: ArchivedFile | None) -> None:
        try:
            data = _read_small(path, self.root, file)
            self.backup_labels[name.plain] = parse_backup_history(data)
        except (OSError, ParseError):
            self.other_count += 1  # a backup's own label tells what is missing here

    def facts(self, url: str, listed_at: datetime) -> ArchiveFacts:
        segments, compressed = self._arranged()
        size = self._segment_size(segments, compressed)
        listed = ArchiveFacts(
            url=url,
            layout=self.layout,
            listed_at=listed_at,
            segment_size_bytes=size,
            segments=segments,
            partials=self.partials,
            compressed=compressed,
            histories=self.histories,
            broken_histories=self.broken_histories,
            backup_labels=self.backup_labels,
            copies={name: tuple(files) for name, files in self.copies.items()},
            other_count=self.other_count,
            recycled=tuple(sorted(self.recycled)),
            no_files=self.no_files,
            lookalikes=self.lookalikes,
        )
        return set_aside(listed, size)

    def _arranged(self) -> tuple[Mapping[str, ArchivedFile], Set[str]]:
        """All segments, and the compressed ones; those on shelves serve first."""
        if not self.shelves:
            return self.segments, frozenset(self.compressed)
        listed = self.shelves.arrange()
        for shelf, names in listed.further:
            for name in names:
                self.copies.setdefault(name, []).append(look_at(shelf, name))
        for name in listed.names & self.segments:
            self.copies.setdefault(name, []).append(self.segments[name])
        files = SegmentFiles(listed.names, self.shelves.find)
        compressed = SegmentNames.of(self.compressed) - listed.names
        return overlay(files, self.segments), listed.compressed | compressed

    def _segment_size(
        self, segments: Mapping[str, ArchivedFile], compressed: Set[str]
    ) -> int | None:
        """Bytes, from the newest segments' own headers; from their common length if none tells.

        A header that gives its own file's name is believed before one that does not.
        """
        of_others: int | None = None
        names = SegmentNames.of(segments)
        for name in islice(reversed(names - self.no_files), _PROBES):
            header = read_header(segments[name].path)
            if header is not None and holds_its_name(name, header):
                return header.segment_size
            if header is not None and of_others is None:
                of_others = header.segment_size
        if of_others is not None:
            return of_others
        plain = (names - compressed).sample(_LENGTHS)
        legal = {size for name in plain if is_segment_size(size := segments[name].size_bytes)}
        return legal.pop() if len(legal) == 1 else None


def read_header(path: str) -> LongPageHeader | None:
    """What a segment, compressed or not, says of itself; None when it says nothing sensible."""
    try:
        with open_stream(path) as stream:
            return parse_header(stream.read(LONG_HEADER_BYTES))
    except (OSError, BrokenStream):
        return None


def holds_its_name(name: str, header: LongPageHeader | None) -> bool:
    """Tell whether a segment begins with the page of its name: a recycled one does not."""
    if header is None:
        return False
    try:
        number = parse_segment_name(name[:24], header.segment_size)[1]
    except ParseError:
        return False
    return header.page.lsn == number * header.segment_size


def parse_header(data: bytes) -> LongPageHeader | None:
    """The long header that opens a segment; None when it is not one."""
    try:
        return parse_any_header(data)
    except ParseError:
        return None


def _read_small(path: str, root: str, file: ArchivedFile | None = None) -> bytes:
    """The content of a history or label; of an object (`file`) it is asked for once."""
    if file is not None and file.size_bytes <= _REMEMBERED_BYTES:
        return _read_object(file, root)
    return _read_whole(path, root)


@functools.lru_cache(maxsize=1024)
def _read_object(file: ArchivedFile, root: str) -> bytes:
    """Remembered by its version: each request of a store costs time and money."""
    return _read_whole(file.path, root)


def _read_whole(path: str, root: str) -> bytes:
    content = read_content(path, _SMALL_FILE_BYTES, within=root)
    if content.flaw is Flaw.LONGER:  # nobody has read it
        raise OSError(
            errno.EFBIG,
            tr("larger than {size} MiB", size=_SMALL_FILE_BYTES >> 20),
            path,
        )
    if content.flaw is not None:
        raise ParseError(content.detail)
    return content.data
