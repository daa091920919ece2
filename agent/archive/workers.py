"""What reads segments: threads beside the compiled engine, worker processes for the numpy one.

The compiled engine reads without the interpreter's lock, so threads are as fast as processes, start
at once and share one memory. A read that hangs keeps its thread, and nothing waits for that, not
even the end of the process. Processes give what threads cannot: a crash in native code ends one of
them and not the program (see `agent.daemon.crash_marker` for the other case).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import BrokenExecutor, Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Protocol

from agent.engine import running
from rules.model.counted import counted

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

__all__ = ["BrokenExecutor", "NoWorkers", "StillHangs", "Workers", "new_workers"]

THREAD_NAME: Final = "segments"
_FAREWELL_SECONDS: Final = 2.0  # how long the thread that minds ended workers gets to end itself
_MOST_HUNG: Final = 4


class StillHangs(Exception):
    """A read that was given up has not come back: nothing further is begun."""


class NoWorkers(BrokenExecutor):
    """Nothing is there to read segments, nor will be in this round. One line for a person."""


class Workers(Protocol):
    """There while they are needed; `close` may be called at any time, and then `submit` again."""

    @property
    def count(self) -> int:
        """How many calls they make at once, as far as is known by now."""

    @property
    def described(self) -> str:
        """Who they are, for a person."""

    def submit(self, subject: Hashable, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Have a call made about a file. Raises NoProcess, BrokenExecutor and StillHangs."""

    def close(self) -> None:
        """Give up what is still going on."""


def new_workers(count: int) -> Workers:
    """Workers for the engine that reads segments here."""
    return Threads(count) if running() == "c" else Processes(count)


class Threads:
    """Daemon threads, unlike those of concurrent.futures: the process ends though one hangs."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._threads: list[_Thread] = []
        self._given_up: list[_Thread] = []
        self._queue: SimpleQueue[_Call | None] = SimpleQueue()

    @property
    def described(self) -> str:
        return counted(self.count, "thread")

    def submit(self, subject: Hashable, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        self._given_up = [thread for thread in self._given_up if thread.is_alive()]
        hung = [thread.subject for thread in self._given_up if thread.subject is not None]
        if subject in hung or len(hung) >= _MOST_HUNG:
            raise StillHangs
        todo = _Call(subject, call, arguments)
        self._queue.put(todo)
        if len(self._threads) < self.count:
            thread = _Thread(self._queue)
            self._threads.append(thread)
            thread.start()
        return todo.future

    def close(self) -> None:
        threads, self._threads = self._threads, []
        queue, self._queue = self._queue, SimpleQueue()
        with suppress(Empty):
            while todo := queue.get_nowait():
                todo.future.cancel()
        for _ in threads:
            queue.put(None)
        self._given_up += threads


class _Call:
    """One call that waits for a thread."""

    def __init__(self, subject: Hashable, call: Callable[..., Any], arguments: Any) -> None:
        self.subject = subject
        self.future: Future[Any] = Future()
        self._call, self._arguments = call, arguments

    def make(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self._call(*self._arguments)
        except BaseException as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class _Thread(threading.Thread):
    """Makes one call after another."""

    def __init__(self, queue: SimpleQueue[_Call | None]) -> None:
        super().__init__(name=THREAD_NAME, daemon=True)
        self._queue = queue
        self.subject: Hashable | None = None  # of the call that is being made

    def run(self) -> None:
        while (todo := self._queue.get()) is not None:
            self.subject = todo.subject
            todo.make()
            self.subject = None
            del todo  # and what it holds: the next one may be long in coming


class Processes:
    """Processes from a fork server: the parent has threads and libpq connections."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool: ProcessPoolExecutor | None = None

    @property
    def described(self) -> str:
        return counted(self.count, "worker")

    def submit(self, subject: Hashable, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        from functools import partial

        from agent.processes import new_pool, starting
        from agent.store.urls import adopt, remembered

        if self._pool is None:
            preload = ("agent.archive.readings", "parsers.wal.scan_columns")
            self._pool = new_pool(self.count, preload, partial(adopt, remembered()))
        with starting():
            return self._pool.submit(call, *arguments)

    def close(self) -> None:
        """End the workers, busy or not, and wait a moment for the thread that minds them.

        An interpreter that ends while that thread closes its pipe would write to the pipe.
        """
        pool, self._pool = self._pool, None
        if pool is None:
            return
        processes = list((pool._processes or {}).values())
        minder: threading.Thread | None = pool._executor_manager_thread  # type: ignore[assignment]
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        if minder is not None:
            minder.join(_FAREWELL_SECONDS)
