"""One receiver's queue on its way out: its own thread, its own deadline, its own patience.

What a receiver did not take stays remembered and is tried again, after a second, two, four, up to
a minute. Its order is kept. A receiver that hangs or is gone delays neither a reading nor another
receiver.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final

from agent.deadline import DeadlinePassed, Worker
from agent.notify.memory import AlertMemory
from agent.notify.receiver import DeliveryRefused, NotTaken, Receiver
from rules.alerting.notifications import Notification

log: Final = logging.getLogger("pitr.notify")

_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 60.0
_GRACE_SECONDS: Final = 5.0  # after the receiver's own timeout: a name server may hang


class Delivery:
    """Tells one receiver, until cancelled. Its numbers are metrics."""

    def __init__(
        self,
        receiver: Receiver,
        name: str,
        memory: AlertMemory,
        standing: Callable[[], list[Notification]],
    ) -> None:
        self.name = name  # the metrics' label
        self.delivered_count = 0
        self.failed_count = 0  # attempts
        self.receiver = receiver
        self._memory = memory
        self._standing = standing  # what fires now, and what has just ended
        self._worker = Worker(f"notify/{name}")
        self._woken = asyncio.Event()
        self._error: str | None = None
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        self._not_before = 0.0  # monotonic
        self._repeat_at = 0.0  # monotonic

    @property
    def waiting_count(self) -> int:
        return len(self._memory.waiting(self.receiver.identity))

    def wake(self) -> None:
        """There may be something to tell."""
        self._woken.set()

    async def run(self) -> None:
        """Tell what waits, again and again."""
        while True:
            self._woken.clear()
            if monotonic() >= self._not_before:
                await self._tell()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self._rest_seconds())
            if (early := self._not_before - monotonic()) > 0:
                await asyncio.sleep(early)

    def close(self) -> None:
        if not self._worker.hangs:
            self.receiver.close()

    def _rest_seconds(self) -> float | None:
        """Until something is due by itself; None: nothing is."""
        dues = []
        if self.waiting_count:
            dues.append(self._not_before)
        if self.receiver.repeat_seconds is not None:
            dues.append(max(self._repeat_at, self._not_before))
        return max(0.0, min(dues) - monotonic()) if dues else None

    async def _tell(self) -> None:
        waiting = self._memory.waiting(self.receiver.identity)
        if self.receiver.repeat_seconds is not None:
            await self._tell_all(waiting, self.receiver.repeat_seconds)
            return
        for sequence, notification in waiting.items():
            if not await self._hand_over([notification], [sequence]):
                return

    async def _tell_all(self, waiting: Mapping[int, Notification], repeat_seconds: float) -> None:
        """One list of all alerts, each as it stands now."""
        if not waiting and monotonic() < self._repeat_at:
            return
        latest = {tuple(n.labels.items()): n for n in (*waiting.values(), *self._standing())}
        if not latest or await self._hand_over(list(latest.values()), list(waiting)):
            self._repeat_at = monotonic() + repeat_seconds

    async def _hand_over(self, notifications: list[Notification], sequences: list[int]) -> bool:
        """Whether the receiver is done with these: it took them, or never will."""
        seconds = self.receiver.timeout_seconds + _GRACE_SECONDS
        try:
            await self._worker.run(seconds, lambda: self.receiver.deliver(notifications))
        except DeliveryRefused as error:
            self.failed_count += 1
            log.error("%s: %s: dropped: %s", self.name, error, _named(notifications))
        except NotTaken as error:
            self._failed(str(error))
            return False
        except DeadlinePassed as error:
            self._failed(f"{self.receiver.where}: {error}")
            return False
        except Exception as error:  # the boundary of a job: said, and tried again
            self._failed(f"{self.receiver.where}: {_reason(error)}")
            return False
        else:
            self._worked(len(notifications))
        self._memory.told(self.receiver.identity, sequences)
        self._memory.save()
        return True

    def _failed(self, reason: str) -> None:
        self.failed_count += 1
        if self._error != reason:
            log.warning("%s: %s: %d waiting, tried again", self.name, reason, self.waiting_count)
        self._error = reason
        self._not_before = monotonic() + self._pause_seconds
        self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)

    def _worked(self, count: int) -> None:
        if self._error is not None:
            log.info("%s: %s: works again", self.name, self.receiver.where)
        self._error, self._pause_seconds = None, _FIRST_PAUSE_SECONDS
        self.delivered_count += count


def _reason(error: Exception) -> str:
    """Of an unforeseen error: its text might hold a secret, that of an errno does not."""
    errno_text = error.strerror if isinstance(error, OSError) else None
    return f"{type(error).__name__}: {errno_text}" if errno_text else type(error).__name__


def _named(notifications: list[Notification]) -> str:
    return ", ".join(f"{n.labels['alertname']} of {n.labels['cluster']}" for n in notifications)
