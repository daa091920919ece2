"""Alerts on their way to everybody who is to be told of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote_plus

from agent.config.alerts import AlertsConfig
from agent.language import say
from agent.notify.delivery import Delivery
from agent.notify.memory import AlertMemory
from agent.notify.registry import make_receivers
from parsers.sentences import tr
from rules.alerting.links import AlertLinks
from rules.alerting.notifications import Notification, firing, newly_told, notify_of
from rules.alerting.state import Alert, Alerts, AlertState
from rules.verdict.check import Check

log: Final = logging.getLogger("pitr.notify")

_SAVE_SECONDS: Final = 10.0  # how often what could not be written is tried again


class Notifier:
    """Remembers what alerts do, and has each receiver told. Belongs to the event loop."""

    def __init__(self, memory: AlertMemory) -> None:
        self._memory = memory
        self._checks: Mapping[str, Check] = {}
        self._config = AlertsConfig()
        self.deliveries: list[Delivery] = []
        self._tasks: list[asyncio.Task[None]] = []

    def configure(self, config: AlertsConfig, checks: Mapping[str, Check]) -> None:
        """Tell these receivers from now on; one that is new hears what fires already."""
        self._checks = checks
        unchanged = config.notify == self._config.notify and self.deliveries
        self._config = config
        if unchanged:
            return
        self._stop()
        receivers = make_receivers(config.notify)
        self.deliveries = [
            Delivery(receiver, name, self._memory, self._standing)
            for name, receiver in receivers.items()
        ]
        identities = [receiver.identity for receiver in receivers.values()]
        self._memory.forget_receivers_but(identities)
        for identity in identities:
            if not self._memory.knows(identity):
                self._memory.add(identity, self._firing())
        self._memory.save()
        self._tasks = [asyncio.ensure_future(delivery.run()) for delivery in self.deliveries]

    def advanced(self, cluster: str, before: Alerts, after: Alerts) -> None:
        """A cluster was judged."""
        told = [self._notification(cluster, alert) for alert in newly_told(before, after)]
        self._memory.keep(cluster, after)
        self._tell(told)

    def forget_clusters_but(self, watched: set[str]) -> None:
        """Clusters that are watched no more: what fired there is over for whoever was told."""
        now = datetime.now(UTC)
        for cluster in set(self._memory.clusters) - watched:
            alerts = firing(self._memory.alerts_of(cluster))
            self._memory.forget(cluster)
            over = [
                replace(a, state=AlertState.RESOLVED, resolved_at=now, summaries=(_NO_MORE,))
                for a in alerts
            ]
            self._tell([self._notification(cluster, a) for a in over if a.id in self._checks])

    async def run(self) -> None:
        """Write what could not be written at once, until cancelled."""
        while True:
            await asyncio.sleep(_SAVE_SECONDS)
            self._memory.save()

    def close(self) -> None:
        """Stop notifying; what was not told is remembered, if there is a file."""
        for delivery in self.deliveries:
            if delivery.waiting_count and not self._memory.lasts:
                log.warning("%s: %d not told, and lost", delivery.name, delivery.waiting_count)
        self._stop()

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for delivery in self.deliveries:
            delivery.close()

    def _tell(self, notifications: list[Notification]) -> None:
        if notifications:
            for delivery in self.deliveries:
                self._memory.add(delivery.receiver.identity, notifications)
        self._memory.save()  # before anybody is told: a kill in between tells twice, never not
        if notifications:
            for delivery in self.deliveries:
                delivery.wake()

    def _standing(self) -> list[Notification]:
        """What fires, and what ended a short while ago, of all clusters."""
        return [
            self._notification(cluster, alert)
            for cluster in self._memory.clusters
            for alert in self._memory.alerts_of(cluster).values()
            if alert.state is not AlertState.PENDING and alert.id in self._checks
        ]

    def _firing(self) -> list[Notification]:
        return [notification for notification in self._standing() if not notification.resolved]

    def _notification(self, cluster: str, alert: Alert) -> Notification:
        links = AlertLinks(
            runbooks_url=self._config.runbooks_url.rstrip("/"),
            grafana_url=self._config.grafana_url.rstrip("/"),
        )
        check = self._checks[alert.id]
        made = notify_of(cluster, alert, check, links, quoted_cluster=quote_plus(cluster))
        return replace(made, annotations={n: say(text) for n, text in made.annotations.items()})


_NO_MORE: Final = tr("The cluster is watched no more.")
