"""Metrics about the agent itself, without a cluster: its build and configuration, who was told."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from agent import __version__
from agent.engine import running
from agent.monitor.exporter import Sample, make_family
from agent.notify.notifier import Notifier
from agent.web.refusals import REASONS, Refusals
from rules.model.evidence import EngineCrashFacts

# Name, kind, labels, help. The order is the order on the page.
OWN_METRICS: Final = (
    ("pitr_build_info", "gauge", ("version", "python_version"), "Always 1."),
    (
        "pitr_wal_engine_info",
        "gauge",
        ("engine",),
        "Always 1. The engine that reads segments: c, or numpy where that is not built or crashed.",
    ),
    (
        "pitr_native_crash_timestamp_seconds",
        "gauge",
        (),
        "When a crash in native code ended the agent; absent: none is known.",
    ),
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
    ("pitr_http_connections", "gauge", (), "Connections to the agent that are open."),
    (
        "pitr_http_refused",
        "counter",
        ("reason",),
        "Connections and requests that the agent refused, or ended: "
        + "; ".join(f"`{reason}`: {what}" for reason, what in REASONS.items())
        + ".",
    ),
    (
        "pitr_http_accept_errors",
        "counter",
        (),
        "Errors of accept(), of which the log tells once a minute.",
    ),
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

    def __init__(
        self,
        notifier: Notifier,
        reloads: Reloads,
        crash: EngineCrashFacts | None,
        refusals: Refusals,
    ) -> None:
        self._refusals = refusals
        self._notifier = notifier
        self._reloads = reloads
        self._crash = crash

    def collect(self) -> Iterable[Metric]:
        samples: dict[str, list[Sample]] = {
            "pitr_build_info": [((__version__, platform.python_version()), 1)],
            "pitr_config_last_reload_successful": [((), float(self._reloads.successful))],
            "pitr_config_last_reload_success_timestamp_seconds": [((), self._reloads.succeeded_at)],
        }
        samples["pitr_http_connections"] = [((), self._refusals.connection_count)]
        samples["pitr_http_accept_errors"] = [((), self._refusals.accept_error_count)]
        samples["pitr_http_refused"] = [
            ((reason,), count) for reason, count in self._refusals.by_reason.items()
        ]
        samples["pitr_wal_engine_info"] = [((running(),), 1)]
        if self._crash is not None:
            crashed = self._crash.crashed_at.timestamp()
            samples["pitr_native_crash_timestamp_seconds"] = [((), crashed)]
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
