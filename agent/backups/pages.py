"""A base backup's pages against the checksums in them, while its files are read.

Follows pg_checksums (src/bin/pg_checksums) and what basebackup.c holds to be relations. A page that
changed while the backup was taken may be half-written in it: replay writes it again, so it is
counted and not judged. Nothing is held in memory but one chunk of a file and the first of what is
damaged.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import field
from itertools import accumulate, chain
from typing import Final

from agent.backups.describe import Pieces, read_control
from agent.backups.noted import noted
from agent.denied import is_proof, reason
from agent.engine import running
from agent.store.paths import AnyPath, entries_of
from parsers.errors import ParseError
from parsers.files.backup_label import BackupLabel
from parsers.files.backup_manifest import BackupManifest
from parsers.files.data_page import (
    BLOCK_SIZES,
    INCREMENTAL_START_BYTES,
    Blocks,
    IncrementalStart,
    RelationFile,
    Replayed,
    incremental_blocks,
    parse_incremental_start,
    relation_files,
)
from parsers.files.page_checks import see_pages
from parsers.files.pg_control import ControlFile
from parsers.sentences import tr
from parsers.values import dataclass
from rules.model.facts import DamagedFork, PagesFacts

_MOST_BLOCKS: Final = 20  # that are named of one fork: its first
_BATCH_PAGES: Final = 512
_OFF, _ON = 0, 1
_CHANGING: Final = {
    2: tr("data checksums were being turned off"),
    3: tr("data checksums were being turned on"),
}


def why_not(control: ControlFile | None) -> str | None:
    """Why the pages of a backup with this control file tell nothing; None: they can be judged."""
    if control is None:
        return tr("its pg_control, which says how to read them, could not be used")
    version = control.data_checksum_version
    if version == _OFF:
        return tr("data checksums are off")
    if version in _CHANGING:
        return _CHANGING[version]
    if version != _ON:
        return tr(
            "data checksum version {version} is of a newer PostgreSQL than this program knows",
            version=version,
        )
    if control.block_size not in BLOCK_SIZES:
        return tr("pg_control says that a page has {size} bytes", size=control.block_size)
    return None


@dataclass(slots=True)
class PageCheck:
    """What the pages of one backup say, file by file, in whatever order they are read."""

    control: ControlFile | None
    files: dict[str, RelationFile]  # those to check, by their path in the data directory
    batch: _Batch
    unchecked: str | None = None  # why there is none
    unread: list[str] = field(default_factory=list)  # could not be checked, each with the reason

    def through(self, path: str, content: Iterable[bytes]) -> Iterator[bytes]:
        """Pass a file's content on, and look at its pages on the way."""
        file = self.files.get(path)
        if file is None or self.control is None:
            yield from content
            return
        reader = _FileReader(file, self.control, self.batch)
        for chunk in content:
            reader.take(chunk)
            yield chunk
        if wrong := reader.end():
            self.unread.append(noted(path, wrong))

    def facts(self) -> PagesFacts:
        """What all pages read until now say."""
        batch = self.batch
        batch.judge()
        seen = batch.checked or batch.new or batch.newer or batch.headless
        return PagesFacts(
            checked=batch.checked,
            new=batch.new,
            newer=batch.newer,
            damaged=_forks(batch.damaged),
            headless=_forks(batch.headless),
            unchecked=self.unchecked
            or (None if seen else tr("no file of a relation could be read")),
        )


def page_check(
    pieces: Pieces,
    manifest: BackupManifest | None,
    label: BackupLabel,
    paths: Iterable[str],
    *,
    cold: bool = False,
) -> PageCheck:
    """Prepare to check the pages in the files at `paths`.

    `cold` is true of a copy of a server that was shut down.
    """
    control, _ = read_control(pieces)
    unchecked = why_not(control)
    if control is None or unchecked:
        return PageCheck(control, {}, _Batch(0, None), unchecked)
    ends = [each.end_lsn for each in manifest.wal_ranges] if manifest else []
    replayed = None if cold else Replayed(label.start_lsn, max(ends, default=None))
    files = relation_files(paths, control.catalog_version)
    return PageCheck(control, files, _Batch(control.block_size, replayed))


@dataclass(slots=True)
class _Fork:
    blocks: list[int] = field(default_factory=list)
    count: int = 0


_Forks = dict[tuple[str, str], _Fork]


class _Batch:
    """Pages of any files, judged together: numpy pays for a call, hardly for a page.

    The compiled engine judges each piece of a file where it lies.
    """

    def __init__(self, block_size: int, replayed: Replayed | None) -> None:
        self.checked = self.new = self.newer = 0
        self.damaged: _Forks = {}
        self.headless: _Forks = {}
        self._block_size = block_size
        self._replayed = replayed
        self._waiting: list[tuple[RelationFile, Blocks, bytes]] = []
        self._count = 0
        self._most = 0 if running() == "c" else _BATCH_PAGES

    def add(self, file: RelationFile, blocks: Blocks, pages: bytes) -> None:
        if self._count + len(blocks) > self._most:
            self.judge()  # what is large is then judged where it lies
        self._waiting.append((file, blocks, pages))
        self._count += len(blocks)
        if self._count >= self._most:
            self.judge()

    def judge(self) -> None:
        """Judge what waits."""
        waiting, self._waiting, self._count = self._waiting, [], 0
        if not waiting:
            return
        _, blocks, pages = waiting[0]
        if len(waiting) > 1:
            blocks = array("q", chain.from_iterable(blocks for _, blocks, _ in waiting))
            pages = b"".join(pages for _, _, pages in waiting)
        seen = see_pages(pages, self._block_size, blocks, self._replayed)
        self.checked += seen.checked
        self.new += seen.new
        self.newer += seen.newer
        ends = list(accumulate(len(blocks) for _, blocks, _ in waiting))
        for rows, found in ((seen.damaged, self.damaged), (seen.headless, self.headless)):
            for row in rows:
                _note(found, waiting[bisect_right(ends, row)][0], blocks[row])


def _note(found: _Forks, file: RelationFile, block: int) -> None:
    fork = found.setdefault((file.relation, file.fork), _Fork())
    fork.count += 1
    if len(fork.blocks) < _MOST_BLOCKS or block < fork.blocks[-1]:
        fork.blocks = sorted((*fork.blocks, block))[:_MOST_BLOCKS]


def _forks(found: _Forks) -> tuple[DamagedFork, ...]:
    return tuple(
        DamagedFork(relation, fork, tuple(each.blocks), each.count)
        for (relation, fork), each in sorted(found.items())
    )


class _FileReader:
    """The pages of one file, from chunks of any length."""

    def __init__(self, file: RelationFile, control: ControlFile, batch: _Batch) -> None:
        self._file = file
        self._size = control.block_size
        self._segment_blocks = control.relation_segment_blocks
        self._first = file.segment * self._segment_blocks
        self._batch = batch
        self._pending = b""
        self._next = 0  # block in this file
        self._start: IncrementalStart | None = None
        self._blocks: array[int] | None = None  # of an incremental file: which ones it holds
        self._wrong: str | None = None

    def take(self, chunk: bytes) -> None:
        if self._wrong:
            return
        data = self._pending + chunk if self._pending else chunk
        if self._file.incremental and self._blocks is None:
            try:
                data = self._after_header(data)
            except ParseError as error:
                self._wrong = error.message
                return
        count = len(data) // self._size if not self._is_in_header else 0
        if count:
            self._see(data[: count * self._size], count)
        self._pending = data[count * self._size :]

    @property
    def _is_in_header(self) -> bool:
        return self._file.incremental and self._blocks is None

    def _after_header(self, data: bytes) -> bytes:
        """What follows the header of an incremental file; all of it while that is not complete."""
        if self._start is None and len(data) >= INCREMENTAL_START_BYTES:
            self._start = parse_incremental_start(data, self._size, self._segment_blocks)
        if self._start is None or len(data) < self._start.header_bytes:
            return data
        self._blocks = incremental_blocks(data, self._start)
        return data[self._start.header_bytes :]

    def _see(self, pages: bytes, count: int) -> None:
        numbers = range(self._next, self._next + count)
        self._next += count
        blocks: Blocks = range(numbers.start + self._first, numbers.stop + self._first)
        if self._blocks is not None:
            if self._next > len(self._blocks):
                self._wrong = tr("it holds more pages than its header names")
                return
            named = self._blocks[numbers.start : numbers.stop]
            blocks = array("q", (block + self._first for block in named))
        self._batch.add(self._file, blocks, pages)

    def end(self) -> str | None:
        """What of the file could not be checked, once all of it was taken."""
        if self._wrong:
            return self._wrong
        if self._is_in_header:
            return tr("its header is cut short")
        if self._blocks is not None and self._next < len(self._blocks):
            return tr(
                "it holds {read} of the {all} pages that its header names",
                read=self._next,
                all=len(self._blocks),
            )
        if self._pending:
            return tr(
                "ends {size} bytes into page {page}",
                size=len(self._pending),
                page=self._first + self._next,
            )
        return None


# -- finding the files of a plain backup -----------------------------------------------------------


def list_relations(backup: AnyPath, unread: list[str]) -> Iterator[str]:
    """Paths of the files where relations lie; takes what cannot be listed into `unread`."""
    yield from _files(backup, "global", unread)
    for database in _directories(backup, "base", unread):
        yield from _files(backup, database, unread)
    for space in _directories(backup, "pg_tblspc", unread):
        for release in _directories(backup, space, unread):
            for database in _directories(backup, release, unread):
                yield from _files(backup, database, unread)


def _files(backup: AnyPath, folder: str, unread: list[str]) -> Iterator[str]:
    return (f"{folder}/{name}" for name, is_folder in _list(backup, folder, unread)
            if not is_folder)  # fmt: skip


def _directories(backup: AnyPath, folder: str, unread: list[str]) -> Iterator[str]:
    return (f"{folder}/{name}" for name, is_folder in _list(backup, folder, unread) if is_folder)


def _list(backup: AnyPath, folder: str, unread: list[str]) -> list[tuple[str, bool]]:
    """(name, whether it is a directory), sorted by name."""
    try:
        return sorted((entry.name, entry.is_dir()) for entry in entries_of(backup / folder))
    except OSError as error:
        if not is_proof(error):
            unread.append(noted(folder, reason(error, backup / folder)))
        return []
