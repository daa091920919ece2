"""A backup's end is foreseen within a tenth while its pace holds, and not before there is one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rules.capacity.base_backups import STREAMING, BackupTrail
from rules.model.facts import RunningBackup, RunningBackupsFacts

NOW = datetime(2026, 3, 1, tzinfo=UTC)
GB = 10**9


def poll(
    seconds: float, streamed: float, total: int | None = 600 * GB, phase: str = STREAMING
) -> RunningBackupsFacts:
    one = RunningBackup(pid=7, phase=phase, total_bytes=total, streamed_bytes=round(streamed))
    return RunningBackupsFacts(backups=(one,), read_at=NOW + timedelta(seconds=seconds))


def test_the_end_of_a_backup_of_hours() -> None:
    """At a pace that swings by a tenth every minute."""
    trail, streamed, told = BackupTrail(), 0.0, []
    seconds = 0
    while streamed < 600 * GB:
        streamed += 15 * 100e6 * (1.1 if seconds // 60 % 2 else 0.9)
        seconds += 15
        trail = trail.follow(poll(seconds, min(streamed, 600 * GB)))
        (one,) = trail.progress().running
        if one.seconds_left is not None and len(trail.seen) > 8:
            told.append((seconds, one.seconds_left))
    assert len(told) > 300
    off = [s for s, left in told if abs(s + left - seconds) > 0.1 * (seconds - s) + 15]
    assert off == []


def test_nothing_is_said_of_its_end_before_it_is_known() -> None:
    first = BackupTrail().follow(poll(0, GB))
    (one,) = first.progress().running
    assert (one.bytes_per_second, one.seconds_left) == (None, None)
    (unknown,) = first.follow(poll(15, 2 * GB, total=None)).progress().running
    assert unknown.bytes_per_second is not None and unknown.seconds_left is None
    (waits,) = (
        first.follow(poll(15, 2 * GB, phase="waiting for wal archiving to finish"))
        .progress()
        .running
    )
    assert waits.seconds_left is None
    (more,) = first.follow(poll(15, 601 * GB)).progress().running
    assert more.seconds_left is None, "more than was estimated"


def test_another_backup_under_the_same_pid_begins_anew() -> None:
    trail = BackupTrail().follow(poll(0, 500 * GB)).follow(poll(15, GB))
    (one,) = trail.progress().running
    assert one.bytes_per_second is None
