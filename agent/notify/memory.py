"""What must outlive the process: alerts, what each receiver was not yet told, trails of exposure.

Kept in memory, and written through to an SQLite file of its own beside the ledger: that one is a
cache and may be deleted, this one is not. A file that cannot be written stops nothing: the agent
goes on in memory, says so, and writes what is missing as soon as it can.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from rules.alert_state import Alert, Alerts
from rules.exposure import KeptTrail
from rules.notifications import Notification

log: Final = logging.getLogger("pitr.notify")

_VERSION: Final = 1  # of the table, in PRAGMA user_version
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS state (
    kind TEXT, name TEXT, sequence INTEGER, value TEXT, PRIMARY KEY (kind, name, sequence))
"""
_ALERTS: Final = TypeAdapter(dict[str, Alert])
_NOTIFICATION: Final = TypeAdapter(Notification)
_TRAIL: Final = TypeAdapter(KeptTrail)

_Key = tuple[str, str, int]  # kind, name of the cluster or the receiver, sequence number or 0


class AlertMemory:
    """Belongs to one thread. Without a path, or when the file is of no use, memory alone."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._alerts: dict[str, Alerts] = {}
        self._trails: dict[str, KeptTrail] = {}  # by cluster
        self._waiting: dict[
            str, dict[int, Notification]
        ] = {}  # by receiver; each known one is there
        self._unwritten: dict[_Key, str | None] = {}  # None: the row is to go
        self._failed = False
        self._next_sequence = 1
        self._file = _open(path) if path is not None else None
        if self._file is not None:
            self._load(self._file)

    @property
    def lasts(self) -> bool:
        """Whether it outlives the process."""
        return self._file is not None and not self._failed

    # -- alerts ----------------------------------------------------------------------------------

    @property
    def clusters(self) -> list[str]:
        return list(self._alerts | self._trails)

    def alerts_of(self, cluster: str) -> Alerts:
        return self._alerts.get(cluster, {})

    def keep(self, cluster: str, alerts: Alerts) -> None:
        """Remember a cluster's alerts; what is written is where they stand, not each new number."""
        before, self._alerts[cluster] = self._alerts.get(cluster, {}), alerts
        if _standing(before) != _standing(alerts):
            self._unwritten["alerts", cluster, 0] = _ALERTS.dump_json(dict(alerts)).decode()

    def forget(self, cluster: str) -> None:
        self._alerts.pop(cluster, None)
        self._trails.pop(cluster, None)
        self._unwritten["alerts", cluster, 0] = self._unwritten["trail", cluster, 0] = None

    def trail_of(self, cluster: str) -> KeptTrail | None:
        return self._trails.get(cluster)

    def keep_trail(self, cluster: str, trail: KeptTrail) -> None:
        """Remember it; written with the next save."""
        if self._trails.get(cluster) != trail:
            self._trails[cluster] = trail
            self._unwritten["trail", cluster, 0] = _TRAIL.dump_json(trail).decode()

    # -- notifications ---------------------------------------------------------------------------

    def knows(self, receiver: str) -> bool:
        """Whether this receiver was there before."""
        return receiver in self._waiting

    def waiting(self, receiver: str) -> Mapping[int, Notification]:
        """What this receiver was not yet told, in the order in which it happened."""
        return dict(self._waiting.get(receiver, {}))

    def add(self, receiver: str, notifications: Sequence[Notification]) -> None:
        """Remember that this receiver is to be told of these."""
        if receiver not in self._waiting:
            self._waiting[receiver] = {}
            self._unwritten["receiver", receiver, 0] = ""
        for notification in notifications:
            sequence, self._next_sequence = self._next_sequence, self._next_sequence + 1
            self._waiting[receiver][sequence] = notification
            written = _NOTIFICATION.dump_json(notification).decode()
            self._unwritten["waiting", receiver, sequence] = written

    def told(self, receiver: str, sequences: Iterable[int]) -> None:
        """Forget what this receiver has taken."""
        for sequence in sequences:
            self._waiting[receiver].pop(sequence, None)
            self._unwritten["waiting", receiver, sequence] = None

    def forget_receivers_but(self, receivers: Iterable[str]) -> None:
        """Forget those that are configured no more."""
        for receiver in self._waiting.keys() - set(receivers):
            self.told(receiver, list(self._waiting[receiver]))
            del self._waiting[receiver]
            self._unwritten["receiver", receiver, 0] = None

    # -- the file --------------------------------------------------------------------------------

    def save(self) -> None:
        """Bring the file up to date in one transaction. Never raises; what failed is kept."""
        if self._file is None:
            self._unwritten.clear()
        elif self._unwritten:
            try:
                self._write(self._file)
            except sqlite3.Error as error:
                if not self._failed:
                    log.error("%s: %s: alerts are kept in memory meanwhile", self._path, error)
                self._failed = True
            else:
                if self._failed:
                    log.info("%s: works again", self._path)
                self._failed = False

    def close(self) -> None:
        self.save()
        if self._file is not None:
            self._file.close()

    def _write(self, file: sqlite3.Connection) -> None:
        gone = [key for key, value in self._unwritten.items() if value is None]
        kept = [(*key, value) for key, value in self._unwritten.items() if value is not None]
        with file:
            file.executemany("DELETE FROM state WHERE (kind, name, sequence) = (?, ?, ?)", gone)
            file.executemany("REPLACE INTO state VALUES (?, ?, ?, ?)", kept)
        self._unwritten.clear()

    def _load(self, file: sqlite3.Connection) -> None:
        rows = file.execute("SELECT kind, name, sequence, value FROM state ORDER BY sequence")
        for kind, name, sequence, value in rows:
            try:
                if kind == "alerts":
                    self._alerts[name] = _ALERTS.validate_json(value)
                elif kind == "trail":
                    self._trails[name] = _TRAIL.validate_json(value)
                elif kind == "receiver":
                    self._waiting.setdefault(name, {})
                else:
                    read = _NOTIFICATION.validate_json(value)
                    self._waiting.setdefault(name, {})[sequence] = read
                    self._next_sequence = sequence + 1
            except ValidationError:
                log.error("%s: the %s of %s cannot be read and start anew", self._path, kind, name)


def _standing(alerts: Alerts) -> dict[str, Alert]:
    return {name: replace(alert, summaries=(), remedy="") for name, alert in alerts.items()}


def _open(path: Path) -> sqlite3.Connection | None:
    """The file, a new one where an unreadable one was; None when neither can be had."""
    try:
        return _connect(path)
    except sqlite3.OperationalError as error:
        log.error("%s: %s: alerts are not kept over a restart", path, error)
        return None
    except sqlite3.DatabaseError as error:
        aside = path.with_name(f"{path.name}.unreadable")
        log.error("%s: %s: moved to %s, alerts start anew", path, error, aside.name)
    try:
        path.replace(aside)
        return _connect(path)
    except (OSError, sqlite3.Error) as error:
        log.error("%s: %s: alerts are not kept over a restart", path, error)
        return None


def _connect(path: Path) -> sqlite3.Connection:
    """Raises sqlite3.DatabaseError when it is no database, or a newer release's."""
    file = sqlite3.connect(path, timeout=1.0)
    try:
        # A killed process loses nothing; a lost machine at most what the next judgement says again.
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")
        (version,) = file.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise sqlite3.DatabaseError(f"written by a newer release (version {version})")
        with file:
            file.execute(_TABLE)
            file.execute(f"PRAGMA user_version = {_VERSION}")
    except sqlite3.Error:
        file.close()
        raise
    return file
