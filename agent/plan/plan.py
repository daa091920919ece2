"""What a restore to a target needs: backup, WAL and where it lies, room, time, settings.

The verdict says whether the target is reached, and from which backup; nothing here judges again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from agent.archive.restore_command import block_to_paste
from agent.backups.describe import NotABackup
from agent.backups.layers import BackupLayer, BackupPlace
from agent.drill.copy import backup_bytes
from agent.drill.space import needed_bytes
from agent.repositories.repository import NotRead
from agent.repositories.sources import RepositorySources
from agent.store.paths import any_path
from parsers.sentences import message_of, tr
from parsers.values import dataclass
from rules.backup.completeness import BackupState
from rules.capacity.forecast import CopyTime, ReplayRate
from rules.drill.records import DrillsFacts
from rules.model.facts import ArchivedFile, BackupFacts
from rules.model.outcome import Outcome
from rules.model.windows import Window
from rules.verdict.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class WalPlace:
    """Segments that lie together."""

    directory: str  # or an address, or a tar
    segments: int
    stored_bytes: int  # as they are to be read: compressed, where they are
    first: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreTime:
    """By restores that were measured."""

    copy_seconds: float | None  # None: no drill has measured it
    replay_seconds: float
    measured: int  # restores that the rate rests on


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePlan:
    """Everything that is printed."""

    report: Report
    backup: BackupFacts | None  # None: no restore to this target is predicted
    outcome: Outcome | None
    backup_bytes: int | None  # unpacked; None: it could not be looked through
    backup_unread: str | None  # why it could not
    wal: tuple[WalPlace, ...]
    room_bytes: int | None  # for the backup, and for the WAL that is fetched meanwhile
    destination: Path | None  # where it is to be restored; None: that was not said
    free_bytes: int | None  # there
    time: RestoreTime | None  # None: nothing has measured a rate
    settings: str | None
    proposal: str | None  # what to ask for instead, where the target is out of reach


def make_plan(
    report: Report,
    repositories: RepositorySources,
    destination: Path | None,
    measured: DrillsFacts | None,
) -> RestorePlan:
    """Put it together from a verdict about the target."""
    outcome, backup = report.target.prediction, report.target.backup
    if outcome is None or not outcome.reachable:
        outcome, backup = None, None
    size, unread = _size_of(backup, repositories) if backup else (None, None)
    segment = report.segment_size_bytes
    room = None
    if size is not None and outcome is not None and segment is not None:
        room = needed_bytes(size, outcome.bytes_needed, segment)
    return RestorePlan(
        report=report,
        backup=backup,
        outcome=outcome,
        backup_bytes=size,
        backup_unread=unread,
        wal=tuple(_places(report, backup, outcome.segments_needed)) if outcome and backup else (),
        room_bytes=room,
        destination=destination,
        free_bytes=_free_bytes(destination) if destination else None,
        time=_time(measured, size, outcome.bytes_needed) if measured and outcome else None,
        settings=block_to_paste(report) if outcome else None,
        proposal=None if outcome else _proposal(report),
    )


def _size_of(backup: BackupFacts, repositories: RepositorySources) -> tuple[int | None, str | None]:
    """What the backup takes unpacked, or why that cannot be told."""
    try:
        if backup.stored is None:
            place = BackupPlace(any_path(backup.url))
            layers: Sequence[BackupLayer] = [BackupLayer(name=backup.url, places=(place,))]
        else:
            layers = repositories.layers(backup.stored)
        return backup_bytes(layers), None
    except (NotABackup, NotRead, OSError) as error:
        return None, message_of(error)


def _free_bytes(destination: Path) -> int | None:
    """Of the file system on which a directory is, or will be made."""
    there = next((each for each in (destination, *destination.parents) if each.exists()), None)
    return shutil.disk_usage(there).free if there else None


def _places(report: Report, backup: BackupFacts, needed: Sequence[str]) -> Iterator[WalPlace]:
    """Where each segment is read from: the first archive that has it, else what the backup has."""
    sources: list[Mapping[str, ArchivedFile]] = [
        *(archive.facts.segments for archive in report.archives),
        *(facts.segments for facts in report.elsewhere),
        backup.wal_files,
    ]
    together: dict[str, list[tuple[str, ArchivedFile]]] = {}
    for name in needed:
        file = next((source[name] for source in sources if name in source), None)
        if file is not None:
            together.setdefault(file.directory, []).append((name, file))
    for directory, files in together.items():
        yield WalPlace(
            directory=directory,
            segments=len(files),
            stored_bytes=sum(file.size_bytes for _, file in files),
            first=min(name for name, _ in files),
            last=max(name for name, _ in files),
        )


def _time(measured: DrillsFacts, size: int | None, wal_bytes: int) -> RestoreTime | None:
    rates: Sequence[ReplayRate] = measured.replay_rates
    if not rates:
        return None
    speeds = sorted(rate.bytes_per_second for rate in rates)
    copy: CopyTime | None = measured.last_copy
    return RestoreTime(
        copy_seconds=copy.seconds * size / copy.copied_bytes if copy and size is not None else None,
        replay_seconds=wal_bytes / speeds[len(speeds) // 2],
        measured=len(speeds),
    )


def _proposal(report: Report) -> str | None:
    """The option that asks for what can be had."""
    reached = [
        (backup, window)
        for backup in report.backups
        if backup.state is BackupState.RESTORABLE
        for window in backup.windows
    ]
    if not reached:
        return None
    backup, window = max(reached, key=lambda each: each[1].to_lsn)
    if _has_only_its_end(window):
        return tr(
            "--target-immediate: of {backup} only its own end can be had", backup=backup.facts.name
        )
    assert window.to_time is not None, "it has a transaction"
    at = window.to_time - timedelta(microseconds=1)  # recovery needs a later one to stop before
    return tr(
        "--target-time '{at}': the last instant that can be had, before the last transaction, "
        "from {backup}",
        at=f"{at:%Y-%m-%d %H:%M:%S.%f%z}",
        backup=backup.facts.name,
    )


def _has_only_its_end(window: Window) -> bool:
    """No transaction ended after the backup did: there is no other target to name."""
    return window.to_time is None or not (window.commits or window.aborts)
