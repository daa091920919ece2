"""One look at a server that recovers: what SQL, the signal files and the process title say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from parsers.errors import ParseError
from parsers.lsn import parse_lsn
from parsers.pg_control import ControlFile, TornControlFile, parse_control_file

if TYPE_CHECKING:
    import psycopg

_CONTROL_TRIES: Final = 3  # the server may be writing it
_TITLE: Final = re.compile(r"startup (?P<doing>recovering|waiting for) (?P<segment>[0-9A-F]{24})")
_CONNECT_SECONDS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One reading. None: could not be had; `sql_error` says why for the SQL ones."""

    in_recovery: bool | None = None
    replay_lsn: int | None = None
    replayed_at: datetime | None = None  # commit time of the last transaction replayed
    pause_state: str | None = None  # not paused, pause requested, paused
    timeline: int | None = None
    sql_error: str | None = None
    recovery_signal: bool | None = None
    backup_label: bool | None = None
    control: ControlFile | None = None
    standby_signal: bool | None = None
    running: bool | None = None  # the postmaster of the data directory
    doing: str | None = None  # from the startup process's title: "recovering", "waiting for"
    segment: str | None = None


def probe(pgdata: Path | None, postmaster_pid: int | None, dsn: str | None) -> Probe:
    """Take one reading; never raises for what the server or the files refuse."""
    values: dict[str, Any] = {}
    if pgdata is not None:
        values["recovery_signal"] = (pgdata / "recovery.signal").exists()
        values["standby_signal"] = (pgdata / "standby.signal").exists()
        values["backup_label"] = (pgdata / "backup_label").exists()
        values["control"] = _control(pgdata)
        values["running"] = postmaster_pid is not None
        values |= _title(postmaster_pid)
    if dsn is not None:
        values |= _ask(dsn)
    return Probe(**values)


def _control(pgdata: Path) -> ControlFile | None:
    for _ in range(_CONTROL_TRIES):
        try:
            return parse_control_file((pgdata / "global" / "pg_control").read_bytes())
        except TornControlFile:
            continue
        except (OSError, ParseError):
            break
    return None


def _title(postmaster_pid: int | None) -> dict[str, Any]:
    if postmaster_pid is None:
        return {}
    try:
        for child in psutil.Process(postmaster_pid).children():
            match = _TITLE.search(" ".join(child.cmdline()))
            if match:
                return {"doing": match["doing"], "segment": match["segment"]}
    except psutil.Error:
        pass
    return {}


_IN_RECOVERY: Final = """
    SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn()::text, pg_last_xact_replay_timestamp(),
           (SELECT timeline_id FROM pg_control_checkpoint())
"""


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
            row = connection.execute(_IN_RECOVERY).fetchone()
            assert row is not None
            return {
                "in_recovery": row[0],
                "replay_lsn": parse_lsn(row[1]) if row[1] else None,
                "replayed_at": row[2],
                "timeline": row[3],
                "pause_state": _pause_state(connection) if row[0] else None,
            }
    except psycopg.Error as error:
        return {"sql_error": (str(error).strip().split("\n") or ["no answer"])[-1].strip()}


def _pause_state(connection: psycopg.Connection[Any]) -> str | None:
    """pg_get_wal_replay_pause_state(), or what release 13 has."""
    if connection.info.server_version >= 140000:
        row = connection.execute("SELECT pg_get_wal_replay_pause_state()").fetchone()
        return str(row[0]) if row else None
    row = connection.execute("SELECT pg_is_wal_replay_paused()").fetchone()
    return ("paused" if row[0] else "not paused") if row else None
