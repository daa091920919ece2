"""One ledger file: opening it, finding what is known of files, writing down what was read.

SQLite with a rollback journal, not in WAL mode: no second file that must be shared through memory,
so that a ledger also works on NFS, and one in a directory that is read-only can be read. Every
batch is one transaction: a process killed at any instant leaves the batches before. Transactions
are short and a lock is waited for a moment, so that several checks and the agent can share a file.

Whatever fails, fails once: `complain` gets one line. A ledger that cannot be written is still
read; one that cannot be read knows nothing until it is opened again.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from agent.ledger.encode import PackedScan, checksum, format_fingerprint
from agent.ledger.schema import NotALedger, prepare
from agent.private_file import make_private
from agent.store.urls import is_remote
from parsers.sentences import message_of, tr
from rules.model.facts import ArchivedFile

_LOCK_SECONDS: Final = 5.0  # how long to wait for somebody else's transaction
_MOST_BYTES: Final = 64 << 20  # of one value: a ledger of ours has no larger one
# What a damaged file makes SQLite say, and Python's part of it: a message that quotes the damage is
# no text (UnicodeDecodeError).
_BROKEN: Final = (sqlite3.Error, ValueError, TypeError, OverflowError)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

Place = tuple[str, str]  # directory, name


class FileRow(NamedTuple):
    """What the ledger knows of one file at one depth."""

    file: ArchivedFile  # as it was when it was read
    depth: str
    segment_size: int
    read_at: datetime
    digest: bytes  # of its content, decompressed
    sound: bool  # nothing was wrong with it
    changed_digest: bytes | None  # of what it held, sound, before its content changed
    changed_read_at: datetime | None  # when that was read last
    same_format: bool = True  # the scan was made by this very parser
    id: int = 0  # given by the ledger
    checksum: int = 0  # of this row and of the packed scan


class RunRow(NamedTuple):
    """A stretch of segments, joined."""

    first: Place
    members: bytes  # names the rows of its files
    scan: bytes  # empty: they cannot be joined
    summary: bytes


class Ledger:
    """A ledger file, closed until `open`. Its methods never raise for what the file is.

    Any thread may call them, one at a time.
    """

    def __init__(self, path: str, complain: Callable[[str], None]) -> None:
        self.path = path
        self._complain = complain
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._writes = True
        self._said = ""

    def open(self) -> None:
        """Open the file, if it is not, for a round of reading: what failed may work again."""
        with self._lock:
            self._writes = True
            if self._connection is not None:
                return
            try:
                self._connection = _open(self.path)
                self._said = ""
            except (NotALedger, OSError, *_BROKEN) as error:
                self._give_up(error)

    def close(self) -> None:
        with self._lock:
            self._disconnect()

    def rows(self, directories: Iterable[str], depth: str) -> dict[Place, FileRow]:
        """What is known of the files in some directories."""
        found: dict[Place, FileRow] = {}
        with self._lock:
            try:
                for directory in directories if self._connection else ():
                    found |= self._rows_in(directory, depth)
            except _BROKEN as error:
                self._give_up(error)
                return {}
        return found

    def count_below(self, directory: str) -> int:
        """How many segments are known in a directory and all below it."""
        query = (
            "SELECT count(DISTINCT f.directory || '/' || f.name)"
            " FROM files f JOIN directories d ON d.id = f.directory"
            " WHERE d.path = ? OR substr(d.path, 1, ?) = ?"
        )
        key = _key(directory)
        below = key.rstrip(b"/") + b"/"
        with self._lock:
            try:
                if self._connection is None:
                    return 0
                found = self._connection.execute(query, (key, len(below), below)).fetchone()
                return int(found[0])
            except _BROKEN as error:
                self._give_up(error)
                return 0

    def packed(self, row: FileRow) -> PackedScan | None:
        """The scan of a row; None when it is there no more, or not as it was written."""
        found = self._scan_of(row)
        return PackedScan(*found) if found is not None and _is_whole(row, found) else None

    def is_spoilt(self, row: FileRow) -> bool:
        """Whether it is not as it was written. One that another process has replaced was."""
        found = self._scan_of(row)
        return self._connection is None if found is None else not _is_whole(row, found)

    def _scan_of(self, row: FileRow) -> tuple[Any, Any] | None:
        query = (
            "SELECT scan, transactions FROM scans WHERE id = ?"
            f" AND length(scan) <= {_MOST_BYTES} AND length(transactions) <= {_MOST_BYTES}"
        )
        with self._lock:
            if self._connection is None:
                return None
            try:
                found: tuple[Any, Any] | None = self._connection.execute(
                    query, (row.id,)
                ).fetchone()
            except _BROKEN as error:
                self._give_up(error)
                return None
        return found

    def write(self, entries: Iterable[tuple[FileRow, PackedScan]]) -> list[FileRow]:
        """Write down some readings, all or none; give their rows as they stand there now."""
        with self._lock:
            if self._connection is None or not self._writes:
                return []
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                written = [self._write_one(row, packed) for row, packed in entries]
                self._connection.execute("COMMIT")
            except _BROKEN as error:
                self._stop_writing(error)
                return []
        return written

    def runs(self, directories: Iterable[str]) -> dict[Place, RunRow]:
        """The stretches known whose first file lies in some directories."""
        query = (
            "SELECT r.name, r.members, r.scan, r.summary, r.checksum"
            " FROM runs r JOIN directories d ON d.id = r.directory WHERE d.path = ?"
            f" AND length(r.scan) <= {_MOST_BYTES}"
        )
        found: dict[Place, RunRow] = {}
        with self._lock:
            try:
                for directory in directories if self._connection else ():
                    assert self._connection is not None
                    for name, *parts, crc in self._connection.execute(query, (_key(directory),)):
                        whole = all(isinstance(part, bytes) for part in parts)
                        if whole and checksum(*parts) == crc:
                            found[directory, name] = RunRow((directory, name), *parts)
            except _BROKEN as error:
                self._give_up(error)
                return {}
        return found

    def write_runs(self, runs: Iterable[RunRow]) -> None:
        """Write down some stretches, all or none."""
        statement = (
            "INSERT OR REPLACE INTO runs SELECT id, ?, ?, ?, ?, ? FROM directories WHERE path = ?"
        )
        rows = [(run.first[1], *run[1:], checksum(*run[1:]), _key(run.first[0])) for run in runs]
        with self._lock:
            if self._connection is None or not self._writes or not rows:
                return
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.executemany(statement, rows)
                self._connection.execute("COMMIT")
            except _BROKEN as error:
                self._stop_writing(error)

    def forget_all_but(self, directories: Iterable[str], kept: Iterable[ArchivedFile]) -> None:
        """Drop the rows of files that a listing of these directories no longer has."""
        there = {(file.directory, file.name) for file in kept}
        listed = list(directories)
        with self._lock:
            try:
                for directory in listed if self._connection and self._writes else ():
                    self._forget_in(directory, there)
            except _BROKEN as error:
                self._stop_writing(error)

    # -- how -------------------------------------------------------------------------------------

    def _rows_in(self, directory: str, depth: str) -> dict[Place, FileRow]:
        assert self._connection is not None
        ours = format_fingerprint()
        query = (
            "SELECT f.id, f.name, f.size, f.mtime_ns, f.ctime_ns, f.segment_size, f.read_at,"
            " f.digest, f.sound, f.changed_digest, f.changed_read_at, f.checksum, f.format"
            " FROM files f JOIN directories d ON d.id = f.directory"
            " WHERE d.path = ? AND f.depth = ?"
        )
        return {
            (directory, name): FileRow(
                ArchivedFile(directory, name, size, mtime_ns, ctime_ns), depth, segment_size,
                _instant(read_at), digest, bool(sound), changed_digest,
                None if changed_read_at is None else _instant(changed_read_at),
                written_by == ours, number, crc,
            )
            for number, name, size, mtime_ns, ctime_ns, segment_size, read_at, digest, sound,
            changed_digest, changed_read_at, crc, written_by
            in self._connection.execute(query, (_key(directory), depth))
        }  # fmt: skip

    def _write_one(self, row: FileRow, packed: PackedScan) -> FileRow:
        assert self._connection is not None
        run, file = self._connection.execute, row.file
        path = _key(file.directory)
        run("INSERT OR IGNORE INTO directories (path) VALUES (?)", (path,))
        (directory,) = run("SELECT id FROM directories WHERE path = ?", (path,)).fetchone()
        place = (directory, file.name, row.depth)
        old = run("SELECT id FROM files WHERE directory = ? AND name = ? AND depth = ?", place)
        for (number,) in old.fetchall():
            run("DELETE FROM scans WHERE id = ?", (number,))
            run("DELETE FROM files WHERE id = ?", (number,))
        changed_at, crc = row.changed_read_at, _checksum(row, packed)
        number = run(
            "INSERT INTO files (directory, name, depth, segment_size, format, size, mtime_ns,"
            " ctime_ns, read_at, digest, sound, changed_digest, changed_read_at, checksum)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *place, row.segment_size, format_fingerprint(), file.size_bytes, file.mtime_ns,
                file.ctime_ns, _microseconds(row.read_at), row.digest, row.sound,
                row.changed_digest, None if changed_at is None else _microseconds(changed_at),
                crc,
            ),
        ).lastrowid  # fmt: skip
        run("INSERT INTO scans VALUES (?, ?, ?)", (number, *packed))
        assert number is not None, "a row was made"
        return row._replace(id=number, checksum=crc)

    def _forget_in(self, directory: str, there: set[Place]) -> None:
        assert self._connection is not None
        run = self._connection.execute
        query = (
            "SELECT f.id, f.name FROM files f JOIN directories d ON d.id = f.directory"
            " WHERE d.path = ?"
        )
        rows = run(query, (_key(directory),))
        gone = [(number,) for number, name in rows if (directory, name) not in there]
        if gone:
            run("BEGIN IMMEDIATE")
            first = "DELETE FROM runs WHERE (directory, name) IN (SELECT directory, name FROM files"
            self._connection.executemany(f"{first} WHERE id = ?)", gone)
            self._connection.executemany("DELETE FROM scans WHERE id = ?", gone)
            self._connection.executemany("DELETE FROM files WHERE id = ?", gone)
            run("COMMIT")

    def _stop_writing(self, error: Exception) -> None:
        assert self._connection is not None
        if isinstance(error, sqlite3.OperationalError):
            self._writes = False
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            self._say(tr("{error}; what is read now is not written down", error=_in_words(error)))
        else:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._disconnect()
        self._say(tr("{error}; going on without it", error=_in_words(error)))

    def _say(self, line: str) -> None:
        if line != self._said:  # and not at every round again
            self._complain(tr("ledger {path}: {line}", path=self.path, line=line))
        self._said = line

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()  # rolls back what was begun


def _key(directory: str) -> bytes:
    """A directory's absolute path: names need not be text; or its address in a store."""
    if is_remote(directory):
        return os.fsencode(directory)
    return os.fsencode(os.path.abspath(directory))  # noqa: PTH100


def _open(path: str) -> sqlite3.Connection:
    """Open a ledger or make one. Raises NotALedger, sqlite3.Error, OSError."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
            raise NotALedger(tr("not a regular file"))
    except FileNotFoundError:
        pass
    with suppress(OSError):  # SQLite says why it cannot be made; its journal gets the same mode
        make_private(path)
    connection = sqlite3.connect(
        path, timeout=_LOCK_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        for setting in ("trusted_schema = OFF", "cell_size_check = ON", "synchronous = NORMAL"):
            connection.execute(f"PRAGMA {setting}")
        prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


_WORDS: Final[Mapping[str, str]] = {
    "database or disk is full": tr("the disk is full"),
    "database is locked": tr("somebody else keeps it locked"),
    "file is not a database": tr("not a ledger"),
    "database disk image is malformed": tr("damaged; remove it, it is a cache"),
    "unable to open database file": tr("cannot be opened or made"),
    "attempt to write a readonly database": tr("it cannot be written"),
}


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError):
        return tr("cannot be opened: {reason}", reason=error.strerror)
    if isinstance(error, NotALedger):
        return message_of(error)
    if isinstance(error, UnicodeDecodeError):
        return _WORDS["database disk image is malformed"]
    said = " ".join(str(error).split())
    return _WORDS.get(said, said[:200])


def _is_whole(row: FileRow, found: tuple[Any, Any]) -> bool:
    bare = all(isinstance(part, bytes) for part in found)
    return bare and _checksum(row, PackedScan(*found)) == row.checksum


def _checksum(row: FileRow, packed: PackedScan) -> int:
    """Over all that a row says and what was read, so that neither can be another's."""
    file = row.file._replace(directory="")
    said = row._replace(file=file, id=0, checksum=0, same_format=True)
    return checksum(_key(row.file.directory), repr(said).encode("utf-8"), *packed)


def _instant(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
