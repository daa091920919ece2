"""Giving PostgreSQL one file of an archive: find it, check it, write it atomically.

What is wrong is never handed over: recovery would take it for the end of the WAL. A plain `cp`
leaves that to the server, which looks at the size alone before it replays. The server's own control
file, when it is at hand, tells whose WAL to expect. Imports are few on purpose: this runs once a
segment.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from agent.archive.codecs import READABLE_SUFFIXES, Flaw
from agent.archive.spool import data_directory_of
from agent.archive.stored import read_stored
from agent.archive.tree import CannotList, find_files
from parsers.errors import ParseError
from parsers.segment import (
    ENCRYPTION_SUFFIXES,
    NameKind,
    WalName,
    parse_segment_name,
    parse_wal_name,
)
from parsers.wal_page import LONG_HEADER_BYTES, LongPageHeader, parse_segment_header

_SETTLE_SECONDS: Final = 5.0  # a short file that changed more recently may still be written to
_PAUSE_SECONDS: Final = 0.2
_TEMPORARY: Final = ("RECOVERYXLOG", "RECOVERYHISTORY")  # what %p is in a restore
_SMALL_FILE_BYTES: Final = 1 << 20


class Refused(Exception):
    """A file was found and must not be used, or an archive cannot be read. One line."""


class Wanted(NamedTuple):
    """What the server asks for, and who it is."""

    name: WalName
    system_identifier: int | None  # None: its control file is not at hand
    is_standby: bool  # it asks again, so a file that is still being written can wait


class StoredAt(NamedTuple):
    """Where a file lies."""

    directory: str  # or a tar
    name: str

    @property
    def path(self) -> str:
        return f"{self.directory}/{self.name}"


class Candidate(NamedTuple):
    """One file under the wanted name, read."""

    path: str
    data: bytes
    complaint: str | None  # why it must not be used
    is_short: bool = False


def _complain(message: str) -> None:
    print(message, file=sys.stderr)


def fetch(
    name: str,
    target: str,
    roots: Sequence[str],
    *,
    data_directory: str | None = None,
    complain: Callable[[str], None] = _complain,
    durable: bool = True,
    sources: list[str] | None = None,
) -> bool:
    """Write the archived file `name` to `target`; False when no archive has it. Raises Refused.

    `data_directory` is the one that is being recovered; without it, the one in whose pg_wal
    `target` lies. `complain` takes a line about a copy that was passed over. What need not outlive
    a crash of the machine is written without `durable`: that is so of a server's RECOVERYXLOG too,
    which it asks for again after a crash, and syncs itself when it keeps it
    (KeepFileRestoredFromArchive). `sources` takes the paths that were read.
    """
    parsed = parse_wal_name(name)
    if parsed is None or parsed.compression:
        raise Refused(f"{name!r} is not the name of a WAL segment or history file (%f)")
    wanted = _ask_server(parsed, data_directory or data_directory_of(target))
    candidates = _read_all(wanted, roots)
    while any(_still_growing(candidate) for candidate in candidates):
        if wanted.is_standby:
            return False
        time.sleep(_PAUSE_SECONDS)
        candidates = _read_all(wanted, roots)
    if not candidates:
        return False
    if sources is not None:
        sources += [candidate.path for candidate in candidates]
    durable = durable and os.path.basename(target) not in _TEMPORARY  # noqa: PTH119
    _write(_choose(wanted, candidates, complain), target, durable=durable)
    return True


def _ask_server(name: WalName, data_directory: str) -> Wanted:
    """Learn from the data directory whose WAL it takes.

    The system identifier is the first field of pg_control in every version, and never changes.
    """
    try:
        with open(f"{data_directory}/global/pg_control", "rb") as file:  # noqa: PTH123
            (identifier,) = struct.unpack("<Q", file.read(8))
    except (OSError, struct.error):
        identifier = None
    standby = os.path.lexists(f"{data_directory}/standby.signal")
    return Wanted(name, identifier, standby)


# -- finding and reading -------------------------------------------------------------------------


def _read_all(wanted: Wanted, roots: Sequence[str]) -> list[Candidate]:
    """Every file of the name, in the order of the archives; all of them when none is whole."""
    plain = wanted.name.plain
    suffixes = ("", *READABLE_SUFFIXES, *ENCRYPTION_SUFFIXES)
    names = [f"{plain}{suffix}" for suffix in suffixes]
    files: list[StoredAt] = []
    for root in map(os.path.normpath, roots):
        if os.path.isfile(root):  # noqa: PTH113 - a pg_wal.tar
            files += [StoredAt(root, member) for member in (plain, f"pg_wal/{plain}")]
            continue
        try:
            files += [StoredAt(*os.path.split(path)) for path in find_files(root, names)]
        except CannotList as error:
            raise Refused(str(error)) from None
    return [candidate for file in files if (candidate := _read(file, wanted)) is not None]


def _read(file: StoredAt, wanted: Wanted) -> Candidate | None:
    """Read one file and say what is wrong with it; None when it vanished."""
    path = file.path
    check = _check_segment if _is_segment(wanted.name) else _check_small
    try:
        return check(file, wanted)
    except FileNotFoundError:
        dangling = os.path.islink(path)  # noqa: PTH114
        return Candidate(path, b"", "a symbolic link that leads nowhere") if dangling else None
    except OSError as error:
        return Candidate(path, b"", f"cannot be read: {error.strerror}")
    except ParseError as error:
        return Candidate(path, b"", str(error))


def _is_segment(name: WalName) -> bool:
    return name.kind in (NameKind.SEGMENT, NameKind.PARTIAL)


def _check_segment(file: StoredAt, wanted: Wanted) -> Candidate | None:
    """Read a segment of the size that it says, and hold its first page to its name."""
    path = file.path
    head = read_stored(*file, LONG_HEADER_BYTES)
    if head.flaw not in (None, Flaw.LONGER):
        return Candidate(path, b"", head.detail, head.flaw is Flaw.CUT)
    if len(head.data) < LONG_HEADER_BYTES:
        return Candidate(path, b"", f"only {len(head.data)} bytes", is_short=True)
    header = parse_segment_header(head.data)
    if _is_recycled(file, header, wanted):
        return None
    content = read_stored(*file, header.segment_size)
    if content.flaw is not None:
        return Candidate(path, b"", content.detail, content.flaw is Flaw.CUT)
    if len(content.data) < header.segment_size:
        complaint = f"{len(content.data)} bytes instead of {header.segment_size}"
        return Candidate(path, b"", complaint, is_short=True)
    return Candidate(path, content.data, _foreign(header, wanted))


def _is_recycled(file: StoredAt, header: LongPageHeader, wanted: Wanted) -> bool:
    """In a server's own pg_wal a file of the future holds what it held before: that is no WAL yet.

    In an archive the same would be a file under a wrong name.
    """
    assert wanted.name.segment is not None
    number = parse_segment_name(wanted.name.segment, header.segment_size)[1]
    return header.page.lsn < number * header.segment_size and (
        os.path.basename(file.directory) == "pg_wal"  # noqa: PTH119
        or os.path.isdir(f"{file.directory}/archive_status")  # noqa: PTH112
    )


def _foreign(header: LongPageHeader, wanted: Wanted) -> str | None:
    """Why a sound first page is not the one that the name promises, to this server."""
    assert wanted.name.segment is not None
    expected = wanted.system_identifier
    if expected is not None and header.system_identifier != expected:
        return f"another cluster's: system identifier {header.system_identifier}, not {expected}"
    timeline, number = parse_segment_name(wanted.name.segment, header.segment_size)
    lsn = number * header.segment_size
    if header.page.lsn != lsn:
        return f"another segment's content: its first page is {header.page.lsn:X}, not {lsn:X}"
    if header.page.timeline > timeline:
        return f"its first page is of timeline {header.page.timeline}"
    return None


def _check_small(file: StoredAt, wanted: Wanted) -> Candidate:
    path = file.path
    content = read_stored(*file, _SMALL_FILE_BYTES)
    if content.flaw is not None:
        return Candidate(path, b"", content.detail, content.flaw is Flaw.CUT)
    if wanted.name.kind is NameKind.TIMELINE_HISTORY:
        from parsers.timeline_history import parse_timeline_history

        if not parse_timeline_history(content.data, wanted.name.timeline).entries:
            return Candidate(path, b"", "names no ancestor", is_short=True)
    else:
        from parsers.backup_label import parse_backup_label

        parse_backup_label(content.data)
    return Candidate(path, content.data, None)


def _still_growing(candidate: Candidate) -> bool:
    if not candidate.is_short:
        return False
    try:
        changed_at = os.stat(candidate.path).st_mtime  # noqa: PTH116
    except OSError:
        return False
    return time.time() - changed_at < _SETTLE_SECONDS


# -- choosing and writing ------------------------------------------------------------------------


def _choose(
    wanted: Wanted, candidates: Sequence[Candidate], complain: Callable[[str], None]
) -> bytes:
    """The content that recovery may have. Raises Refused when none is right, or several are."""
    usable = [candidate for candidate in candidates if candidate.complaint is None]
    for candidate in candidates:
        if candidate.complaint is not None and usable:
            complain(f"{candidate.path} was passed over: {candidate.complaint}")
    if not usable:
        raise Refused("; ".join(f"{each.path}: {each.complaint}" for each in candidates))
    if len(usable) == 1:
        return usable[0].data
    contents = {candidate.data for candidate in usable}
    if len(contents) > 1 and _is_segment(wanted.name):
        contents = {data for data in contents if _is_valid(data, wanted.name)} or contents
    if len(contents) > 1:
        paths = ", ".join(candidate.path for candidate in usable)
        raise Refused(f"copies that contradict each other: {paths}")
    return contents.pop()


def _is_valid(data: bytes, name: WalName) -> bool:
    """Read the records: only where copies differ, as it costs more than all the rest."""
    from parsers.wal_scan import judge_end, scan_segment

    assert name.segment is not None
    timeline, number = parse_segment_name(name.segment, len(data))
    scan = scan_segment(data, name_timeline=timeline, segment_number=number)
    return judge_end(scan, may_end_early=False) is None


def _write(data: bytes, target: str, *, durable: bool) -> None:
    """Write beside the target and rename: the server never sees half a file.

    The name beside it is always the same, so that an interrupted fetch leaves nothing for long.
    """
    beside = f"{target}.fetching"
    try:
        with open(beside, "wb") as file:  # noqa: PTH123
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.chmod(beside, 0o600)  # noqa: PTH101
        os.replace(beside, target)  # noqa: PTH105
        if durable:
            _sync_directory(os.path.dirname(target) or ".")  # noqa: PTH120
    except OSError as error:
        raise Refused(f"{target}: cannot be written: {error.strerror}") from None


def _sync_directory(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
