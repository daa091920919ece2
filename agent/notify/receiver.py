"""What every receiver of notifications is, and the two ways in which it does not take one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rules.alerting.notifications import Notification


class NotTaken(Exception):
    """It did not work this time: it is tried again. One line, without secrets."""


class DeliveryRefused(Exception):
    """The receiver will never take this one: it is dropped, loudly. One line, without secrets."""


class Receiver(Protocol):
    """Somebody who is told. `deliver` blocks, and runs on a thread of the receiver's own."""

    kind: str  # alertmanager, webhook, command
    identity: str  # what is still to be told is remembered under it; no secret in it
    where: str  # for a person; no secret in it
    timeout_seconds: float
    repeat_seconds: float | None  # told of all that fires so often; None: only of changes

    def deliver(self, notifications: Sequence[Notification]) -> None:
        """Hand them over. Raises NotTaken, Refused."""

    def close(self) -> None:
        """Let go of what it holds."""
