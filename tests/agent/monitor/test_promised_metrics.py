"""The metrics that the design names exist, with the labels named there; dashboards rest on them."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from agent.config.model import Config
from agent.daemon.own_metrics import OWN_METRICS, OwnCollector, Reloads
from agent.monitor.exporter import METRICS, ClusterCollector
from agent.monitor.watched import WatchedCluster
from agent.notify.memory import AlertMemory
from agent.notify.notifier import Notifier
from agent.web.refusals import Refusals
from rules.backup.completeness import BackupState

# Name as it is served -> labels, besides `cluster`.
PROMISED: Final[dict[str, tuple[str, ...]]] = {
    "pitr_up": (),
    "pitr_latest_restorable_timestamp_seconds": (),
    "pitr_earliest_restorable_timestamp_seconds": (),
    "pitr_restorable_windows": (),
    "pitr_recovery_point_exposure_seconds": (),
    "pitr_recovery_point_exposure_bytes": (),
    "pitr_restore_duration_estimate_seconds": (),
    "pitr_archive_ready_files": (),
    "pitr_archive_oldest_ready_timestamp_seconds": (),
    "pitr_archiver_last_archived_timestamp_seconds": (),
    "pitr_archiver_last_failed_timestamp_seconds": (),
    "pitr_archiver_archived_total": (),
    "pitr_archiver_failed_total": (),
    "pitr_archive_missing_segments": ("timeline", "class"),
    "pitr_archive_damaged_segments": ("kind",),
    "pitr_wal_directory_bytes": (),
    "pitr_wal_directory_full_timestamp_seconds": (),
    "pitr_backups": ("state",),
    "pitr_backup_last_finished_timestamp_seconds": (),
    "pitr_recovery_in_progress": (),
    "pitr_recovery_paused": (),
    "pitr_recovery_replayed_bytes": (),
    "pitr_recovery_target_bytes": (),
    "pitr_recovery_eta_seconds": (),
    "pitr_recovery_events_total": ("event",),
    "pitr_drill_last_success_timestamp_seconds": (),
    "pitr_finding": ("id", "severity"),
    "pitr_check_known": ("id",),
    "pitr_verdict_timestamp_seconds": (),
    "pitr_objective_seconds": ("objective",),
    "pitr_cluster_info": ("protection_class",),
    "pitr_window_goal_seconds": (),
    "pitr_goal_breach_timestamp_seconds": ("goal",),
    "pitr_collector_success": ("collector",),
    "pitr_collector_duration_seconds": ("collector",),
    # Not of the design: rules compare it with the clock, where a verdict that is late must alert.
    "pitr_verdict_deadline_timestamp_seconds": (),
}
# What may be told apart within a cluster: never a WAL name, an LSN or a backup's label.
LABELS: Final = {
    "timeline", "class", "kind", "state", "event", "id", "severity", "objective", "collector",
    "outcome", "phase", "operation", "archive", "protection_class", "goal",
}  # fmt: skip

Table = tuple[tuple[str, str, tuple[str, ...], str], ...]


def served(table: Table) -> dict[str, tuple[str, ...]]:
    return {
        f"{name}_total" if kind == "counter" else name: labels for name, kind, labels, _ in table
    }


def test_what_is_promised_is_served() -> None:
    of_clusters = served(METRICS)
    assert {name: of_clusters.get(name) for name in PROMISED} == PROMISED


def test_the_build_is_served_without_a_cluster() -> None:
    assert "pitr_build_info" in served(OWN_METRICS)


def test_backups_are_told_apart_by_the_promised_states() -> None:
    assert {state.value for state in BackupState} == {"restorable", "not_restorable", "unknown"}


def test_every_metric_keeps_to_the_rules() -> None:
    for name, kind, labels, help_text in METRICS:
        assert name.startswith("pitr_")
        assert not name.endswith("_total"), "the client adds it"
        assert set(labels) <= LABELS, name
        assert help_text.endswith("."), name
        if "timestamp" in name:
            assert name.endswith("_timestamp_seconds"), name
            assert kind == "gauge", name
    names = [row[0] for row in (*METRICS, *OWN_METRICS)]
    assert len(names) == len(set(names))


def test_labels_of_the_configuration_are_on_one_series_alone() -> None:
    config = Config.model_validate(
        {
            "classes": {"gold": {"window": "7d"}},
            "clusters": [
                {"name": "a", "log": "/x", "class": "gold", "labels": {"team": "payments"}},
                {"name": "b", "log": "/y"},
            ],
        }
    )
    registry = CollectorRegistry()
    made = [WatchedCluster(each, {}) for each in config.resolved()]
    registry.register(ClusterCollector(made))
    served_now = list(text_string_to_metric_families(generate_latest(registry).decode()))
    (info,) = (each for each in served_now if each.name == "pitr_cluster_info")
    assert [(sample.labels, sample.value) for sample in info.samples] == [
        ({"cluster": "a", "protection_class": "gold", "team": "payments"}, 1.0),
        ({"cluster": "b", "protection_class": ""}, 1.0),
    ]
    others = [each for each in served_now if each is not info]
    assert any(sample.labels["cluster"] == "a" for each in others for sample in each.samples)
    assert not [
        s for each in others for s in each.samples if {"team", "protection_class"} & s.labels.keys()
    ]
    for cluster in made:
        cluster.close()


def test_the_page_has_them() -> None:
    """Also before anything was read: each with its help and type."""
    registry = CollectorRegistry()
    registry.register(ClusterCollector([]))
    registry.register(OwnCollector(Notifier(AlertMemory(None)), Reloads(), None, Refusals()))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    there = {f"{each.name}_total" if each.type == "counter" else each.name for each in families}
    assert there == served(METRICS).keys() | served(OWN_METRICS).keys()
    assert PROMISED.keys() <= there
