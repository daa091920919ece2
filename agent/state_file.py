"""A small SQLite file for what must outlive the agent, beside the ledger.

That one is a cache and may be deleted, this one is not. Both have a rollback journal: SQLite's
write-ahead log needs memory shared between processes, which NFS does not have. A file that cannot
be written stops nothing: its owner goes on in memory, the log says so, and what is missing is
written later.

Every row has a checksum: SQLite has none, and a bit that flips in a date is still a date. A row
that is not as it was written is told and forgotten. Those of 0.1.0 have none, and are believed.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.private_file import make_private

log: Final = logging.getLogger("pitr.state")

_VERSION: Final = 1  # of the table, in PRAGMA user_version
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS state (
    kind TEXT, name TEXT, sequence INTEGER, value TEXT, PRIMARY KEY (kind, name, sequence))
"""
_COLUMNS: Final = ("kind", "name", "sequence", "value")

Key = tuple[str, str, int]  # kind, of what or whom, sequence number or 0
Row = tuple[str, str, int, str]
_QUERY: Final = "SELECT kind, name, sequence, value FROM state ORDER BY sequence"
# Names of columns and SQLite's own messages are decoded without asking anybody how.
_Damaged: Final = (sqlite3.DatabaseError, UnicodeDecodeError)
# How a value with a checksum begins, also where a bit of the first sign has flipped: no JSON does.
_SEAL: Final = re.compile(r"#|.[0-9a-f]{8} ", re.DOTALL)
_SEAL_LENGTH: Final = len("#01234567 ")


def _sealed(key: Key, value: str) -> str:
    """A value as it is written: what stands before it is of the key too, and of all of it."""
    said = "\0".join((*map(str, key), value)).encode("utf-8", "replace")
    return f"#{zlib.crc32(said):08x} {value}"


def _opened(kind: object, name: object, sequence: object, value: object) -> Row | None:
    """A row as it was put; None: it is not as it was written. SQLite keeps values of any type."""
    if not (isinstance(kind, str) and isinstance(name, str) and isinstance(value, str)):
        return None
    if not isinstance(sequence, int):
        return None
    if not _SEAL.match(value):
        return kind, name, sequence, value
    put = value[_SEAL_LENGTH:]
    return (kind, name, sequence, put) if _sealed((kind, name, sequence), put) == value else None


def read_rows(path: Path) -> list[Row]:
    """All that a file has whole, without writing to it; nothing where it cannot be read."""
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        ) as file:
            file.text_factory = _as_text
            return [row for found in file.execute(_QUERY) if (row := _opened(*found))]
    except (sqlite3.Error, UnicodeDecodeError) as error:
        log.error("%s cannot be read: %s", path, error)
        return []


class StateFile:
    """Rows of text by their key. Belongs to one thread.

    Without a path, or when the file is of no use, nothing is kept. `what` says in the log what is.
    """

    def __init__(self, path: Path | None, what: str) -> None:
        self._path = path
        self._what = what
        self._unwritten: dict[Key, str | None] = {}  # None: the row is to go
        self._failed = False
        self._file = self._open(path) if path is not None else None

    @property
    def lasts(self) -> bool:
        """Whether it outlives the process."""
        return self._file is not None and not self._failed

    def rows(self) -> Iterator[Row]:
        """All that is there whole: kind, name, sequence, value; in the order of the sequence."""
        for found in self._file.execute(_QUERY).fetchall() if self._file is not None else ():
            row = _opened(*found)
            if row is not None:
                yield row
            else:
                log.error("%s: damaged: one of the %s is lost", self._path, self._what)
                self._unwritten[found[:3]] = None

    def complain(self, kind: str, name: str) -> None:
        """Say that a row cannot be read."""
        log.error("%s: the %s of %s cannot be read; starting without it", self._path, kind, name)

    def put(self, key: Key, value: str | None) -> None:
        """Set a row with the next `save`; None takes it away."""
        self._unwritten[key] = value

    def save(self) -> None:
        """Bring the file up to date in one transaction. Never raises; what failed is kept."""
        if self._file is None:
            self._unwritten.clear()
        elif self._unwritten:
            try:
                self._write(self._writable(self._file))
            except _Damaged as error:
                if not self._failed:
                    log.error(
                        "%s: %s: %s are kept in memory meanwhile", self._path, error, self._what
                    )
                self._failed = True
            else:
                if self._failed:
                    log.info("%s: works again", self._path)
                self._failed = False

    def _writable(self, file: sqlite3.Connection) -> sqlite3.Connection:
        """Opened again after it could not be written: one of a read-only disk stays read-only."""
        if self._failed and self._path is not None:
            self._file = _connect(self._path)
            file.close()
        assert self._file is not None
        return self._file

    def close(self) -> None:
        self.save()
        if self._file is not None:
            self._file.close()

    def _write(self, file: sqlite3.Connection) -> None:
        gone = [key for key, value in self._unwritten.items() if value is None]
        kept = [
            (*key, _sealed(key, value))
            for key, value in self._unwritten.items()
            if value is not None
        ]
        with file:
            file.executemany("DELETE FROM state WHERE (kind, name, sequence) = (?, ?, ?)", gone)
            file.executemany("REPLACE INTO state VALUES (?, ?, ?, ?)", kept)
        self._unwritten.clear()

    def _open(self, path: Path) -> sqlite3.Connection | None:
        """The file, a new one where an unreadable one was; None when neither can be had."""
        try:
            return _connect(path)
        except _Damaged as error:
            if isinstance(error, sqlite3.OperationalError) and not _is_of_the_file(error):
                log.error("%s: %s: %s are not kept over a restart", path, error, self._what)
                return None
            aside = path.with_name(f"{path.name}.unreadable")
            log.error(
                "%s: %s: moved to %s; starting with new %s", path, error, aside.name, self._what
            )
        try:
            _move(path, aside)
            return _connect(path)
        except (OSError, *_Damaged) as error:
            log.error("%s: %s: %s are not kept over a restart", path, error, self._what)
            return None


def _move(path: Path, aside: Path) -> None:
    """Move a database with its journal or log: SQLite would put that into a new file too."""
    path.replace(aside)
    for suffix in ("-journal", "-wal", "-shm"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.replace(aside.with_name(aside.name + suffix))


def _connect(path: Path) -> sqlite3.Connection:
    """Raises sqlite3.DatabaseError when it is no database, damaged, or a newer release's."""
    with contextlib.suppress(OSError):  # SQLite says why it cannot be made
        make_private(path)  # its journal gets the same mode
    file = sqlite3.connect(path, timeout=1.0)
    try:
        # What was saved outlives the machine too. 0.1.0 wrote a write-ahead log: it is taken in.
        file.execute("PRAGMA journal_mode = DELETE")
        file.execute("PRAGMA synchronous = FULL")
        (version,) = file.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise sqlite3.DatabaseError(f"written by a newer release (version {version})")
        if version < _VERSION:  # what is there is read on a full disk too
            with file:
                file.execute(_TABLE)
                file.execute(f"PRAGMA user_version = {_VERSION}")
        _require_whole(file)
        file.text_factory = _as_text
    except _Damaged:
        file.close()
        raise
    return file


def _is_of_the_file(error: sqlite3.OperationalError) -> bool:
    """Whether its bytes are to blame, as in an unknown format, and no lock, mode or disk."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR


def _as_text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _require_whole(file: sqlite3.Connection) -> None:
    """Find damage now: later, it would be too late to start fresh."""
    (said,) = file.execute("PRAGMA integrity_check(1)").fetchone()
    if said != "ok":
        raise sqlite3.DatabaseError(said)
    columns = tuple(name for _, name, *_ in file.execute("PRAGMA table_info(state)"))
    if columns != _COLUMNS:
        raise sqlite3.DatabaseError(f"its table has other columns: {', '.join(columns)}")
