"""Ctrl-C, SIGTERM and a closed terminal end servers of ours in order, never in mid-start.

A server whose pg_ctl is killed while it starts would be left running: such moments are held,
and the interruption arrives right after.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Turns the three signals into KeyboardInterrupt while it is entered."""

    def __init__(self, *, once: bool = False) -> None:
        self._once = once  # a second one does not disturb the cleaning up after the first
        self._held = 0
        self._pending = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Interruption:
        self._before = {number: signal.signal(number, self._arrive) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _arrive(self, number: int, frame: FrameType | None) -> None:
        if self._held:
            self._pending = True
        else:
            self._held += self._once
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let an interruption wait until the end of this block."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
        if self._pending and not self._held:
            self._pending = False
            raise KeyboardInterrupt

    def ignore(self) -> None:
        """From now on nothing interrupts: what was begun is being cleaned up."""
        self._held += 1
