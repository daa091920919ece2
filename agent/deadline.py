"""Blocking work with a deadline, and threads that can be abandoned.

A name server that does not answer, an NFS mount that is gone and a stopped server hang the call
itself; nothing can end it from outside. So each source has a Worker: one thread at a time, daemon,
abandoned when its deadline passes. Until it comes back by itself the source says that it hangs,
and no second thread joins it: what hangs costs one thread, never a pool that others share.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class DeadlinePassed(TimeoutError):
    """The work was not done in time, or an earlier one still hangs."""


class Worker:
    """Runs one blocking call at a time for one source."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._call: _Call[Any] | None = None

    @property
    def hangs(self) -> bool:
        """True while a call has not come back."""
        return self._call is not None and not self._call.returned

    async def run(self, timeout_seconds: float, function: Callable[[], T]) -> T:
        """Give the function's result. Raises DeadlinePassed, or what the function raised."""
        if self.hangs:
            raise DeadlinePassed("an earlier reading still hangs")
        call = _Call(asyncio.get_running_loop(), function)
        self._call = call
        threading.Thread(target=call.run, name=self._name, daemon=True).start()
        try:
            return await asyncio.wait_for(call.future, timeout_seconds)
        except TimeoutError:
            if call.future.cancelled():
                raise DeadlinePassed(f"no answer within {timeout_seconds:g} s") from None
            raise


class _Call(Generic[T]):
    """One call on its way through a thread, back to the loop that asked for it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, function: Callable[[], T]) -> None:
        self._loop = loop
        self._function = function
        self.future: asyncio.Future[T] = loop.create_future()
        self.returned = False

    def run(self) -> None:
        try:
            result = self._function()
        except BaseException as error:
            self._deliver(self.future.set_exception, error)
        else:
            self._deliver(self.future.set_result, result)

    def _deliver(self, setter: Callable[[Any], None], value: object) -> None:
        self.returned = True

        def deliver() -> None:
            if not self.future.done():  # cancelled: its deadline has passed
                setter(value)

        try:
            self._loop.call_soon_threadsafe(deliver)
        except RuntimeError:
            return  # the loop is closed: nothing waits for it any more
