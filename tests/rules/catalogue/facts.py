"""Facts made by hand, sound in everything but what a test changes."""

from __future__ import annotations

import functools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from parsers.files.backup_label import BackupLabel
from parsers.files.pg_control import ControlFile, parse_control_file
from parsers.wal.facts import ParameterChange
from rules.backup.restore_trial import Trial, TrialFacts
from rules.capacity.exposure import ExposureFacts
from rules.capacity.forecast import ReplayRate, RestoreEstimateFacts
from rules.drill.comparison import Probe
from rules.drill.records import DrillRecord, DrillsFacts
from rules.live.attempt import Attempt
from rules.live.facts import LiveRestore
from rules.live.logged import LastRestore, LoggedRecovery
from rules.live.phase import Phase
from rules.live.summary import ConfiguredTarget, ReachedStop, Summary, WalBeyond
from rules.model.evidence import SequenceFacts
from rules.model.facts import (
    ArchivedFile,
    ArchiveFacts,
    ArchiverFacts,
    ArchiveStatusFacts,
    BackupFacts,
    BackupsFacts,
    ControlFacts,
    DamagedSegment,
    Objectives,
    PositionFacts,
    ScanFacts,
    Setting,
    SettingsFacts,
)
from rules.model.outcome import Cause, Outcome
from rules.model.sequence import Gap
from rules.model.target import Target, TargetFacts
from rules.model.windows import Window

NOW = datetime(2026, 7, 8, 12, tzinfo=UTC)
DAY = 86400.0
SIZE = 1 << 24
OBJECTIVES = Objectives(
    rpo_seconds=60, rto_seconds=600, window_seconds=7 * DAY, backup_age_seconds=DAY,
    drill_age_seconds=7 * DAY, copies=2,
)  # fmt: skip
_CONTROL = Path(__file__).parents[2] / "data" / "control"


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def name(number: int, timeline: int = 1) -> str:
    return f"{timeline:08X}{0:08X}{number:08X}"


# -- the archive ----------------------------------------------------------------------------------


def archive(*names: str, **changes: Any) -> ArchiveFacts:
    segments = {each: ArchivedFile("/archive", each, SIZE, 0, 0) for each in names}
    made = ArchiveFacts(
        url="/archive", layout="plain", listed_at=NOW, segment_size_bytes=SIZE, segments=segments,
        partials={}, compressed=frozenset(), histories={}, broken_histories={}, backup_labels={},
        copies={}, other_count=0,
    )  # fmt: skip
    return replace(made, **changes)


def sequence(**gap: Any) -> SequenceFacts:
    """With a gap of two segments where one is described."""
    gaps = (Gap(timeline=1, first=3, last=4, segment_size_bytes=SIZE, **gap),) if gap else ()
    return SequenceFacts(gaps=gaps, segment_size_bytes=SIZE)


def scan(kind: str | None = None, **changes: Any) -> ScanFacts:
    """With a damaged segment where the kind of damage is given."""
    damage = DamagedSegment(segment=name(2), kind=kind or "", lsn=2 * SIZE, detail="it is odd")
    made = ScanFacts(
        depth="records", read=frozenset({name(2)}), unread={}, damaged=(damage,) if kind else (),
        oldest_read_at=NOW,
    )  # fmt: skip
    return replace(made, **changes)


def window(from_seconds_ago: float = 8 * DAY) -> Window:
    return Window(
        timeline=1, from_lsn=SIZE, to_lsn=9 * SIZE, obstacle=None,
        from_time=ago(from_seconds_ago), to_time=NOW, commits=1, aborts=0,
    )  # fmt: skip


def parameters(lsn: int, wal_level: int) -> ParameterChange:
    return ParameterChange(lsn, lsn + 80, 100, 8, 10, 0, 64, wal_level, False, False)


# -- backups --------------------------------------------------------------------------------------


@functools.cache
def control() -> ControlFile:
    """A real server's, as 18 would have it: with data checksums."""
    files = sorted(_CONTROL.rglob("*.pg_control"))
    read = (parse_control_file(path.read_bytes()) for path in files)
    with_checksums = next(each for each in read if each.data_checksum_version == 1)
    return replace(with_checksums, control_version=1800)


def backup(label: dict[str, Any] | None = None, **changes: Any) -> BackupFacts:
    """It needs the segments 2 to 4; its manifest is good."""
    own = {
        "start_lsn": 2 * SIZE + 40, "start_segment": name(2), "checkpoint_lsn": 2 * SIZE + 96,
        "timeline": 1, "method": "streamed", "source": "primary", "started_at_text": None,
        "label": "b", **(label or {}),
    }  # fmt: skip
    made = BackupFacts(
        url="/backup", label=BackupLabel(**own), stop_lsn=4 * SIZE + 80, stop_timeline=1,
        needs=(), started_at=ago(7200), finished_at=ago(3600), system_identifier=7, major=18,
        segment_size_bytes=SIZE, control=control(), wal=frozenset(), bad_files=(),
        files_checked=9, manifest_error=None, depth="files",
    )  # fmt: skip
    return replace(made, **changes)


def backups(*found: BackupFacts, **changes: Any) -> BackupsFacts:
    return replace(BackupsFacts(backups=found, unreadable={}, depth="files"), **changes)


INCREMENT = {"incremental_from_lsn": SIZE + 40, "incremental_from_timeline": 1}
FULL = backup({"start_lsn": SIZE + 40}, url="/full")


# -- the server -----------------------------------------------------------------------------------


def server(version: int, **changes: Any) -> PositionFacts:
    """A primary that was started a day ago."""
    made = PositionFacts(
        server_version_num=version, server_at=NOW, in_recovery=False, timeline=1, insert_lsn=1,
        snapshot="1:1:", replay_lsn=None, last_replay_at=None, replay_paused=None,
        started_at=ago(DAY),
    )  # fmt: skip
    return replace(made, **changes)


def settings(of: str | None = "/backup", /, **values: str) -> SettingsFacts:
    """As a backup's own file has them; of None as a server does."""
    read_from = f"{of}/postgresql.conf:1" if of else "pg_settings"
    made = {
        key: Setting(name=key, setting=value, read_from=read_from) for key, value in values.items()
    }
    return SettingsFacts(settings=made, of_backup=of)


def archiver(**changes: Any) -> ArchiverFacts:
    made = ArchiverFacts(
        archived_count=1, last_archived_wal=name(2), last_archived_at=ago(600), failed_count=0,
        last_failed_wal=None, last_failed_at=None, stats_reset_at=None,
    )  # fmt: skip
    return replace(made, **changes)


def waiting(seconds: float | None, count: int = 1) -> ArchiveStatusFacts:
    """What waits for the archiver, the oldest for so long."""
    names = [name(3 + number) for number in range(count if seconds is not None else 0)]
    return ArchiveStatusFacts(
        ready=frozenset(names), done=frozenset(), listed_at=NOW,
        oldest_ready_at=None if seconds is None else ago(seconds),
        oldest_ready=names[0] if names else None,
    )  # fmt: skip


def control_facts(data_checksums: bool | None = True) -> ControlFacts:
    return ControlFacts(
        system_identifier=7, segment_size_bytes=SIZE, timeline=1, data_checksums=data_checksums
    )


def exposure(seconds: float, written: float = 1e6, archived: float = 2e6) -> ExposureFacts:
    return ExposureFacts(
        bytes=9 * SIZE, seconds=seconds, at_least=False, written_per_second=written,
        archived_per_second=archived,
    )  # fmt: skip


def estimate(replay_seconds: float) -> RestoreEstimateFacts:
    rate = ReplayRate(replayed_bytes=1 << 30, seconds=10.0, source="server log", at=NOW)
    return RestoreEstimateFacts(
        replay_bytes=round(1e6 * replay_seconds), bytes_per_second=1e6, restores_count=1,
        latest=rate, source="server log",
    )  # fmt: skip


# -- targets, restores and drills -----------------------------------------------------------------


def target(cause: Cause | None = None, /, **changes: Any) -> TargetFacts:
    made = TargetFacts(
        target=Target(type="time", value="2026-07-08 11:00:00+00"), timeline=1, backup=backup(),
        outcome="opens", reachable=cause is None, reason="because", cause=cause,
        prediction=predicted(),
    )  # fmt: skip
    return replace(made, **changes)


def predicted(**changes: Any) -> Outcome:
    return replace(Outcome(outcome="opens", reachable=True, reason="because"), **changes)


def trial(*trials: Trial, **changes: Any) -> TrialFacts:
    made = TrialFacts(
        command="cp /archive/%f %p", read_from="/backup/postgresql.conf:1", account="postgres",
        timeout_seconds=30, segment_size_bytes=SIZE, trials=trials,
    )  # fmt: skip
    return replace(made, **changes)


def tried(
    status: int | None, size_bytes: int | None, *, archived: bool = True, same: bool | None = None
) -> Trial:
    return Trial(
        asked=name(2), archived=archived, status=status, size_bytes=size_bytes, same=same, said=""
    )


def restore(
    outcome: str | None = None, /, attempt: Attempt | None = None, **changes: Any
) -> LiveRestore:
    """A restore that runs, or one that ended so."""
    short = changes.pop("ended_short", False)
    summary = Summary(
        outcome=outcome or "in_progress", reached_target=None,
        target=ConfiguredTarget(type="none", value=None),
        redo_start_lsn=None, consistent_lsn=None, stop=ReachedStop(), redo_done_lsn=None,
        last_transaction_at=None, new_timeline=None, restored_segments=(), missing_files=(),
        fatal_message="it died", beyond=WalBeyond(name(2), None, 1, name(3)) if short else None,
    )  # fmt: skip
    of = attempt or Attempt(phase=Phase.REPLAYING, archive_recovery=True)
    last = LastRestore(attempt=of, summary=summary, standby=False, at=NOW, known_since=NOW)
    made = LiveRestore(
        log=LoggedRecovery(attempt=of, summary=summary, current=of),
        in_progress=outcome is None, paused=False, moved_at=NOW, last=last if outcome else None,
    )  # fmt: skip
    return replace(made, **changes)


def drill(**changes: Any) -> DrillsFacts:
    made = DrillRecord(
        started_at=ago(3600), seconds=60, outcome="promoted", agrees=True, backup="/backup",
        target="the end of the WAL",
    )  # fmt: skip
    return DrillsFacts(records=(replace(made, **changes),), since=ago(30 * DAY))


def probe(got: str | None, **changes: Any) -> Probe:
    return replace(Probe(database="app", sql="SELECT 1", expected="1", got=got), **changes)
