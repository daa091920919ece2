"""Metrics about the agent itself, without a cluster: its build and configuration, who was told."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from agent import __version__
from agent.exporter import Sample, make_family
from agent.notify.notifier import Notifier

# Name, kind, labels, help. The order is the order on the page.
OWN_METRICS: Final = (
    ("pitr_build_info", "gauge", ("version", "python_version"), "Always 1."),
    (
        "pitr_config_last_reload_successful",
        "gauge",
        (),
        "1 if the last attempt to read the configuration succeeded: what is in the file runs.",
    ),
    (
        "pitr_config_last_reload_success_timestamp_seconds",
        "gauge",
        (),
        "When the configuration that runs was read.",
    ),
    ("pitr_notifications", "counter", ("receiver",), "Notifications that the receiver took."),
    (
        "pitr_notifications_failed",
        "counter",
        ("receiver",),
        "Attempts that the receiver did not take.",
    ),
    ("pitr_notifications_waiting", "gauge", ("receiver",), "Notifications that wait for it."),
)


class Reloads:
    """What became of the configuration: the start counts as the first success."""

    def __init__(self) -> None:
        self.successful = True
        self.succeeded_at = time.time()

    def succeeded(self) -> None:
        self.successful, self.succeeded_at = True, time.time()

    def failed(self) -> None:
        self.successful = False


class OwnCollector(Collector):
    """Renders what the agent's parts count."""

    def __init__(self, notifier: Notifier, reloads: Reloads) -> None:
        self._notifier = notifier
        self._reloads = reloads

    def collect(self) -> Iterable[Metric]:
        samples: dict[str, list[Sample]] = {
            "pitr_build_info": [((__version__, platform.python_version()), 1)],
            "pitr_config_last_reload_successful": [((), float(self._reloads.successful))],
            "pitr_config_last_reload_success_timestamp_seconds": [((), self._reloads.succeeded_at)],
        }
        for delivery in self._notifier.deliveries:
            for name, count in (
                ("pitr_notifications", delivery.delivered_count),
                ("pitr_notifications_failed", delivery.failed_count),
                ("pitr_notifications_waiting", delivery.waiting_count),
            ):
                samples.setdefault(name, []).append(((delivery.name,), count))
        for name, kind, labels, help_text in OWN_METRICS:
            family = make_family(name, kind, labels, help_text)
            for values, number in samples.get(name, ()):
                family.add_metric(values, number)
            yield family
