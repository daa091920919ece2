"""How archiving goes: what waits, what was archived and failed last, the last hours as plots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from agent.durations import format_duration
from agent.monitor.watched import WatchedCluster
from agent.page.sparkline import Sparkline, sparkline
from agent.page.visit import Visit
from parsers.sentences import tr
from parsers.values import dataclass
from rules.capacity.archiving_history import (
    ARCHIVED_PER_MINUTE,
    EXPOSURE_BYTES,
    EXPOSURE_SECONDS,
    READY_FILES,
    WAL_BYTES,
    Series,
)
from rules.capacity.exposure import ExposureFacts
from rules.model.counted import sized
from rules.model.facts import ArchiverFacts, ArchiveStatusFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Archiving:
    """What templates/archiving.html shows; None is what its source did not tell."""

    archiver: ArchiverFacts | None
    status: ArchiveStatusFacts | None
    exposed: ExposureFacts | None
    plots: tuple[Sparkline, ...]
    span: str | None  # what the plots reach back over; None: there are none
    step: str | None


def archiving_of(cluster: WatchedCluster, look: Visit) -> Archiving | None:
    """None without a server to ask."""
    if cluster.config.dsn is None:
        return None
    history = cluster.over_time.archiving.series(look.now)
    plots = tuple(_plots(history))
    return Archiving(
        archiver=cluster.fact(ArchiverFacts),
        status=cluster.fact(ArchiveStatusFacts),
        exposed=cluster.fact(ExposureFacts),
        plots=plots,
        span=format_duration(history[0].span_seconds) if plots else None,
        step=format_duration(history[0].step_seconds) if plots else None,
    )


def _plots(history: tuple[Series, ...]) -> Iterator[Sparkline]:
    for series in history:
        title, show = _PLOTS[series.quantity]
        drawn = sparkline(series, title, show)
        if drawn is not None:
            yield drawn


def _files(count: float) -> str:
    return tr("1 file") if count == 1 else tr("{count:.0f} files", count=count)


def _rate(per_minute: float) -> str:
    if per_minute >= 10:
        return tr("{rate:.0f}/min", rate=per_minute)
    return tr("{rate:.1f}/min", rate=per_minute)


_PLOTS: Final[Mapping[str, tuple[str, Callable[[float], str]]]] = {
    ARCHIVED_PER_MINUTE: (tr("Files archived"), _rate),
    READY_FILES: (tr("Waiting for the archiver"), _files),
    EXPOSURE_BYTES: (tr("WAL a disk loss would take"), sized),
    EXPOSURE_SECONDS: (tr("A disk loss would undo"), format_duration),
    WAL_BYTES: (tr("Size of pg_wal"), sized),
}
