"""A generic webhook: one POST of JSON an alert, when it fires and when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent.notify.document import webhook_document
from agent.notify.http import Endpoint
from rules.alerting.notifications import Notification


class Webhook:
    """Told of each change once, or more than once where the answer was lost."""

    kind = "webhook"
    repeat_seconds: float | None = None

    def __init__(self, url: str, timeout_seconds: float, *, ca_file: Path | None = None) -> None:
        self._endpoint = Endpoint(url, timeout_seconds, ca_file)
        self.identity = f"{self.kind}-{self._endpoint.digest}"
        self.where = self._endpoint.where
        self.timeout_seconds = timeout_seconds

    def deliver(self, notifications: Sequence[Notification]) -> None:
        """Post each. Raises NotTaken, Refused."""
        for notification in notifications:
            self._endpoint.post(webhook_document(notification, self.kind))

    def close(self) -> None:
        self._endpoint.close()
