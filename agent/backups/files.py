"""A backup's files against its manifest: there, of the right size, with the right checksum.

Follows pg_verifybackup (src/bin/pg_verifybackup), and ignores what that ignores; files that a
manifest does not list are no concern of this check.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from itertools import islice
from operator import itemgetter
from threading import Event, Lock
from typing import TYPE_CHECKING, Final, TypeVar

import google_crc32c

from agent.backups.noted import noted
from agent.denied import is_proof, reason
from agent.store.meter import shared
from agent.store.paths import AnyPath, StorePath, open_path, require_inside, status_of
from parsers.files.backup_manifest import BackupManifest, ManifestFile
from parsers.sentences import tr, trn
from parsers.values import dataclass

if TYPE_CHECKING:
    from agent.backups.pages import PageCheck

T = TypeVar("T")

_MOST_NAMED: Final = 100_000  # bad files: a manifest may list millions that are not there
_IN_A_ROW: Final = 10_000  # of which the last are waited for
_AT_ONCE: Final = 8  # files of a store, each with 8 MiB at most in memory
_MOST_READERS: Final = 4  # of one disk
_CHUNK_BYTES: Final = 512 << 10  # stays in the processor's cache, and is never given back
# Ignored, with what is below them, by pg_verifybackup of every major since 13: they may change
# after the backup was made. pg_basebackup -R itself writes the last three.
_IGNORED: Final = (
    "backup_manifest", "pg_wal", "postgresql.auto.conf", "recovery.signal", "standby.signal",
)  # fmt: skip


@dataclass(slots=True)
class Comparison:
    """The files of a backup that are not good, each with the reason."""

    bad: list[str] = field(default_factory=list)  # proven not to be as the manifest says
    unread: list[str] = field(default_factory=list)  # that could not be looked at


def files_to_compare(manifest: BackupManifest) -> Iterator[ManifestFile]:
    """Those files of the manifest that must be as it says."""
    for file in manifest.files:
        if file.path.partition("/")[0] not in _IGNORED:
            yield file


def compare_files(
    backup: AnyPath, manifest: BackupManifest, *, checksums: bool, pages: PageCheck | None = None
) -> Comparison:
    """Hold each file of a plain backup against the manifest, and its pages against `pages`."""
    found, unnamed = Comparison(), 0
    for file, wrong in _looked_at(backup, manifest, checksums, pages):
        if isinstance(wrong, OSError):
            if not is_proof(wrong):
                if len(found.unread) < _MOST_NAMED:
                    found.unread.append(noted(file.path, reason(wrong, backup / file.path)))
                continue
            absent = isinstance(wrong, FileNotFoundError | NotADirectoryError)
            wrong = tr("absent") if absent else wrong.strerror
        if wrong and len(found.bad) < _MOST_NAMED:
            found.bad.append(noted(file.path, wrong))
        elif wrong:
            unnamed += 1
    if unnamed:
        found.bad.append(trn("{n} more file", "{n} more files", unnamed))
    return found


def _looked_at(
    backup: AnyPath, manifest: BackupManifest, checksums: bool, pages: PageCheck | None
) -> Iterator[tuple[ManifestFile, str | OSError | None]]:
    """What is wrong with each file, or what kept it from being looked at."""

    def look(file: ManifestFile) -> str | OSError | None:
        path = backup / file.path
        try:
            wrong = _look(path, file, checksums, pages)
            if wrong:
                require_inside(path, backup)
        except OSError as error:
            return error
        return wrong

    files = files_to_compare(manifest)
    if pages is not None or not checksums:
        yield from ((file, look(file)) for file in files)
        return
    from concurrent.futures import ThreadPoolExecutor

    while some := list(islice(files, _IN_A_ROW)):
        if isinstance(backup, StorePath):
            with ThreadPoolExecutor(_AT_ONCE) as crew:  # one after the other they would wait
                yield from zip(some, crew.map(shared(look), some), strict=True)
        else:
            yield from side_by_side(look, some)


def side_by_side(
    look: Callable[[ManifestFile], T], files: Iterable[ManifestFile]
) -> Iterator[tuple[ManifestFile, T]]:
    """Give what a look at each file of a disk found, in their order, where it found something.

    As many are looked at as there are processors for; each has one file in memory. Nothing waits
    for a read that hangs, not even the end of the process.
    """
    from agent.archive.workers import Threads

    waiting, turn, over = enumerate(files), Lock(), Event()
    found: list[tuple[int, ManifestFile, T]] = []

    def read() -> None:
        while not over.is_set():
            with turn:
                number, file = next(waiting, (0, None))
            if file is None:
                return
            if what := look(file):
                found.append((number, file, what))

    count = min(len(os.sched_getaffinity(0)), _MOST_READERS)
    threads = Threads(count)
    try:
        for future in [threads.submit(number, read) for number in range(count)]:
            future.result()
    finally:
        over.set()
        threads.close()
    for _, file, what in sorted(found, key=itemgetter(0)):
        yield file, what


def _look(
    path: AnyPath, file: ManifestFile, checksums: bool, pages: PageCheck | None
) -> str | None:
    """What is wrong with one file. Lets OSError through."""
    wrong = wrong_size(status_of(path).st_size, file)
    hashed = checksums and file.checksum_algorithm is not None and not wrong
    if not hashed and not (pages and file.path in pages.files):
        return wrong
    with open_path(path) as stream:
        content = chunks(stream.read)
        if pages is not None:
            content = pages.through(file.path, content)
        return look_through(content, file if hashed else None) or wrong


def look_through(content: Iterable[bytes], hashed: ManifestFile | None) -> str | None:
    """Read a file to its end, and say why its checksum, if that is asked for, is not good."""
    if hashed is not None:
        return wrong_checksum(checksum(content, hashed), hashed)
    deque(content, maxlen=0)
    return None


def read_pages(backup: AnyPath, pages: PageCheck) -> None:
    """Read the pages of a plain backup that has no manifest to compare its files with."""
    for name in pages.files:
        path = backup / name
        try:
            with open_path(path) as stream:
                look_through(pages.through(name, chunks(stream.read)), None)
        except OSError as error:
            pages.unread.append(noted(name, reason(error, path)))


def wrong_size(size_bytes: int, file: ManifestFile) -> str | None:
    """Why a size is not the manifest's; None when it is."""
    return (
        None
        if size_bytes == file.size_bytes
        else tr(
            "{size} bytes instead of {expected}",
            size=size_bytes,
            expected=file.size_bytes,
        )
    )


def wrong_checksum(found: str, file: ManifestFile) -> str | None:
    """Why a checksum is not the manifest's; None when it is."""
    return (
        None
        if found == file.checksum
        else tr("{algorithm} differs", algorithm=file.checksum_algorithm)
    )


def checksum(content: Iterable[bytes], file: ManifestFile) -> str:
    """In the manifest's notation: CRC-32C is in the order of a little-endian server's memory."""
    if file.checksum_algorithm != "CRC32C":
        digest = hashlib.new(str(file.checksum_algorithm).lower())
        for chunk in content:
            digest.update(chunk)
        return digest.hexdigest()
    value = 0
    for chunk in content:
        value = google_crc32c.extend(value, chunk)
    return int(value).to_bytes(4, "little").hex()


def chunks(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """A stream's content, piece by piece."""
    while chunk := read(_CHUNK_BYTES):
        yield chunk
