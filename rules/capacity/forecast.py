"""Forecasts: when pg_wal will be full, and how long a restore would take.

Both are arithmetic on what was measured, and say on what they rest. Without a measurement there is
no forecast: no default rate is assumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from parsers.sentences import tr
from parsers.values import dataclass
from rules.capacity.held_wal import HeldWalFacts, Holder
from rules.model.counted import counted, sized, timed
from rules.model.evidence import WindowsFacts
from rules.model.facts import BackupsFacts, WalVolumeFacts

_HORIZON: Final = timedelta(days=30)  # what lies further away is no forecast


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRate:
    """One actual restore, as its log shows it."""

    replayed_bytes: int
    seconds: float
    source: str  # where it was measured: "server log", "drill"
    at: datetime | None = None  # when it ended; None: the log's stamps do not tell

    @property
    def bytes_per_second(self) -> float:
        return self.replayed_bytes / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyTime:
    """How long copying a backup into place took, in a drill."""

    copied_bytes: int
    seconds: float
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreEstimateFacts:
    """How long a restore to the end of the newest window would take, and on what that rests."""

    replay_bytes: int  # from the backup's start to the end of the window
    bytes_per_second: float
    restores_count: int  # measured restores that give the rate
    latest: ReplayRate  # the last of them
    source: str
    copy: CopyTime | None = None  # None: nothing measured it, and it is not in the estimate

    @property
    def replay_seconds(self) -> float:
        return self.replay_bytes / self.bytes_per_second

    @property
    def seconds(self) -> float:
        return self.replay_seconds + (self.copy.seconds if self.copy else 0.0)

    @property
    def basis(self) -> str:
        """What was measured, for a person."""
        rate, copy = self.latest, self.copy
        copied = (
            tr(
                "copying {size} took {time} in the drill of {at:%Y-%m-%d %H:%M}Z",
                size=sized(copy.copied_bytes),
                time=timed(copy.seconds),
                at=copy.at,
            )
            if copy
            else tr("copying the backup is not in it: no drill has measured that")
        )
        return tr(
            "measured: {restores}, {source}; the last replayed {size} in {time}{until}; {copied}",
            restores=counted(self.restores_count, "restore"),
            source=self.source,
            size=sized(rate.replayed_bytes),
            time=timed(rate.seconds),
            until=tr(" until {at:%Y-%m-%d %H:%M}Z", at=rate.at) if rate.at else "",
            copied=copied,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WalFullFacts:
    """When the volume of pg_wal fills at the present rate, if all stays as it is."""

    full_at: datetime | None  # None: not within thirty days
    free_bytes: int
    growth_per_second: float
    holder: Holder | None = None  # that keeps what fills it; None: nothing does


def forecast_wal_full(
    volume: WalVolumeFacts, held: HeldWalFacts, directory_bytes: int, now: datetime
) -> WalFullFacts | None:
    """What is written and held back stays in pg_wal. None when the room is not known."""
    if volume.free_bytes is None:
        return None
    first = held.first_to_fill(volume.free_bytes, directory_bytes)
    if first is None or first[1] >= _HORIZON.total_seconds():
        growth = first[0].growth_per_second if first else 0.0
        return WalFullFacts(full_at=None, free_bytes=volume.free_bytes, growth_per_second=growth)
    holder, seconds = first
    return WalFullFacts(
        full_at=now + timedelta(seconds=seconds),
        free_bytes=volume.free_bytes,
        growth_per_second=holder.growth_per_second,
        holder=holder,
    )


def estimate_restore(
    windows: WindowsFacts,
    backups: BackupsFacts,
    rates: Sequence[ReplayRate],
    copy: CopyTime | None = None,
) -> RestoreEstimateFacts | None:
    """The time to the latest restorable instant, from the best backup for it.

    `rates` are in the order in which they were measured. None without one, or without a window.
    """
    latest = windows.latest
    if latest is None or not rates:
        return None
    starts = _starts(windows, backups, latest.timeline, latest.to_lsn)
    if not starts:
        return None
    from statistics import median  # and the arithmetic of fractions and decimals

    speed = median(rate.bytes_per_second for rate in rates)
    replay_bytes = latest.to_lsn - max(starts)
    return RestoreEstimateFacts(
        replay_bytes=replay_bytes,
        bytes_per_second=speed,
        restores_count=len(rates),
        latest=rates[-1],
        copy=copy,
        source=", ".join(sorted({rate.source for rate in rates})),
    )


def _starts(
    windows: WindowsFacts, backups: BackupsFacts, timeline: int, to_lsn: int
) -> Sequence[int]:
    """Where the backups begin that reach this end of a window."""
    by_url: Mapping[str, int] = {b.url: b.label.start_lsn for b in backups.backups}
    return [
        by_url[url]
        for url, reached in windows.by_backup.items()
        if url in by_url
        and any((w.timeline, w.to_lsn) == (timeline, to_lsn) for w in reached or ())
    ]
