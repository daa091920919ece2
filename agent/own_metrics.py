"""Metrics about the agent itself, without a cluster: who was told of alerts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agent.notify.notifier import Notifier

_RECEIVER: Final = ("receiver",)


class OwnCollector(Collector):
    """Renders what the agent's parts count."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier

    def collect(self) -> Iterable[Metric]:
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
