"""Metrics about the agent itself, without a cluster: its build and configuration, who was told."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agent import __version__
from agent.notify.notifier import Notifier

_RECEIVER: Final = ("receiver",)


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
        yield _build_info()
        yield GaugeMetricFamily(
            "pitr_config_last_reload_successful",
            "1 if the configuration in the file is the one that runs, as of the last attempt.",
            value=float(self._reloads.successful),
        )
        yield GaugeMetricFamily(
            "pitr_config_last_reload_success_timestamp_seconds",
            "When the configuration that runs was read.",
            value=self._reloads.succeeded_at,
        )
        yield from self._notifications()

    def _notifications(self) -> Iterable[Metric]:
        delivered = CounterMetricFamily(
            "pitr_notifications", "Notifications that the receiver took.", labels=_RECEIVER
        )
        failed = CounterMetricFamily(
            "pitr_notifications_failed",
            "Attempts that the receiver did not take.",
            labels=_RECEIVER,
        )
        waiting = GaugeMetricFamily(
            "pitr_notifications_waiting", "Notifications that wait for it.", labels=_RECEIVER
        )
        for delivery in self._notifier.deliveries:
            delivered.add_metric([delivery.name], delivery.delivered_count)
            failed.add_metric([delivery.name], delivery.failed_count)
            waiting.add_metric([delivery.name], delivery.waiting_count)
        yield from (delivered, failed, waiting)


def _build_info() -> Metric:
    family = GaugeMetricFamily("pitr_build_info", "Always 1.", labels=("version", "python_version"))
    family.add_metric([__version__, platform.python_version()], 1)
    return family
