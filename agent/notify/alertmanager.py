"""Prometheus' Alertmanager, by its API version 2 (api/v2/openapi.yaml: postableAlerts).

As Prometheus itself does (rules/manager.go, sendAlerts): all that fires is sent again every minute
with an end four minutes ahead, so that it ends by itself should the agent be gone for good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from agent.notify.http import Endpoint
from rules.alerting.notifications import Notification

_REPEAT_SECONDS: Final = 60.0
_VALID_FOR: Final = timedelta(seconds=4 * _REPEAT_SECONDS)


class Alertmanager:
    """Told of everything that fires, again and again; it does the deduplication."""

    kind = "alertmanager"

    def __init__(
        self,
        url: str,
        timeout_seconds: float,
        *,
        labels: Mapping[str, str],
        ca_file: Path | None = None,
        repeat_seconds: float | None = None,
    ) -> None:
        self._endpoint = Endpoint(f"{url.rstrip('/')}/api/v2/alerts", timeout_seconds, ca_file)
        self.identity = f"{self.kind}-{self._endpoint.digest}"
        self.where = self._endpoint.where
        self.timeout_seconds = timeout_seconds
        self.repeat_seconds: float | None = repeat_seconds or _REPEAT_SECONDS
        self._labels = labels

    def deliver(self, notifications: Sequence[Notification]) -> None:
        """Post them in one list. Raises NotTaken, Refused."""
        now = datetime.now(UTC)
        self._endpoint.post([self._postable(n, now) for n in notifications])

    def close(self) -> None:
        self._endpoint.close()

    def _postable(self, notification: Notification, now: datetime) -> dict[str, Any]:
        ends_at = notification.ends_at or now + _VALID_FOR
        return {
            "labels": {**self._labels, **notification.labels},
            "annotations": dict(notification.annotations),
            "startsAt": notification.starts_at.isoformat(),
            "endsAt": ends_at.isoformat(),
        }
