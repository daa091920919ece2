"""The metrics of what a cluster is and what its owner wants of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily

from agent.monitor.watched import WatchedCluster
from rules.fleet.line import FleetLine
from rules.model.facts import Objectives

INFO: Final = "pitr_cluster_info"

# Name, kind, labels after `cluster`, help.
GOAL_METRICS: Final = (
    (
        INFO,
        "gauge",
        ("protection_class",),
        "Always 1. The cluster's class, and the labels that the configuration gives it, to join "
        "with: no other metric has them.",
    ),
    ("pitr_window_goal_seconds", "gauge", (), "How far back a restore must be able to go."),
    (
        "pitr_goal_breach_timestamp_seconds",
        "gauge",
        ("goal",),
        "When the goal will be broken, if all goes on as it went; in the past, since when it is, "
        "or, where nothing tells that, when it was first found so.",
    ),
    ("pitr_objective_seconds", "gauge", ("objective",), "The objectives of the configuration."),
)

Row = tuple[str, tuple[str, ...], float | None]


def info_family(clusters: Iterable[WatchedCluster], help_text: str) -> GaugeMetricFamily:
    """A sample a cluster. Each has its own labels, so they are no family's."""
    family = GaugeMetricFamily(INFO, help_text)
    for cluster in clusters:
        own = {"cluster": cluster.name, "protection_class": cluster.config.protection_class or ""}
        family.add_sample(INFO, {**cluster.config.labels, **own}, 1.0)
    return family


def objective_rows(wanted: Objectives) -> Iterator[Row]:
    """Those that are set."""
    yield "pitr_objective_seconds", ("rpo",), wanted.rpo_seconds
    yield "pitr_objective_seconds", ("rto",), wanted.rto_seconds
    yield "pitr_objective_seconds", ("window",), wanted.window_seconds
    yield "pitr_objective_seconds", ("backup_age",), wanted.backup_age_seconds
    yield "pitr_objective_seconds", ("drill_age",), wanted.drill_age_seconds


def breach_rows(line: FleetLine) -> Iterator[Row]:
    """Absent where none is foreseen."""
    yield "pitr_window_goal_seconds", (), line.goal_seconds
    for breach in line.breaches:
        at = breach.at.timestamp() if breach.at is not None else None
        yield "pitr_goal_breach_timestamp_seconds", (breach.goal,), at
