"""Giving PostgreSQL one file of an archive: find it, check it, write it atomically.

What is wrong is never handed over: recovery would take it for the end of the WAL. A plain `cp`
leaves that to the server, which looks at the size alone before it replays. The server's own control
file, when it is at hand, tells whose WAL to expect. Imports are few on purpose: this runs once a
segment.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
import time
from collections.abc import Callable, Sequence
from typing import BinaryIO, Final, NamedTuple

from agent.archive.codecs import READABLE_SUFFIXES, Flaw
from agent.archive.spool import data_directory_of
from agent.archive.stored import is_named_tar, read_stored, require_own
from agent.archive.target import NoTarget, write_target
from agent.archive.tree import CannotList, find_files
from agent.archive.unreadable import why_unreadable
from agent.printable import printable
from agent.store.local import leaves, open_file, read_file, stat_path
from agent.store.urls import is_remote
from parsers.errors import ParseError
from parsers.segment import (
    ENCRYPTION_SUFFIXES,
    NameKind,
    WalName,
    parse_segment_name,
    parse_wal_name,
)
from parsers.sentences import joined, message_of, tr
from parsers.wal.page import LONG_HEADER_BYTES, LongPageHeader, parse_any_header

_SETTLE_SECONDS: Final = 5.0  # a short file that changed more recently may still be written to
_PAUSE_SECONDS: Final = 0.2
_TEMPORARY: Final = ("RECOVERYXLOG", "RECOVERYHISTORY")  # what %p is in a restore
_SMALL_FILE_BYTES: Final = 1 << 20
_CHANGED: Final = tr("it changed its length while it was read")


class FileRefused(Exception):
    """A file was found and must not be used, or an archive cannot be read. One line."""


class WantedFile(NamedTuple):
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
    plain_bytes: int = 0  # of a file that is stored as it is: it is copied, and `data` empty


def _complain(message: str) -> None:
    try:
        print(printable(message), file=sys.stderr, flush=True)
    except OSError:
        return  # a full disk under the server's log stops no restore


def fetch(
    name: str,
    target: str,
    roots: Sequence[str],
    *,
    data_directory: str | None = None,
    complain: Callable[[str], None] = _complain,
    durable: bool = True,
    sources: list[str] | None = None,
    further: Sequence[StoredAt] = (),
) -> bool:
    """Write the archived file `name` to `target`; False when no archive has it. Raises Refused.

    `data_directory` is the one that is being recovered; without it, the one in whose pg_wal
    `target` lies. `complain` takes a line about a copy that was passed over. What need not outlive
    a crash of the machine is written without `durable`: that is so of a server's RECOVERYXLOG too,
    which it asks for again after a crash, and syncs itself when it keeps it
    (KeepFileRestoredFromArchive). `sources` takes the paths that were read. `further` are files of
    the name that were found elsewhere.
    """
    parsed = parse_wal_name(name)
    if parsed is None or parsed.compression:
        raise FileRefused(
            tr("{name!r} is not the name of a WAL segment or history file (%f)", name=name)
        )
    wanted = _ask_server(parsed, data_directory or data_directory_of(target))
    candidates = _read_all(wanted, roots, further)
    while any(_still_growing(candidate) for candidate in candidates):
        if wanted.is_standby:
            return False
        time.sleep(_PAUSE_SECONDS)
        candidates = _read_all(wanted, roots, further)
    if not candidates:
        return False
    if sources is not None:
        sources += [candidate.path for candidate in candidates]
    durable = durable and os.path.basename(target) not in _TEMPORARY  # noqa: PTH119
    _write(_choose(wanted, candidates, complain), target, durable=durable)
    return True


def _ask_server(name: WalName, data_directory: str) -> WantedFile:
    """Learn from the data directory whose WAL it takes.

    The system identifier is the first field of pg_control in every version, and never changes.
    """
    try:
        with open(f"{data_directory}/global/pg_control", "rb") as file:  # noqa: PTH123
            (identifier,) = struct.unpack("<Q", file.read(8))
    except (OSError, struct.error):
        identifier = None
    standby = os.path.lexists(f"{data_directory}/standby.signal")
    return WantedFile(name, identifier, standby)


# -- finding and reading -------------------------------------------------------------------------


def _read_all(
    wanted: WantedFile, roots: Sequence[str], further: Sequence[StoredAt]
) -> list[Candidate]:
    """Every file of the name, in the order of the archives; all of them when none is whole."""
    plain = wanted.name.plain
    suffixes = ("", *READABLE_SUFFIXES, *ENCRYPTION_SUFFIXES)
    names = [f"{plain}{suffix}" for suffix in suffixes]
    files: list[StoredAt] = []
    for root in roots:
        if is_remote(root):
            files += _find_remote(root, plain, names)
            continue
        root = os.path.normpath(root)
        if os.path.isfile(root):  # noqa: PTH113 - a pg_wal.tar
            files += [StoredAt(root, member) for member in (plain, f"pg_wal/{plain}")]
            continue
        try:
            files += [StoredAt(*os.path.split(path)) for path in find_files(root, names)]
        except CannotList as error:
            raise FileRefused(message_of(error)) from None
    files += further
    within = [*roots, *(file.directory for file in further)]
    return [candidate for file in files if (candidate := _read(file, wanted, within)) is not None]


def _find_remote(root: str, plain: str, names: Sequence[str]) -> list[StoredAt]:
    from agent.archive.remote import find_objects

    if is_named_tar(root):
        return [StoredAt(root, member) for member in (plain, f"pg_wal/{plain}")]
    try:
        return [StoredAt(*found[:2]) for found in find_objects(root, plain, names)]
    except CannotList as error:
        raise FileRefused(message_of(error)) from None


def _read(file: StoredAt, wanted: WantedFile, roots: Sequence[str]) -> Candidate | None:
    """Read one file and say what is wrong with it; None when it vanished."""
    path = file.path
    local = not is_remote(path)
    if local and not _is_segment(wanted.name) and all(leaves(path, root) for root in roots):
        return Candidate(path, b"", tr("a link that leads out of the archive"))
    check = _check_segment if _is_segment(wanted.name) else _check_small
    try:
        return check(file, wanted)
    except FileNotFoundError:
        dangling = local and os.path.islink(path)  # noqa: PTH114
        return Candidate(path, b"", tr("a symbolic link that leads nowhere")) if dangling else None
    except ParseError as error:
        return Candidate(path, b"", message_of(error))
    except Exception as failure:  # of one file: a copy of it may still be right
        return Candidate(path, b"", why_unreadable(failure))


def _is_segment(name: WalName) -> bool:
    return name.kind in (NameKind.SEGMENT, NameKind.PARTIAL)


def _check_segment(file: StoredAt, wanted: WantedFile) -> Candidate | None:
    """Read a segment of the size that it says, and hold its first page to its name."""
    path = file.path
    head = read_stored(*file, LONG_HEADER_BYTES)
    require_own(*file, head)
    if head.flaw not in (None, Flaw.LONGER):
        return Candidate(path, b"", head.detail, head.flaw is Flaw.CUT)
    if len(head.data) < LONG_HEADER_BYTES:
        return Candidate(path, b"", tr("only {size} bytes", size=len(head.data)), is_short=True)
    header = parse_any_header(head.data)
    if _is_recycled(file, header, wanted):
        return None
    sha1 = _sha1_in(file.name)
    if head.codec is None and sha1 is None and _is_plain(path, header.segment_size):
        return Candidate(path, b"", _foreign(header, wanted), plain_bytes=header.segment_size)
    content = read_stored(*file, header.segment_size)
    if content.flaw is not None:
        return Candidate(path, b"", content.detail, content.flaw is Flaw.CUT)
    if (size := len(content.data)) < header.segment_size:
        why = tr("{size} bytes instead of {expected}", size=size, expected=header.segment_size)
        return Candidate(path, b"", why, is_short=True)
    if sha1 is not None:
        from hashlib import sha1 as digest

        if digest(content.data).hexdigest() != sha1:
            return Candidate(path, b"", tr("its content has another SHA-1 than its name"))
    return Candidate(path, content.data, _foreign(header, wanted))


def _sha1_in(name: str) -> str | None:
    """The content's checksum that pgBackRest puts into a segment's name."""
    dash = name.find("-")
    return name[dash + 1 : dash + 41] if dash > 0 else None


def _is_plain(path: str, size: int) -> bool:
    """Whether a path, of which no codec was found, leads to a file of this size."""
    return not is_remote(path) and os.path.isfile(path) and os.path.getsize(path) == size  # noqa: PTH113, PTH202


def _is_recycled(file: StoredAt, header: LongPageHeader, wanted: WantedFile) -> bool:
    """In a server's own pg_wal a file of the future holds what it held before: that is no WAL yet.

    In an archive the same would be a file under a wrong name.
    """
    assert wanted.name.segment is not None
    number = parse_segment_name(wanted.name.segment, header.segment_size)[1]
    return header.page.lsn < number * header.segment_size and (
        os.path.basename(file.directory) == "pg_wal"  # noqa: PTH119
        or os.path.isdir(f"{file.directory}/archive_status")  # noqa: PTH112
    )


def _foreign(header: LongPageHeader, wanted: WantedFile) -> str | None:
    """Why a sound first page is not the one that the name promises, to this server."""
    assert wanted.name.segment is not None
    expected = wanted.system_identifier
    if expected is not None and header.system_identifier != expected:
        return tr(
            "another cluster's: system identifier {found}, not {expected}",
            found=header.system_identifier,
            expected=expected,
        )
    timeline, number = parse_segment_name(wanted.name.segment, header.segment_size)
    lsn = number * header.segment_size
    if header.page.lsn != lsn:
        return tr(
            "another segment's content: its first page is {found:X}, not {expected:X}",
            found=header.page.lsn,
            expected=lsn,
        )
    if header.page.timeline > timeline:
        return tr("its first page is of timeline {timeline}", timeline=header.page.timeline)
    return None


def _check_small(file: StoredAt, wanted: WantedFile) -> Candidate:
    path = file.path
    content = read_stored(*file, _SMALL_FILE_BYTES)
    if content.flaw is not None:
        return Candidate(path, b"", content.detail, content.flaw is Flaw.CUT)
    if wanted.name.kind is NameKind.TIMELINE_HISTORY:
        from parsers.files.timeline_history import parse_timeline_history

        if not parse_timeline_history(content.data, wanted.name.timeline).entries:
            return Candidate(path, b"", tr("names no ancestor"), is_short=True)
    else:
        from parsers.files.backup_label import parse_backup_history

        parse_backup_history(content.data)
    return Candidate(path, content.data, None)


def _still_growing(candidate: Candidate) -> bool:
    if not candidate.is_short or is_remote(candidate.path):  # a store shows whole objects
        return False
    try:
        changed_at = stat_path(candidate.path).st_mtime
    except OSError:
        return False
    return time.time() - changed_at < _SETTLE_SECONDS


# -- choosing and writing ------------------------------------------------------------------------


def _choose(
    wanted: WantedFile, candidates: Sequence[Candidate], complain: Callable[[str], None]
) -> Candidate:
    """The file that recovery may have. Raises Refused when none is right, or several are."""
    usable = [candidate for candidate in candidates if candidate.complaint is None]
    refused = [(each.path, each.complaint) for each in candidates if each.complaint is not None]
    if not usable:
        parts = (tr("{path}: {complaint}", path=path, complaint=why) for path, why in refused)
        raise FileRefused(joined("; ", parts))
    for path, why in refused:
        complain(tr("{path} was passed over: {why}", path=path, why=why))
    if len(usable) == 1:
        return usable[0]
    usable = [_with_data(candidate) for candidate in usable]
    contents = {candidate.data for candidate in usable}
    if len(contents) > 1 and _is_segment(wanted.name):
        contents = {data for data in contents if _is_valid(data, wanted.name)} or contents
    if len(contents) > 1:
        paths = ", ".join(candidate.path for candidate in usable)
        raise FileRefused(tr("copies that contradict each other: {paths}", paths=paths))
    content = contents.pop()
    return next(candidate for candidate in usable if candidate.data == content)


def _refused(candidate: Candidate, why: str) -> FileRefused:
    return FileRefused(tr("{path}: {why}", path=candidate.path, why=why))


def _with_data(candidate: Candidate) -> Candidate:
    """The same, read: to be compared. Raises Refused."""
    if not candidate.plain_bytes:
        return candidate
    try:
        data = read_file(candidate.path, candidate.plain_bytes + 1)
    except OSError as error:
        raise _refused(candidate, why_unreadable(error)) from None
    if len(data) != candidate.plain_bytes:
        raise _refused(candidate, _CHANGED)
    return candidate._replace(data=data, plain_bytes=0)


def _is_valid(data: bytes, name: WalName) -> bool:
    """Read the records: only where copies differ, as it costs more than all the rest."""
    from agent.engine import scan_segment
    from parsers.wal.scan import judge_end

    assert name.segment is not None
    timeline, number = parse_segment_name(name.segment, len(data))
    try:
        scan = scan_segment(data, name_timeline=timeline, segment_number=number)
    except Exception:  # not proven: the copies are left to contradict each other
        return False
    return judge_end(scan, may_end_early=False) is None


def _write(chosen: Candidate, target: str, *, durable: bool) -> None:
    def write(file: BinaryIO) -> None:
        file.write((_copy(chosen, file.fileno()) if chosen.plain_bytes else chosen).data)

    try:
        write_target(target, write, durable=durable)
    except NoTarget as error:
        raise FileRefused(message_of(error)) from None
    except OSError as error:
        raise FileRefused(
            tr("{target}: cannot be written: {reason}", target=target, reason=error.strerror)
        ) from None


def _copy(chosen: Candidate, target: int) -> Candidate:
    """Have the kernel copy a file; give what is still to be written, where it cannot.

    Through this process a copy would take twice as long.
    """
    try:
        source = open_file(chosen.path)
    except OSError as error:
        raise _refused(chosen, why_unreadable(error)) from None
    copied = 0
    with source:
        while copied < chosen.plain_bytes:
            try:
                count = os.sendfile(target, source.fileno(), copied, chosen.plain_bytes - copied)
            except OSError as error:
                if copied or error.errno not in (errno.EINVAL, errno.ENOSYS):
                    raise
                return _with_data(chosen)
            if not count:
                raise _refused(chosen, _CHANGED)
            copied += count
    return chosen
