"""Predict a restore, run it, and read from the server's log what it really did."""

from __future__ import annotations

import functools
import re
import subprocess
import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from agent.archive.directory import list_archive
from agent.backups.plain import read_backup
from agent.postgres.cluster import Cluster, ServerFailed
from parsers.files.pg_control import parse_control_file
from parsers.lsn import format_lsn, parse_lsn
from parsers.segment import parse_segment_name
from parsers.wal.locate import find_record
from parsers.wal.record import RecordPlace
from parsers.wal.resume import begin_at
from parsers.wal.scan import SegmentScan, scan_segment
from rules.backup.completeness import close_backups
from rules.model.facts import BackupsFacts
from rules.model.outcome import Ending, Outcome
from rules.model.restore_inputs import RestoreInputs, Server, Wal
from rules.model.target import Target
from rules.recovery.server_messages import unquoted
from tests.fix_tools import PATIENCE_SECONDS

# -- what the predictor is given -------------------------------------------------------------------


def read_wal(archive: Path, own: Path, segment_size: int, system_identifier: int) -> Wal:
    """The WAL of a flat archive directory and of a backup's pg_wal, read when asked for."""

    def scan_bytes(data: bytes, name: str, newest: int | None = None) -> SegmentScan:
        timeline, number = parse_segment_name(name, segment_size)
        return scan_segment(
            data,
            name_timeline=newest or timeline,
            segment_number=number,
            segment_size=segment_size,
            system_identifier=system_identifier,
        )

    @functools.cache
    def scan(directory: Path, name: str) -> SegmentScan | None:
        path = directory / name
        return scan_bytes(path.read_bytes(), name) if path.is_file() else None

    def find(name: str) -> Path:
        return archive / name if (archive / name).is_file() else own / name

    def locate(name: str, lsn: int, begin_lsn: int | None) -> RecordPlace | None:
        data = find(name).read_bytes()
        _, number = parse_segment_name(name, segment_size)
        if begin_lsn is not None:
            data = begin_at(data, begin_lsn)
        return find_record(data, lsn, segment_number=number)

    def scan_from(name: str, lsn: int | None, newest: int | None) -> SegmentScan:
        data = find(name).read_bytes()
        return scan_bytes(data if lsn is None else begin_at(data, lsn), name, newest)

    def partial(name: str) -> SegmentScan | None:
        path = archive / f"{name}.partial"
        return scan_bytes(path.read_bytes(), name) if path.is_file() else None

    names = {path.name for path in archive.iterdir() if re.fullmatch("[0-9A-F]{24}", path.name)}
    return Wal(
        segment_size=segment_size,
        names=names,
        archived=functools.partial(scan, archive),
        carried=functools.partial(scan, own),
        partials=[path.stem for path in archive.glob("*.partial")],
        partial=partial,
        find_record=locate,
        scan_from=scan_from,
    )


def read_restore(backup: Path, archive: Path, server: Server) -> RestoreInputs:
    """All that the predictor needs of a plain backup and a flat archive."""
    facts = list_archive(str(archive))
    backups = BackupsFacts(backups=(read_backup(backup, "label"),), unreadable={}, depth="label")
    control = parse_control_file((backup / "global/pg_control").read_bytes())
    return RestoreInputs(
        server=server,
        backup=close_backups(backups, facts.backup_labels).backups[0],
        control=control,
        histories=facts.histories,
        broken_histories=facts.broken_histories,
        wal=read_wal(
            archive, backup / "pg_wal", control.wal_segment_size, control.system_identifier
        ),
    )


# -- what really happens --------------------------------------------------------------------------

_STOPS = (
    (r"recovery stopping (?P<position>before|after) (?P<kind>commit|abort) of transaction "
     r"(?P<xid>\d+), time (?P<time>.*)"),
    r'recovery stopping (?P<position>before|after) WAL location \(LSN\) "(?P<lsn>[^"]*)"',
    r'recovery stopping (?P<position>at) restore point "(?P<name>.*)", time (?P<time>.*)',
    r"recovery stopping (?P<position>after) reaching (?P<kind>consistency)",
)  # fmt: skip
_PAUSED = "recovery has paused"  # not at the target: settings are too low
_SEVERITY = re.compile(r"(LOG|FATAL|PANIC|WARNING):  (.*)")


@dataclass
class Observed:
    """A real restore, as its log tells it; field by field what an Outcome predicts."""

    ending: Ending | None = None
    fatal: str | None = None
    severity: str | None = None  # of `fatal`
    stop: dict[str, Any] = field(default_factory=dict)
    redo_start_lsn: int | None = None
    consistent_lsn: int | None = None
    redo_done_lsn: int | None = None
    last_time: datetime | None = None
    new_timeline: int | None = None
    rows: list[int] | None = None
    paused_for_settings: bool = False  # and was resumed
    log: str = ""


def restore(
    cluster: Cluster,
    backup: Path,
    archive: Path,
    target: Target,
    *,
    signalled: bool = True,
    **settings: str | int | bool,
) -> Observed:
    """Restore into a cluster that has no data directory yet. Its server is down afterwards."""
    subprocess.run(["cp", "-a", "--reflink=auto", str(backup), str(cluster.data)], check=True)
    cluster.configure(**{
        "listen_addresses": "", "unix_socket_directories": str(cluster.sockets),
        "archive_mode": "off", "restore_command": f"cp {archive}/%f %p", "fsync": False,
        "timezone": "UTC", "log_timezone": "UTC", "logging_collector": False,
        "shared_buffers": "8MB", "autovacuum": False, **recovery_settings(target), **settings,
    })  # fmt: skip
    if signalled:
        cluster.signal()
    rows = None
    try:
        cluster.start()
        if _settle(cluster):
            rows = sorted(row[0] for row in cluster.sql("SELECT n FROM seen"))
    except (ServerFailed, psycopg.OperationalError):
        pass  # it failed, or shut itself down at the target: the log says which
    finally:
        _stop(cluster)
    observed = read_log(cluster.log.read_text(errors="replace"))
    subprocess.run(["rm", "-rf", str(cluster.data)], check=True)
    return replace(observed, rows=rows)


def _stop(cluster: Cluster) -> None:
    """Stop the server, which may be about to end by itself."""
    try:
        cluster.stop("immediate")
    except ServerFailed:
        if cluster.is_running():
            raise


def _settle(cluster: Cluster) -> bool:
    """Wait for the end of recovery, or its pause; False when the server goes away."""
    deadline, resumed = time.monotonic() + PATIENCE_SECONDS, False
    while time.monotonic() < deadline:
        text = cluster.log.read_text(errors="replace")
        ready = "database system is ready to accept connections" in text
        if ready or "pausing at the end of recovery" in text:
            return True
        if _PAUSED in text and not resumed:
            resumed = True
            cluster.sql("SELECT pg_wal_replay_resume()")
        if not cluster.is_running():
            return False
        time.sleep(0.02)
    raise TimeoutError(f"recovery did not end:\n{text}")


def recovery_settings(target: Target) -> dict[str, str | bool]:
    """The server's settings for a target."""
    settings: dict[str, str | bool] = {
        "recovery_target_timeline": target.timeline,
        "recovery_target_inclusive": target.inclusive,
        "recovery_target_action": target.action,
    }
    if target.type == "immediate":
        settings["recovery_target"] = "immediate"
    elif target.type != "none":
        settings[f"recovery_target_{target.type}"] = target.value or ""
    return settings


def read_log(text: str) -> Observed:
    """Collect what a restore's log says of it."""
    observed = Observed(log=text)
    for severity, message in _SEVERITY.findall(text):
        if severity in ("FATAL", "PANIC") and not message.startswith("the database system"):
            observed.severity = observed.severity or severity
            observed.fatal = observed.fatal or message
        _note(observed, message)
    if observed.fatal:
        observed.ending = None
    return observed


def _note(observed: Observed, message: str) -> None:
    if match := re.match(r"redo starts at (\S+)", message):
        observed.redo_start_lsn = parse_lsn(match[1])
    elif match := re.match(r"consistent recovery state reached at (\S+)", message):
        observed.consistent_lsn = parse_lsn(match[1])
    elif match := re.match(r"redo done at (\S+)", message):
        observed.redo_done_lsn = parse_lsn(match[1])
    elif match := re.match(r"last completed transaction was at log time (.*)", message):
        observed.last_time = datetime.fromisoformat(match[1])
    elif match := re.match(r"selected new timeline ID: (\d+)", message):
        observed.new_timeline = int(match[1])
    elif message == _PAUSED:
        observed.paused_for_settings = True
    elif message.startswith("archive recovery complete"):
        observed.ending = Ending.PROMOTED
    elif message.startswith("pausing at the end of recovery"):
        observed.ending = Ending.PAUSED
    elif message.startswith("shutdown at recovery target"):
        observed.ending = Ending.SHUT_DOWN
    for pattern in _STOPS:
        if match := re.fullmatch(pattern, message):
            observed.stop = match.groupdict()


# -- the comparison -------------------------------------------------------------------------------


def disagreements(outcome: Outcome, observed: Observed) -> list[str]:
    """Every field in which a prediction differs from what happened."""
    last = outcome.last_transaction
    opens = outcome.outcome == "opens"
    pairs: dict[str, tuple[object, object]] = {
        "outcome": (outcome.outcome, "fails" if observed.fatal else "opens"),
        "ending": (outcome.ending, observed.ending),
        "pause": (outcome.paused_lsn is not None, observed.paused_for_settings),
        "fatal": (outcome.fatal, unquoted(outcome.fatal, observed.fatal)),
        "severity": (outcome.severity if outcome.fatal else None, observed.severity),
        "stop": (_stop_said(outcome), observed.stop),
        "redo start": (_lsn(outcome.redo_start_lsn), _lsn(observed.redo_start_lsn)),
        "consistent": (_lsn(outcome.consistent_lsn), _lsn(observed.consistent_lsn)),
        "new timeline": (outcome.new_timeline, observed.new_timeline),
        "redo done": (_lsn(outcome.redo_done_lsn), _lsn(observed.redo_done_lsn)),
    }
    if not opens or outcome.ending is Ending.PROMOTED:
        told = last.time if last and outcome.redo_done_lsn is not None else None
        pairs["last transaction"] = (told, observed.last_time)
    return [
        f"{what}: predicted {predicted!r}, was {actual!r}"
        for what, (predicted, actual) in pairs.items()
        if predicted != actual
    ]


def _stop_said(outcome: Outcome) -> dict[str, Any]:
    """A predicted stop in the fields of the server's message."""
    stop = outcome.stop
    if stop is None or stop.kind == "end_of_wal":
        return {}
    time = _time_text(stop.time) if stop.time else None
    match stop.kind:
        case "commit" | "abort":
            return {
                "position": stop.position, "kind": stop.kind, "xid": str(stop.xid), "time": time,
            }  # fmt: skip
        case "restore_point":
            return {"position": "at", "name": stop.name, "time": time}
        case "lsn":
            return {"position": stop.position, "lsn": _lsn(stop.lsn)}
        case _:
            return {"position": stop.position, "kind": stop.kind}


def _time_text(time: datetime) -> str:
    """As timestamptz_to_str writes it in UTC: zeros at the end of a fraction are left out."""
    text = f"{time:%Y-%m-%d %H:%M:%S}"
    fraction = f".{time.microsecond:06d}".rstrip("0")
    return f"{text}{fraction if len(fraction) > 1 else ''}+00"


def _lsn(lsn: int | None) -> str | None:
    return None if lsn is None else format_lsn(lsn)
