"""Forecasts are arithmetic on measurements; without one there is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from parsers.files.backup_label import BackupLabel
from parsers.log.stream import LogStream
from rules.capacity.exposure import ExposureFacts
from rules.capacity.forecast import ReplayRate, estimate_restore, forecast_wal_full
from rules.capacity.held_wal import SlotTrail, held_wal
from rules.live.facts import RestoreRecord
from rules.model.evidence import WindowsFacts
from rules.model.facts import (
    ArchiveStatusFacts,
    BackupFacts,
    BackupsFacts,
    SettingsFacts,
    WalVolumeFacts,
)
from rules.model.windows import Window

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GB = 10**9


def full_at(
    *, written: float, archived: float, free: int | None = 36 * GB, waits: int = 2
) -> datetime | None:
    """When pg_wal is full, by the forecast for these rates in bytes a second."""
    exposed = ExposureFacts(
        bytes=0,
        seconds=None,
        at_least=True,
        written_per_second=written,
        archived_per_second=archived,
    )
    volume = WalVolumeFacts(directory="/data/pg_wal", size_bytes=free, free_bytes=free)
    ready = frozenset(f"{number:024X}" for number in range(waits))
    status = ArchiveStatusFacts(
        ready=ready, done=frozenset(), listed_at=NOW, oldest_ready_at=NOW, oldest_ready=None
    )
    held = held_wal(0, written, SlotTrail(), SettingsFacts(settings={}), exposed, status, 0)
    found = forecast_wal_full(volume, held, 0, NOW)
    return found.full_at if found else None


def test_pg_wal_fills_with_what_is_not_archived() -> None:
    assert full_at(written=11e6, archived=1e6) == NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("what", "given"),
    [
        ("the archiver keeps up", {"written": 1e6, "archived": 1e6}),
        ("nothing waits", {"written": 1e6, "archived": 0, "waits": 0}),
        ("one waits, which is the archiver's next", {"written": 1e6, "archived": 0, "waits": 1}),
        ("it is further away than a forecast goes", {"written": 1e3, "archived": 0}),
        ("the volume cannot be seen", {"written": 1e6, "archived": 0, "free": None}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_there_is_no_forecast_when(what: str, given: dict[str, Any]) -> None:
    assert full_at(**given) is None


def backup(url: str, start_lsn: int) -> BackupFacts:
    label = BackupLabel(
        start_lsn=start_lsn,
        start_segment="000000010000000000000001",
        checkpoint_lsn=start_lsn,
        method="streamed",
        source="primary",
        started_at_text="",
        label="",
        timeline=1,
    )
    return BackupFacts(
        url=url, label=label, stop_lsn=None, stop_timeline=None, needs=(), started_at=None,
        finished_at=None, system_identifier=None, major=None, segment_size_bytes=None,
        control=None, wal=frozenset(), bad_files=(), files_checked=None, manifest_error=None,
        depth="label",
    )  # fmt: skip


def window(from_lsn: int, to_lsn: int) -> Window:
    return Window(
        timeline=1, from_lsn=from_lsn, to_lsn=to_lsn, obstacle=None, from_time=NOW, to_time=NOW
    )


def test_a_restore_is_estimated_from_the_newest_backup_that_reaches_the_latest_instant() -> None:
    backups = BackupsFacts(
        backups=(backup("old", 0), backup("new", 6 * GB)), unreadable={}, depth=""
    )
    windows = WindowsFacts(
        by_backup={"old": (window(1, 10 * GB),), "new": (window(6 * GB + 1, 10 * GB),)}
    )
    rates = [ReplayRate(replayed_bytes=n * GB, seconds=100, source="server log") for n in (1, 2, 9)]
    found = estimate_restore(windows, backups, rates)
    assert found is not None
    assert (found.replay_bytes, found.seconds, found.restores_count) == (4 * GB, 200, 3)
    assert "copying the backup is not in it" in found.basis
    assert estimate_restore(windows, backups, []) is None, "no restore was measured"
    assert estimate_restore(WindowsFacts(by_backup={}), backups, rates) is None


LOG = """\
2026-01-01 10:00:00.000 UTC [7] LOG:  starting PostgreSQL 16.4 on x86_64-pc-linux-gnu
2026-01-01 10:00:00.100 UTC [9] LOG:  starting point-in-time recovery to earliest consistent point
2026-01-01 10:00:01.000 UTC [9] LOG:  redo starts at 0/2000028
{before}\
2026-01-01 10:00:21.000 UTC [9] LOG:  recovery stopping after reaching consistency
2026-01-01 10:00:21.000 UTC [9] LOG:  pausing at the end of recovery
2026-01-01 12:00:00.000 UTC [9] LOG:  redo done at 0/16000028 system usage: CPU: user: 0.00 s, system: 0.00 s, elapsed: 7199.00 s
2026-01-01 12:00:00.100 UTC [9] LOG:  selected new timeline ID: 2
"""  # noqa: E501


@pytest.mark.parametrize(
    ("before", "rate"),
    [
        ("", (0x16000028 - 0x2000028) / 20),
        ("2026-01-01 10:00:05.000 UTC [9] LOG:  recovery has paused\n", None),
    ],
    ids=["the pause at the target is not counted", "a pause on the way spoils it"],
)
def test_the_rate_of_a_replay_is_learned_from_its_log(before: str, rate: float | None) -> None:
    stream, record = LogStream(prefix="%m [%p] "), RestoreRecord()
    record.apply_all(stream.feed(LOG.format(before=before).encode()), NOW)
    record.apply_all(stream.end(), NOW)
    learned = record.snapshot().replay_rate
    assert (learned.bytes_per_second if learned else None) == rate
