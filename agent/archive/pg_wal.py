"""The layout `pg_wal`: a server's own WAL directory, a backup's pg_wal, or its pg_wal.tar.

Unlike an archive it holds files that are no WAL yet: segments recycled for the future, which keep
older content under a newer name. Only a file that begins with the page its name promises counts.
Its newest segment was being written when the server died or the copy was taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Protocol

from agent.archive.codecs import READABLE_SUFFIXES
from agent.archive.directory import (
    Listing,
    NotAnArchive,
    holds_its_name,
    parse_header,
    read_header,
)
from agent.archive.tar import BrokenTar, Member, read_members
from agent.archive.tree import CannotList
from agent.denied import reason
from agent.store.paths import AnyPath, StorePath, any_path, entries_of, look_at
from parsers.segment import NameKind, parse_wal_name
from parsers.sentences import message_of, tr
from parsers.wal.page import LONG_HEADER_BYTES
from rules.model.facts import ArchivedFile, ArchiveFacts
from rules.model.segment_names import SegmentNames

LAYOUT: Final = "pg_wal"


class CannotRead(NotAnArchive):
    """It may hold WAL, and the system does not let us look."""

    def __init__(self, path: AnyPath, error: OSError) -> None:
        self.reason = reason(error, path)
        super().__init__(tr("{path}: cannot be read: {reason}", path=path, reason=self.reason))


class TimedFile(Protocol):
    """What of a file's status is told of the WAL in it."""

    @property
    def st_mtime_ns(self) -> int: ...

    @property
    def st_ctime_ns(self) -> int: ...


def list_pg_wal(place: str | AnyPath) -> ArchiveFacts:
    """List the WAL of a pg_wal, of a data directory or backup that has one, or of a pg_wal.tar.

    Raises NotAnArchive with a line for a person.
    """
    listed_at = datetime.now(UTC)
    path = any_path(place) if isinstance(place, str) else place
    listing = Listing(root=str(path), layout=LAYOUT)
    try:
        path = _locate(path)
        if path.is_dir():
            _list_directory(path, listing)
        else:
            _list_tar(path, listing)
    except OSError as error:
        raise CannotRead(path, error) from None
    except CannotList as error:
        raise NotAnArchive(message_of(error)) from None
    except BrokenTar as error:
        raise NotAnArchive(tr("{path}: {error}", path=path, error=error)) from None
    if not listing.known_count:
        raise NotAnArchive(
            tr("{place} holds no WAL: name a pg_wal directory or a pg_wal.tar", place=place)
        )
    return listing.facts(str(path), listed_at)


def _locate(path: AnyPath) -> AnyPath:
    """pg_wal itself, or what a data directory or a backup has of it."""
    if not path.exists():
        raise NotAnArchive(tr("{path}: there is no such file or directory", path=path))
    if path.is_dir():
        for name in ("pg_wal", *(f"pg_wal.tar{suffix}" for suffix in ("", *READABLE_SUFFIXES))):
            if (path / name).exists():
                return path / name
    return path


def _list_directory(path: AnyPath, listing: Listing) -> None:
    for entry in entries_of(path):
        file = _object(path, entry) if isinstance(entry, StorePath) else None
        if _is_named_like_segment(entry.name):
            if holds_its_name(entry.name, read_header(entry.path)):
                listing.add(str(path), entry.name, file)
            else:
                listing.recycled.append(entry.name)
        elif not entry.is_dir():
            listing.add(str(path), entry.name, file)


def _object(directory: AnyPath, path: StorePath) -> ArchivedFile:
    status = look_at(path)
    times = (status.st_mtime_ns, status.st_ctime_ns)
    return ArchivedFile(str(directory), path.name, status.st_size, *times)


def _list_tar(path: AnyPath, listing: Listing) -> None:
    for file, member in _wal_members(path):
        name = parse_wal_name(member.name.rpartition("/")[2])
        if name is None:
            continue
        listing.known_count += 1
        if name.kind is NameKind.TIMELINE_HISTORY:
            listing.add_history(name, member.read())
        elif holds_its_name(name.plain, parse_header(member.read(LONG_HEADER_BYTES))):
            listing.add_segment(file, name)
        else:
            listing.recycled.append(name.plain)


def with_partials(wal: ArchiveFacts) -> ArchiveFacts:
    """Count each `.partial` as the segment that it becomes when it is copied under that name.

    pg_receivewal leaves its last one so, and a promotion the old timeline's. Recovery itself reads
    none.
    """
    return replace(wal, segments={**wal.partials, **wal.segments})


def _wal_members(path: AnyPath) -> Iterator[tuple[ArchivedFile, Member]]:
    status = look_at(path)
    for member in read_members(str(path)):
        yield tar_member(str(path), member, status), member


def tar_member(path: str, member: Member, status: TimedFile) -> ArchivedFile:
    """A member as a file of an archive: it changes when the tar does."""
    return ArchivedFile(
        path, member.name, member.size_bytes, status.st_mtime_ns, status.st_ctime_ns
    )


def _is_named_like_segment(name: str) -> bool:
    parsed = parse_wal_name(name)
    return parsed is not None and parsed.kind in (NameKind.SEGMENT, NameKind.PARTIAL)


def still_written(archive: ArchiveFacts) -> frozenset[str]:
    """The newest segment of each timeline: the server was writing it."""
    return frozenset(last for _, last in SegmentNames.of(archive.segments).ends.values())
