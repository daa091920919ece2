"""When a drill must be over. What still hangs then is abandoned, and named.

An NFS server that is gone, a FIFO without a writer and a query without an end hang the call
itself; nothing ends it from outside. Such calls run in daemon threads: the drill goes on to its end
without them, and they end with the process, or with the server that they ask.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from agent.durations import format_duration
from parsers.sentences import tr

_LOOK_SECONDS: Final = 0.25  # between two looks at the clock
_PATIENCE_SECONDS: Final = 5.0  # for what is not wanted any more

T = TypeVar("T")


class OutOfTime(Exception):
    """The time of a drill is over. One line: how long it was, and what was going on."""


class Deadline:
    """So many seconds, counted from now."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._ends_at = clock() + seconds

    def require(self, doing: Callable[[], str]) -> None:
        """Raise OutOfTime when it has passed; only then is `doing` asked what was going on."""
        if self._clock() >= self._ends_at:
            time = format_duration(self.seconds)
            raise OutOfTime(tr("out of time after {time}, {doing}", time=time, doing=doing()))

    def run(
        self,
        function: Callable[[], T],
        doing: Callable[[], str],
        abandon: Callable[[], None] | None = None,
    ) -> T:
        """The function's result, or what it raises; OutOfTime when it does not come back.

        `abandon` tells a function that its result is no longer wanted; it is given a moment to end.
        """
        call = Future[T]()
        threading.Thread(target=_settle, args=(call, function), daemon=True).start()
        try:
            while not _is_done(call, _LOOK_SECONDS):
                self.require(doing)
        except BaseException:  # an interruption is one too
            if abandon is not None:
                abandon()
                _is_done(call, _PATIENCE_SECONDS)
            raise
        return call.result()


def _is_done(call: Future[T], wait_seconds: float) -> bool:
    try:
        call.exception(wait_seconds)
    except TimeoutError:
        return False
    return True


def _settle(call: Future[T], function: Callable[[], T]) -> None:
    if not call.set_running_or_notify_cancel():
        return
    try:
        call.set_result(function())
    except BaseException as error:
        call.set_exception(error)


class Crew:
    """Daemon threads that do what they are given, in its order.

    An executor's threads are waited for when the interpreter ends, and one that hangs would keep it
    from ending.
    """

    def __init__(self, count: int, name: str) -> None:
        self._work = queue.SimpleQueue[Callable[[], None] | None]()
        self._threads = [
            threading.Thread(target=self._serve, name=name, daemon=True) for _ in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, function: Callable[[], T]) -> Future[T]:
        call = Future[T]()
        self._work.put(lambda: _settle(call, function))
        return call

    def dismiss(self) -> None:
        """Forget what was not begun, and give what was a moment to end."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._work.get_nowait()
        for _ in self._threads:
            self._work.put(None)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()
