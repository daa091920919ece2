"""One page of /metrics, asked by name and labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.parser import text_string_to_metric_families

from parsers.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One line of the page."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class MetricsPage:
    """All samples of one scrape."""

    samples: tuple[Sample, ...]

    def select(self, name: str, **labels: str) -> Iterator[Sample]:
        """The samples of a metric that have at least these labels."""
        for sample in self.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                yield sample

    def total(self, name: str, **labels: str) -> float | None:
        """The sum over the selected samples; None when there is none (unknown)."""
        values = [sample.value for sample in self.select(name, **labels)]
        return sum(values) if values else None

    def findings(self, *severities: str) -> set[str]:
        """The ids of the findings that hold now, of these severities or of all."""
        return {
            sample.labels["id"]
            for sample in self.select("pitr_finding")
            if sample.value > 0 and (not severities or sample.labels["severity"] in severities)
        }


def parse_metrics_page(text: str) -> MetricsPage:
    """Read Prometheus's text format. Raises ValueError for anything else."""
    return MetricsPage(
        tuple(
            Sample(name=sample.name, labels=dict(sample.labels), value=sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        )
    )
