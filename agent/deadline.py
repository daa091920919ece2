"""Blocking work with a deadline, and threads that can be abandoned.

A name server that does not answer, an NFS mount that is gone and a stopped server hang the call
itself; nothing can end it from outside. So each source has a Worker: one thread at a time, daemon,
abandoned when its deadline passes. Until it comes back by itself the source says that it hangs,
and no second thread joins it: what hangs costs one thread, never a pool that others share.

A thread that is done waits a while for the next call of any source: to start one costs more than
most calls do. One that hangs is not among those, and a source that finds none waiting starts one.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from time import monotonic
from typing import Any, Final, Generic, TypeVar

from parsers.sentences import tr
from parsers.values import dataclass

T = TypeVar("T")

_WAITING_MOST: Final = 16  # threads without a call


class DeadlinePassed(TimeoutError):
    """The work was not done in time, or an earlier one still hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Called(Generic[T]):
    """What became of one function. Either `result` or `error` counts."""

    began: float  # monotonic
    seconds: float
    result: T | None = None
    error: BaseException | None = None


class Worker:
    """Runs one blocking call at a time for one source."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._call: _Call[Any] | None = None

    @property
    def hangs(self) -> bool:
        """True while a call has not come back."""
        return self._call is not None and not self._call.returned

    @property
    def began(self) -> float:
        """When the function that is called just now was (monotonic); without one, now."""
        return self._call.began if self._call is not None else monotonic()

    async def run(self, timeout_seconds: float, function: Callable[[], T]) -> T:
        """Give the function's result. Raises DeadlinePassed, or what the function raised."""
        (outcome,) = await self.run_each(timeout_seconds, (function,))
        if outcome.error is not None:
            raise outcome.error
        return outcome.result  # type: ignore[return-value]  # what it returned, None too

    async def run_each(
        self, timeout_seconds: float, functions: Sequence[Callable[[], T]]
    ) -> list[Called[T]]:
        """Call one after the other, each with that deadline; what one raises ends no other.

        After one that hangs, no further one is called.
        """
        if self.hangs:
            return [_failed(tr("an earlier reading still hangs")) for _ in functions]
        self._call = call = _Call(asyncio.get_running_loop(), functions)
        _start(self._name, call.run)
        try:
            while not call.returned:
                left = call.began + timeout_seconds - monotonic()
                if left <= 0:
                    break
                await asyncio.wait((call.done,), timeout=left)
        finally:
            call.abandoned = True
            call.done.cancel()
            if call.returned:
                self._call = None  # nor what it gave
        outcomes, said = call.outcomes[:], tr("no answer within {n:g} s", n=timeout_seconds)
        while len(outcomes) < len(functions):
            outcomes.append(_failed(said, call.began))
            said = tr("an earlier reading still hangs")
        return outcomes


def _failed(said: str, began: float | None = None) -> Called[Any]:
    now = monotonic()
    began = now if began is None else began
    return Called(began=began, seconds=now - began, error=DeadlinePassed(said))


class _Call(Generic[T]):
    """Functions on their way through a thread, back to the loop that asked for them."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, functions: Sequence[Callable[[], T]]
    ) -> None:
        self._loop = loop
        self._functions = functions
        self.done: asyncio.Future[None] = loop.create_future()
        self.began = monotonic()  # of the function that is called just now
        self.outcomes: list[Called[T]] = []
        self.abandoned = False
        self.returned = False

    def run(self) -> None:
        for function in self._functions:
            if self.abandoned:
                break
            self.began = began = monotonic()
            try:
                result = function()
            except BaseException as error:
                outcome: Called[T] = Called(began=began, seconds=monotonic() - began, error=error)
            else:
                outcome = Called(began=began, seconds=monotonic() - began, result=result)
            self.outcomes.append(outcome)
        self.returned = True
        try:
            self._loop.call_soon_threadsafe(self._wake)
        except RuntimeError:
            return  # the loop is closed: nothing waits for it any more

    def _wake(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


# -- threads -------------------------------------------------------------------------------------

_Work = tuple[str, Callable[[], None]]  # the thread's name meanwhile, and what it does

_waiting: Final[deque[SimpleQueue[_Work]]] = deque()


def _start(name: str, work: Callable[[], None]) -> None:
    try:
        calls = _waiting.pop()
    except IndexError:
        calls = SimpleQueue()
        threading.Thread(target=_serve, args=(calls,), name=name, daemon=True).start()
    calls.put((name, work))


def _serve(calls: SimpleQueue[_Work]) -> None:
    thread = threading.current_thread()
    while True:
        thread.name, work = calls.get()
        work()
        del work  # and all that it holds
        if len(_waiting) >= _WAITING_MOST:
            return
        _waiting.append(calls)
