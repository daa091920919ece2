"""Ask the predictor about the restore of a data directory: from its files to a forecast.

The data directory is taken for the backup that it came from. Segments are read in the order of
replay and no further than the predicted stop.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from agent.archive.directory import list_archive
from agent.archive.scanner import SegmentReadings
from agent.backups.describe import LABEL, label_from
from agent.backups.plain import read_data_directory
from agent.backups.restore_inputs import make_wal, segments_read
from agent.backups.tablespaces import find_location
from agent.zones import find_zone
from parsers.files.pg_control import ClusterState
from parsers.lsn import format_lsn
from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.scan import SegmentScan
from rules.case.case import Case
from rules.case.context import Context
from rules.case.observations import (
    ArchiveListings,
    BackupsRead,
    SegmentsRead,
    SettledSegments,
)
from rules.live.forecast import Forecast
from rules.live.observation import Observation
from rules.live.settings import hot_standby_in, parameters_in, target_in
from rules.model.facts import ArchiveFacts, BackupFacts, BackupsFacts
from rules.model.goal import read_goal
from rules.model.restore_inputs import (
    RestoreInputs,
    RestoreInputsFacts,
    Server,
    Wal,
    newest_by_timeline,
    parameter_defaults,
)
from rules.model.target import Target
from rules.recovery.predictor import simulate

_RECOVERS: Final = (ClusterState.IN_ARCHIVE_RECOVERY, ClusterState.SHUT_DOWN_IN_RECOVERY)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionQuestion:
    """What is asked: about a data directory and its archives, or the archives alone."""

    archives: tuple[str, ...]
    pgdata: Path | None = None
    label: bytes | None = None  # backup_label; None: only the listing is wanted
    target: Target = field(default_factory=Target)
    hot_standby: bool = True
    parameters: Mapping[str, int] | None = None  # those that are set; None: not known
    zone: str = "GMT"  # TimeZone: a target without a zone is read in it
    standby: bool = False
    signalled: bool = True  # recovery.signal or standby.signal was there for the label

    @property
    def unlabelled(self) -> PredictionQuestion:
        """All but the label, which the server renames at its start."""
        return replace(self, label=None)


def question_about(
    pgdata: Path,
    archives: tuple[str, ...],
    settings: Mapping[str, str],
    reading: Observation,
    *,
    settings_known: bool,
) -> PredictionQuestion:
    """Put the question for a server with these settings; what SQL says of them goes first."""
    in_force = {**settings, **{name: value for name, value in reading.settings.items() if value}}
    cleared = {name for name, value in reading.settings.items() if not value}
    known = {name: value for name, value in in_force.items() if name not in cleared}
    return PredictionQuestion(
        archives=archives,
        pgdata=pgdata,
        label=reading.label,
        target=target_in(known),
        hot_standby=hot_standby_in(known),
        parameters=parameters_in(known) if settings_known else None,
        zone=known.get("timezone", "GMT"),
        standby=bool(reading.standby_signal),
        signalled=bool(reading.recovery_signal or reading.standby_signal),
    )


def label_of_the_start(reading: Observation, redo_start_lsn: int | None) -> bytes | None:
    """The label with which a running server began: the renamed one when it is of this start.

    Where there is none, as on a standby that was restarted, pg_control tells where recovery would
    begin. None when no archive recovery is running.
    """
    old, control = reading.old_label, reading.control
    if redo_start_lsn is not None:
        of_this_start = f"START WAL LOCATION: {format_lsn(redo_start_lsn)} ".encode()
        if old is not None and old.startswith(of_this_start):
            return old
    signal = reading.recovery_signal or reading.standby_signal
    return label_from(control) if signal and control and control.state in _RECOVERS else None


def list_archives(urls: tuple[str, ...]) -> Case:
    """What the archives' listings alone say. Raises NotAnArchive."""
    listings = ArchiveListings(archives=tuple(list_archive(url) for url in urls))
    return Case(context=Context(depth="records")).having(listings)


class Unpredictable(Exception):
    """Something that the predictor needs is not known. One line."""


def foretell(
    question: PredictionQuestion,
    listed: Case,
    on_segment: Callable[[str], Any] = lambda name: None,
) -> Forecast:
    """Predict the restore of a data directory. Raises Unpredictable, NotABackup, ParseError."""
    assert question.pgdata is not None
    assert question.label is not None
    backup = read_data_directory(question.pgdata, question.label)
    zone = find_zone(question.zone) or ZoneInfo("UTC")
    goal = read_goal(question.target, zone=zone, find_zone=find_zone)
    found = BackupsFacts(backups=(backup,), unreadable={}, depth="label")
    case = listed.having(BackupsRead(found=found), _nothing_read(question, on_segment))
    restores = case.get(RestoreInputsFacts)
    if restores is None or backup.url not in restores.by_backup:
        raise Unpredictable(tr("neither PG_VERSION nor pg_control can be read"))
    outcome = simulate(restores.by_backup[backup.url], goal)
    return Forecast(outcome=outcome, standby=question.standby)


def _nothing_read(question: PredictionQuestion, on_segment: Callable[[str], Any]) -> SegmentsRead:
    """Segments are read when the predictor asks for them."""

    def make_restores(
        archive: ArchiveFacts,
        settled: SettledSegments,
        backups: Sequence[BackupFacts],
        segment_size: int,
        *,
        on_this_machine: bool,
    ) -> dict[str, RestoreInputs]:
        newest = newest_by_timeline(archive.segments, segment_size)
        return {
            backup.url: RestoreInputs(
                server=_server(question, backup.major),
                backup=backup,
                control=backup.control,
                histories=archive.histories,
                broken_histories=archive.broken_histories,
                wal=_watched(make_wal(archive, settled, backup, segment_size, newest), on_segment),
            )
            for backup in backups
            if backup.major is not None
        }

    return replace(segments_read(SegmentReadings(), "records"), make_restores=make_restores)


def _server(question: PredictionQuestion, major: int) -> Server:
    """The server as configured. Once it has started, tablespaces lie where it has put them."""
    given = question.parameters
    parameters = {} if given is None else {**parameter_defaults(major), **given}
    server = Server(
        major=major,
        hot_standby=question.hot_standby,
        signalled=question.signalled,
        parameters=parameters,
    )
    assert question.pgdata is not None
    if not (question.pgdata / LABEL).exists():
        return server
    return replace(server, locate=functools.partial(find_location, major=major))


def _watched(wal: Wal, on_segment: Callable[[str], Any]) -> Wal:
    """The same WAL, telling what is read of it."""

    def archived(name: str) -> SegmentScan | None:
        on_segment(name)
        return wal.archived(name)

    return replace(wal, archived=archived)
