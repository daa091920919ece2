"""One look at a server that recovers: what SQL, the files and the processes say.

SQL is asked as pg_monitor may ask it. The titles are set_ps_display's in XLogFileRead (xlog*.c) and
ResolveRecoveryConflictWithVirtualXIDs (standby.c).
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from agent.store.local import read_file
from parsers.errors import ParseError
from parsers.files.pg_control import ControlFile, TornControlFile, parse_control_file
from parsers.lsn import parse_lsn
from rules.live.observation import ChildCommand, Observation, Prefetch, WalReceiver

if TYPE_CHECKING:
    import psycopg

_CONTROL_TRIES: Final = 3  # the server may be writing it
_TITLE: Final = re.compile(
    r"startup (?P<doing>recovering|waiting for) (?P<segment>[0-9A-F]{24})(?P<blocked> waiting)?"
)
_STARTUP: Final = re.compile(r"postgres(: .*)?: startup\b")
_CONNECT_SECONDS: Final = 2
_LABEL_BYTES: Final = 1 << 16


def probe(pgdata: Path | None, postmaster_pid: int | None, dsn: str | None) -> Observation:
    """Take one reading; never raises for what the server or the files refuse."""
    values: dict[str, Any] = {}
    if pgdata is not None:
        values |= _files(pgdata)
        values["running"] = postmaster_pid is not None
        values |= _processes(postmaster_pid)
    if dsn is not None:
        values |= _ask(dsn)
    return Observation(**values)


# -- files ----------------------------------------------------------------------------------------


def _files(pgdata: Path) -> dict[str, Any]:
    return {
        "recovery_signal": (pgdata / "recovery.signal").exists(),
        "standby_signal": (pgdata / "standby.signal").exists(),
        "recovery_conf": (pgdata / "recovery.conf").exists(),
        "label": _small_file(pgdata / "backup_label"),
        "old_label": _small_file(pgdata / "backup_label.old"),
        "control": _control(pgdata),
        "mode": _mode(pgdata),
    }


def _small_file(path: Path) -> bytes | None:
    try:
        return read_file(path, _LABEL_BYTES)
    except OSError:
        return None


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        return None


def _control(pgdata: Path) -> ControlFile | None:
    for _ in range(_CONTROL_TRIES):
        try:
            return parse_control_file(read_file(pgdata / "global" / "pg_control"))
        except TornControlFile:
            continue
        except (OSError, ParseError):
            break
    return None


# -- processes ------------------------------------------------------------------------------------


def _processes(postmaster_pid: int | None) -> dict[str, Any]:
    if postmaster_pid is None:
        return {}
    try:
        for child in psutil.Process(postmaster_pid).children():
            title = " ".join(child.cmdline())
            if _STARTUP.match(title):
                return _startup(child, title)
    except psutil.Error:
        pass
    return {}


def _startup(process: psutil.Process, title: str) -> dict[str, Any]:
    values: dict[str, Any] = {"resting": process.status(), "command": _command(process)}
    match = _TITLE.search(title)
    if match:
        values |= {
            "doing": match["doing"],
            "segment": match["segment"],
            "blocked": match["blocked"] is not None,
        }
    return values


def _command(process: psutil.Process) -> ChildCommand | None:
    for child in process.children():
        try:
            seconds = max(0.0, time.time() - child.create_time())
            return ChildCommand(pid=child.pid, seconds=seconds, words=" ".join(child.cmdline()))
        except psutil.Error:
            continue  # it has ended
    return None


# -- SQL ------------------------------------------------------------------------------------------

_IN_RECOVERY: Final = """
    SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn()::text, pg_last_xact_replay_timestamp(),
           (SELECT timeline_id FROM pg_control_checkpoint()),
           (SELECT wait_event FROM pg_stat_activity WHERE backend_type = 'startup' LIMIT 1)
"""
# From 19 on, of one instant; no row where it is not in recovery, or without pg_read_all_stats.
_REPLAY_FROM_19: Final = """
    SELECT last_replayed_end_lsn::text, recovery_last_xact_time, last_replayed_tli, pause_state
    FROM pg_stat_recovery
"""
_SETTINGS: Final = "SELECT name, setting FROM pg_settings WHERE name LIKE 'recovery\\_target%'"
_RECEIVER: Final = """
    SELECT status, sender_host || ':' || sender_port, flushed_lsn::text, latest_end_lsn::text
    FROM pg_stat_wal_receiver
"""
_PREFETCH: Final = "SELECT wal_distance, io_depth FROM pg_stat_recovery_prefetch"


def _ask(dsn: str) -> dict[str, Any]:
    import psycopg  # a third of a second: only where there is a server to ask

    try:
        with psycopg.connect(
            dsn,
            autocommit=True,
            connect_timeout=_CONNECT_SECONDS,
            application_name="pitr-watch",
            options="-c statement_timeout=2000",
        ) as connection:
            return _answers(connection)
    except psycopg.Error as error:
        return {"sql_error": (str(error).strip().split("\n") or ["no answer"])[-1].strip()}


def _answers(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    row = connection.execute(_IN_RECOVERY).fetchone()
    assert row is not None
    in_recovery = row[0]
    values = {
        "in_recovery": in_recovery,
        "replay_lsn": _lsn(row[1]),
        "replayed_at": row[2],
        "timeline": row[3],
        "settings": dict(connection.execute(_SETTINGS).fetchall()),
    }
    if not in_recovery:
        return values
    return values | {
        "wait_event": row[4],
        "receiver": _receiver(connection),
        "prefetch": _prefetch(connection),
        **(_replay_from_19(connection) or {"pause_state": _pause_state(connection)}),
    }


def _replay_from_19(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """What pg_stat_recovery says of the replay; nothing where there is no such view, or no row."""
    if connection.info.server_version < 190000:
        return {}
    row = connection.execute(_REPLAY_FROM_19).fetchone()
    if row is None or row[0] is None:
        return {}
    return {
        "replay_lsn": _lsn(row[0]),
        "replayed_at": row[1],
        "timeline": row[2],
        "pause_state": row[3],
    }


def _pause_state(connection: psycopg.Connection[Any]) -> str | None:
    """pg_get_wal_replay_pause_state(), or what release 13 has."""
    if connection.info.server_version >= 140000:
        row = connection.execute("SELECT pg_get_wal_replay_pause_state()").fetchone()
        return str(row[0]) if row else None
    row = connection.execute("SELECT pg_is_wal_replay_paused()").fetchone()
    return ("paused" if row[0] else "not paused") if row else None


def _receiver(connection: psycopg.Connection[Any]) -> WalReceiver | None:
    row = connection.execute(_RECEIVER).fetchone()
    if row is None:
        return None
    status, sender, received, sent = row
    return WalReceiver(
        status=status, sender=sender, received_lsn=_lsn(received), sent_lsn=_lsn(sent)
    )


def _prefetch(connection: psycopg.Connection[Any]) -> Prefetch | None:
    if connection.info.server_version < 150000:
        return None
    row = connection.execute(_PREFETCH).fetchone()
    if row is None:
        return None
    return Prefetch(wal_distance_bytes=row[0], io_depth=row[1])


def _lsn(text: str | None) -> int | None:
    return parse_lsn(text) if text else None
