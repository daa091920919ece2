"""`/metrics`: the last readings of every cluster, rendered by prometheus-client.

A scrape reads memory and nothing else. What is not known is absent, never 0. The table below is
the documentation of each metric; docs/metrics.md is generated from it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agent.monitor.coverage_metrics import COVERAGE_METRICS, coverage_rows
from agent.monitor.drill_metrics import DRILL_METRICS, drill_rows
from agent.monitor.goal_metrics import GOAL_METRICS, INFO, breach_rows, info_family, objective_rows
from agent.monitor.recovery_metrics import RECOVERY_METRICS, recovery_rows
from agent.monitor.store_metrics import STORE_METRICS, store_rows
from agent.monitor.watched import WatchedCluster
from parsers.wal.damage import DamageKind
from rules.capacity.exposure import ExposureFacts
from rules.capacity.forecast import RestoreEstimateFacts, WalFullFacts
from rules.case.derived.restores import BackupStates
from rules.drill.coverage import coverage_of
from rules.drill.records import DrillsFacts
from rules.model.evidence import AloneFacts, SequenceFacts, WindowsFacts
from rules.model.facts import (
    ArchiveFacts,
    ArchiverFacts,
    ArchiveStatusFacts,
    BackupsFacts,
    ScanFacts,
    WalDirectoryFacts,
)
from rules.model.segment_names import SegmentNames
from rules.model.sequence import GAP_CLASSES

Sample = tuple[tuple[str, ...], float]  # label values after `cluster`, value
Row = tuple[str, tuple[str, ...], float | None]  # name, the same, None: not known
_ALONE: Final = "pitr_archive_alone_latest_restorable_timestamp_seconds"
METRICS_JOB: Final = "metrics"  # what fails here is told like a job's failure

# Name, kind, labels after `cluster`, help. The order is the order on the page.
METRICS: Final = (
    ("pitr_up", "gauge", (), "1 if the server answered the last poll."),
    ("pitr_archive_ready_files", "gauge", (), "Files that wait for the archiver (.ready)."),
    (
        "pitr_archive_oldest_ready_timestamp_seconds",
        "gauge",
        (),
        "When the file that has waited longest for the archiver was completed.",
    ),
    (
        "pitr_archiver_last_archived_timestamp_seconds",
        "gauge",
        (),
        "When the archiver last reported success.",
    ),
    (
        "pitr_archiver_last_failed_timestamp_seconds",
        "gauge",
        (),
        "When the archiver last reported a failure.",
    ),
    ("pitr_archiver_archived", "counter", (), "Files that the archiver reported as archived."),
    ("pitr_archiver_failed", "counter", (), "Attempts that the archiver reported as failed."),
    (
        "pitr_archive_missing_segments",
        "gauge",
        ("timeline", "class"),
        "Segments that the archive should hold and does not.",
    ),
    (
        "pitr_archive_damaged_segments",
        "gauge",
        ("kind",),
        "Archived segments that are not what their name promises.",
    ),
    ("pitr_wal_directory_bytes", "gauge", (), "Size of the files in pg_wal."),
    (
        "pitr_recovery_point_exposure_bytes",
        "gauge",
        (),
        "WAL written that the archive does not hold: what a disk loss now would cost.",
    ),
    (
        "pitr_recovery_point_exposure_seconds",
        "gauge",
        (),
        "Age of the oldest transaction that a disk loss now would cost; 0 when all are archived.",
    ),
    (
        "pitr_restore_duration_estimate_seconds",
        "gauge",
        (),
        "Time to the latest restorable instant as restores and drills took it: the replay, and the "
        "copy of the backup where a drill measured that.",
    ),
    (
        "pitr_wal_directory_full_timestamp_seconds",
        "gauge",
        (),
        "When pg_wal fills if WAL keeps being written faster than it is archived.",
    ),
    (
        "pitr_latest_restorable_timestamp_seconds",
        "gauge",
        (),
        "Commit time of the last transaction that a restore would bring back.",
    ),
    (
        "pitr_earliest_restorable_timestamp_seconds",
        "gauge",
        (),
        "Start of the unbroken window that holds the latest restorable instant.",
    ),
    (
        _ALONE,
        "gauge",
        ("archive",),
        "Commit time of the last transaction that one of several archives alone would bring back.",
    ),
    ("pitr_restorable_windows", "gauge", (), "Restorable intervals: one a backup and timeline."),
    (
        "pitr_backups",
        "gauge",
        ("state",),
        "Base backups, by whether the WAL that they need is in the archive.",
    ),
    (
        "pitr_backup_last_finished_timestamp_seconds",
        "gauge",
        (),
        "When the newest base backup ended.",
    ),
    *RECOVERY_METRICS,
    *COVERAGE_METRICS,
    *DRILL_METRICS,
    *STORE_METRICS,
    (
        "pitr_finding",
        "gauge",
        ("id", "severity"),
        "How often the check found something, notes apart; keeps its value while its evidence "
        "cannot be had.",
    ),
    ("pitr_check_known", "gauge", ("id",), "1 if the check had its evidence, 0 if it was blind."),
    ("pitr_verdict_timestamp_seconds", "gauge", (), "When the checks were last asked."),
    (
        "pitr_verdict_deadline_timestamp_seconds",
        "gauge",
        (),
        "When the verdict is overdue, and then unknown, unless its sources are read before.",
    ),
    *GOAL_METRICS,
    ("pitr_collector_success", "gauge", ("collector",), "1 if the last reading succeeded."),
    ("pitr_collector_duration_seconds", "gauge", ("collector",), "How long it took."),
)

HELP: Final = {name: help_text for name, _, _, help_text in METRICS}
_FAMILIES: Final = {name: (kind, labels, told) for name, kind, labels, told in METRICS}


class ClusterCollector(Collector):
    """Turns the state of all clusters into metric families."""

    def __init__(self, clusters: Sequence[WatchedCluster]) -> None:
        self._clusters = clusters

    def collect(self) -> Iterable[Metric]:
        rendered = [(cluster, samples_of(cluster)) for cluster in self._clusters]
        for name in HELP:
            yield family_of(name, rendered)


def family_of(
    name: str, rendered: Iterable[tuple[WatchedCluster, Mapping[str, Sequence[Sample]]]]
) -> Metric:
    """One family with the samples of these clusters."""
    kind, labels, help_text = _FAMILIES[name]
    if name == INFO:
        return info_family((cluster for cluster, _ in rendered), help_text)
    family = make_family(name, kind, ("cluster", *labels), help_text)
    for cluster, samples in rendered:
        for values, number in samples.get(name, ()):
            family.add_metric([cluster.name, *values], number)
    return family


def make_family(
    name: str, kind: str, labels: Sequence[str], help_text: str
) -> GaugeMetricFamily | CounterMetricFamily:
    family = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
    return family(name, help_text, labels=labels)


def samples_of(cluster: WatchedCluster) -> dict[str, list[Sample]]:
    """What is known of a cluster now, by the name of the metric."""
    samples: dict[str, list[Sample]] = {}
    for name, values, number in (*_facts(cluster), *_judgement(cluster), *_collectors(cluster)):
        if number is not None:
            sample = _shared(values, number) if number in _COMMON else (values, number)
            samples.setdefault(name, []).append(sample)
    return samples


# Most samples of most clusters say no or yes of the same things: kept once for all of them.
_COMMON: Final = (0.0, 1.0)


@lru_cache(maxsize=1 << 10)
def _shared(values: tuple[str, ...], number: float) -> Sample:
    return values, number


def _facts(cluster: WatchedCluster) -> list[Row]:
    """What was read. What raises here is no reason to show nothing of all clusters."""
    rows: list[Row] = []
    failure: Exception | None = None
    for part in (
        _server, _archiving, _archive, _forecasts, _windows, _backups, _recovery, _drills,
        _coverage, _goals,
    ):  # fmt: skip
        try:
            rows += part(cluster)
        except Exception as error:
            failure = failure or error
    if cluster.jobs.note_raised(METRICS_JOB, failure):
        cluster.judge()
    return rows


def _coverage(cluster: WatchedCluster) -> Iterator[Row]:
    yield from coverage_rows(coverage_of(cluster.case, datetime.now(UTC)))


def _goals(cluster: WatchedCluster) -> Iterator[Row]:
    yield from breach_rows(cluster.line)


def _drills(cluster: WatchedCluster) -> Iterator[Row]:
    yield from drill_rows(cluster.fact(DrillsFacts))


def _server(cluster: WatchedCluster) -> Iterator[Row]:
    if (up := cluster.server_answers) is not None:
        yield "pitr_up", (), float(up)
    if wal := cluster.fact(WalDirectoryFacts):
        yield "pitr_wal_directory_bytes", (), float(wal.size_bytes)


def _archiving(cluster: WatchedCluster) -> Iterator[Row]:
    if status := cluster.fact(ArchiveStatusFacts):
        yield "pitr_archive_ready_files", (), float(len(status.ready))
        yield "pitr_archive_oldest_ready_timestamp_seconds", (), _epoch(status.oldest_ready_at)
    if archiver := cluster.fact(ArchiverFacts):
        yield (
            "pitr_archiver_last_archived_timestamp_seconds",
            (),
            _epoch(archiver.last_archived_at),
        )
        yield "pitr_archiver_last_failed_timestamp_seconds", (), _epoch(archiver.last_failed_at)
        yield "pitr_archiver_archived", (), float(archiver.archived_count)
        yield "pitr_archiver_failed", (), float(archiver.failed_count)


def _archive(cluster: WatchedCluster) -> Iterator[Row]:
    archive, sequence = cluster.fact(ArchiveFacts), cluster.fact(SequenceFacts)
    if archive and sequence:
        counts: Counter[tuple[str, str]] = Counter()
        for timeline in SegmentNames.of(archive.segments).timelines:
            counts.update({(str(timeline), cause): 0 for cause in GAP_CLASSES})
        for gap in sequence.gaps:
            counts[str(gap.timeline), gap.cause] += gap.segments_count
        for labels, count in sorted(counts.items()):
            yield "pitr_archive_missing_segments", labels, float(count)
    if scan := cluster.fact(ScanFacts):
        kinds = Counter(damage.kind for damage in scan.damaged)
        for kind in DamageKind:
            yield "pitr_archive_damaged_segments", (kind.value,), float(kinds[kind.value])


def _forecasts(cluster: WatchedCluster) -> Iterator[Row]:
    if exposed := cluster.fact(ExposureFacts):
        yield "pitr_recovery_point_exposure_bytes", (), float(exposed.bytes)
        yield "pitr_recovery_point_exposure_seconds", (), exposed.seconds
    if estimate := cluster.fact(RestoreEstimateFacts):
        yield "pitr_restore_duration_estimate_seconds", (), estimate.seconds
    if forecast := cluster.fact(WalFullFacts):
        yield "pitr_wal_directory_full_timestamp_seconds", (), _epoch(forecast.full_at)


def _backups(cluster: WatchedCluster) -> Iterator[Row]:
    backups = cluster.fact(BackupsFacts)
    if backups is None:
        return
    if states := cluster.fact(BackupStates):
        for state, count in states.count().items():
            yield "pitr_backups", (state.value,), float(count)
    finished = [b.finished_at for b in backups.backups if b.finished_at is not None]
    yield "pitr_backup_last_finished_timestamp_seconds", (), _epoch(max(finished, default=None))


def _windows(cluster: WatchedCluster) -> Iterator[Row]:
    predicted = cluster.fact(WindowsFacts)
    if predicted is None or None in predicted.by_backup.values():
        return  # what one backup reaches is not known: the latest could be anywhere
    yield "pitr_restorable_windows", (), float(len(predicted.windows))
    alone = cluster.fact(AloneFacts)
    for copy in alone.by_archive if alone else ():
        end = copy.windows.latest
        yield _ALONE, (copy.url,), _epoch(end.to_time) if end and copy.restorable else None
    latest = predicted.latest
    if latest is not None:
        yield "pitr_latest_restorable_timestamp_seconds", (), _epoch(latest.to_time)
        yield "pitr_earliest_restorable_timestamp_seconds", (), _epoch(latest.from_time)


def _recovery(cluster: WatchedCluster) -> Iterator[Row]:
    progress = cluster.over_time.progress(cluster.case)
    yield from recovery_rows(cluster.case, progress, cluster.events)


def _judgement(cluster: WatchedCluster) -> Iterator[Row]:
    known, findings = cluster.known, cluster.findings
    for name, entry in cluster.checks.items():
        if name in known:
            count = sum(not found.note for found in findings.get(name, ()))
            yield "pitr_finding", (name, entry.severity.value), float(count)
            yield "pitr_check_known", (name,), float(known[name])
    yield "pitr_verdict_timestamp_seconds", (), _epoch(cluster.judged_at)
    if (left := cluster.jobs.rounds.seconds_left()) is not None:
        yield "pitr_verdict_deadline_timestamp_seconds", (), time.time() + left
    yield from objective_rows(cluster.case.context.objectives)


def _collectors(cluster: WatchedCluster) -> Iterator[Row]:
    for name, reading in sorted(cluster.readings.items()):
        yield "pitr_collector_success", (name,), float(reading.succeeded)
        yield "pitr_collector_duration_seconds", (name,), reading.duration_seconds
    yield from store_rows(cluster.store_usage)


def _epoch(at: datetime | None) -> float | None:
    return at.timestamp() if at is not None else None
