"""The verdict for node_exporter's textfile collector: the agent's own metric names.

Write it beside the collector's directory and rename it into place, as that collector wants it. What
is not known is absent: of a run that could look at nothing there is cannot_check alone, and no
instant of a verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agent.monitor.exporter import HELP, Sample
from parsers.wal.damage import DamageKind
from rules.backup.completeness import BackupState
from rules.model.evidence import WindowsFacts
from rules.model.facts import BackupsFacts
from rules.model.findings import CANNOT_CHECK
from rules.verdict.report import Report


def render_prometheus(report: Report, cluster: str) -> str:
    """The text format, every line labelled with the cluster."""
    registry = CollectorRegistry()
    registry.register(_ReportCollector(report, cluster))
    return generate_latest(registry).decode().rstrip("\n")


class _ReportCollector(Collector):
    def __init__(self, report: Report, cluster: str) -> None:
        self._report = report
        self._cluster = cluster

    def collect(self) -> Iterable[Metric]:
        report = self._report
        if not any(finding.id == CANNOT_CHECK for finding in report.findings):
            yield from self._verdict()
        found = Counter((f.id, f.severity.value) for f in report.findings if not f.note)
        yield self._family(
            "pitr_finding", ("id", "severity"), [(key, float(n)) for key, n in found.items()]
        )

    def _verdict(self) -> Iterable[Metric]:
        report = self._report
        yield self._family("pitr_verdict_timestamp_seconds", (), [((), report.now.timestamp())])
        if report.case.get(BackupsFacts) is not None:
            states = Counter(backup.state.value for backup in report.backups)
            counts = [((state.value,), float(states[state.value])) for state in BackupState]
            yield self._family("pitr_backups", ("state",), counts)
        yield self._family("pitr_archive_missing_segments", ("timeline", "class"), _missing(report))
        if report.scan is not None:
            kinds = Counter(damage.kind for damage in report.scan.damaged)
            counts = [((kind.value,), float(kinds[kind.value])) for kind in DamageKind]
            yield self._family("pitr_archive_damaged_segments", ("kind",), counts)
        yield from self._windows()

    def _windows(self) -> Iterable[Metric]:
        by_backup = {backup.facts.url: backup.windows for backup in self._report.backups}
        if self._report.restorable is None:
            return
        latest = WindowsFacts(by_backup=by_backup).latest
        count = float(sum(len(windows) for windows in by_backup.values()))
        yield self._family("pitr_restorable_windows", (), [((), count)])
        if latest is not None and latest.to_time is not None:
            to = [((), latest.to_time.timestamp())]
            yield self._family("pitr_latest_restorable_timestamp_seconds", (), to)
        if latest is not None and latest.from_time is not None:
            begin = [((), latest.from_time.timestamp())]
            yield self._family("pitr_earliest_restorable_timestamp_seconds", (), begin)

    def _family(
        self, name: str, labels: tuple[str, ...], samples: Iterable[Sample]
    ) -> GaugeMetricFamily:
        family = GaugeMetricFamily(name, HELP[name], labels=("cluster", *labels))
        for values, number in sorted(samples):
            family.add_metric([self._cluster, *values], number)
        return family


def _missing(report: Report) -> list[Sample]:
    counts: Counter[tuple[str, ...]] = Counter()
    for archive in report.archives:
        for gap in archive.sequence.gaps if archive.sequence else ():
            counts[str(gap.timeline), gap.cause] += gap.segments_count
    return [(key, float(count)) for key, count in counts.items()]
