"""Ask the predictor about the restore of a data directory: from its files to a forecast.

The data directory is taken for the backup that it came from. Segments are read in the order of
replay and no further than the predicted stop.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from agent.archive.directory import list_archive
from agent.archive.scanner import SegmentReadings
from agent.archive.wal import make_wal
from agent.backups.describe import LABEL, label_from
from agent.backups.plain import read_data_directory
from agent.backups.settings import find_zone
from agent.backups.tablespaces import find_location
from parsers.lsn import format_lsn
from parsers.pg_control import ClusterState
from parsers.wal_scan import SegmentScan
from rules.archive import merge_archives
from rules.backups import close_backups
from rules.facts import ArchiveFacts, BackupFacts, BackupsFacts
from rules.goal import read_goal
from rules.recovery import simulate
from rules.restore import Restore, Server, Wal, newest_by_timeline
from rules.restore_forecast import Forecast
from rules.restore_reading import Reading
from rules.restore_settings import hot_standby_in, parameters_in, target_in
from rules.target import Target

_RECOVERS: Final = (ClusterState.IN_ARCHIVE_RECOVERY, ClusterState.SHUT_DOWN_IN_RECOVERY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: about a data directory and its archives, or the archives alone."""

    archives: tuple[str, ...]
    pgdata: Path | None = None
    label: bytes | None = None  # backup_label; None: only the listing is wanted
    target: Target = field(default_factory=Target)
    hot_standby: bool = True
    parameters: Mapping[str, int] = field(default_factory=dict)
    zone: str = "GMT"  # TimeZone: a target without a zone is read in it
    standby: bool = False

    @property
    def unlabelled(self) -> Question:
        """All but the label, which the server renames at its start."""
        return replace(self, label=None)


def question_about(
    pgdata: Path,
    archives: tuple[str, ...],
    settings: Mapping[str, str],
    reading: Reading,
    *,
    settings_known: bool,
) -> Question:
    """Put the question for a server with these settings; what SQL says of them goes first."""
    in_force = {**settings, **{name: value for name, value in reading.settings.items() if value}}
    cleared = {name for name, value in reading.settings.items() if not value}
    known = {name: value for name, value in in_force.items() if name not in cleared}
    return Question(
        archives=archives,
        pgdata=pgdata,
        label=reading.label,
        target=target_in(known),
        hot_standby=hot_standby_in(known),
        parameters=parameters_in(known) if settings_known else {},
        zone=known.get("timezone", "GMT"),
        standby=bool(reading.standby_signal),
    )


def label_of_the_start(reading: Reading, redo_start_lsn: int | None) -> bytes | None:
    """The label with which a running server began: the renamed one when it is of this start.

    Where there is none, as on a standby that was restarted, pg_control tells where recovery would
    begin. None when no archive recovery goes on.
    """
    old, control = reading.old_label, reading.control
    if old is not None and redo_start_lsn is not None and _begins_at(old, redo_start_lsn):
        return old
    signal = reading.recovery_signal or reading.standby_signal
    return label_from(control) if signal and control and control.state in _RECOVERS else None


def _begins_at(label: bytes, lsn: int) -> bool:
    return label.startswith(f"START WAL LOCATION: {format_lsn(lsn)} ".encode())


def list_archives(urls: tuple[str, ...]) -> ArchiveFacts:
    """List them as one. Raises NotAnArchive."""
    return merge_archives([list_archive(url) for url in urls])


class Unpredictable(Exception):
    """Something that the predictor needs is not known. One line."""


def foretell(
    question: Question, archive: ArchiveFacts, on_segment: Callable[[str], Any] = lambda name: None
) -> Forecast:
    """Predict the restore of a data directory. Raises Unpredictable, NotABackup, ParseError."""
    assert question.pgdata is not None
    assert question.label is not None
    backup = read_data_directory(question.pgdata, question.label)
    found = BackupsFacts(backups=(backup,), unreadable={}, depth="label")
    (backup,) = close_backups(found, archive.backup_labels).backups
    size = backup.segment_size_bytes or archive.segment_size_bytes
    if backup.major is None or size is None:
        raise Unpredictable("neither PG_VERSION nor pg_control can be read")
    restore = Restore(
        server=_server(question, backup.major),
        backup=backup,
        control=backup.control,
        histories=archive.histories,
        broken_histories=archive.broken_histories,
        wal=_watched(_wal(archive, backup, size), on_segment),
    )
    zone = find_zone(question.zone) or ZoneInfo("UTC")
    goal = read_goal(question.target, zone=zone, find_zone=find_zone)
    return Forecast(outcome=simulate(restore, goal), standby=question.standby)


def _server(question: Question, major: int) -> Server:
    """The server as configured. Once it has started, tablespaces lie where it has put them."""
    server = Server(major=major, hot_standby=question.hot_standby, parameters=question.parameters)
    assert question.pgdata is not None
    if not (question.pgdata / LABEL).exists():
        return server
    return replace(server, locate=functools.partial(find_location, major=major))


def _wal(archive: ArchiveFacts, backup: BackupFacts, size: int) -> Wal:
    newest = newest_by_timeline(archive.segments, size)
    return make_wal(archive, SegmentReadings(), backup, size, newest)


def _watched(wal: Wal, on_segment: Callable[[str], Any]) -> Wal:
    """The same WAL, telling what is read of it."""

    def archived(name: str) -> SegmentScan | None:
        on_segment(name)
        return wal.archived(name)

    return replace(wal, archived=archived)
