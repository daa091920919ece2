"""The connection to a scheduler, in a thread of its own: asking, losing it, finding it again.

Dask places what is asked, moves it when a worker ends, and gives it up when it has ended several.
What Dask leaves open is settled here: a scheduler that says nothing any more, one that has no
workers, one that came back, and workers that run other code than this.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import threading
import uuid
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar

from agent.archive.unreadable import Unreadable
from agent.archive.workers import NoWorkers
from agent.dask_scan.address import MISSING
from agent.dask_scan.answering import Errand
from agent.dask_scan.words import (
    Answer,
    Present,
    Refused,
    decode_answer,
    encode_question,
    in_one_line,
)
from parsers.errors import ParseError
from parsers.sentences import message_of, tr

if TYPE_CHECKING:
    from distributed import Client

T = TypeVar("T")

_LOOK_SECONDS: Final = 2.0
_FAREWELL_SECONDS: Final = 2.0
_TRIES: Final = 10  # of one question, where a scheduler comes and goes or workers are refused
_TIMEOUT: Final = "distributed.comm.timeouts.connect"  # how long a silent scheduler is waited for
_WORKERS_TIMEOUT: Final = "distributed.scheduler.no-workers-timeout"


class SchedulerLink:
    """One scheduler, asked by any thread. Closed, it is of no use any more."""

    def __init__(self, address: str, complain: Callable[[str], None]) -> None:
        self._address = address
        self._complain = complain
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._lock, self._roll = asyncio.Lock(), asyncio.Lock()
        self._asking: set[asyncio.Task[Any]] = set()
        self._connection: _Connection | None = None
        self._failure: NoWorkers | None = None  # and nothing is tried again
        self._refused: dict[str, str] = {}  # workers, and why
        self._thread = threading.Thread(target=self._run, name="dask", daemon=True)
        self._thread.start()

    @property
    def workers(self) -> dict[str, int]:
        """Those that are asked, and how many calls each makes at once."""
        there = self._connection.threads if self._connection else {}
        return {name: threads for name, threads in there.items() if name not in self._refused}

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Have something done in the thread of this link, where `ask` may be called."""
        return asyncio.run_coroutine_threadsafe(self._tracked(work), self._loop)

    def close(self, *, wait: bool) -> None:
        """Cancel what was asked, and perhaps wait a moment until the scheduler has been told."""
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_FAREWELL_SECONDS if wait else 0)

    async def ask(self, asked: bytes) -> Answer:
        """Give what some worker answered. Raises NoWorkers, Unreadable."""
        for _ in range(_TRIES):
            answer = await self._ask_once(await self._connected(), asked)
            if answer is not None:
                return answer
        raise Unreadable(
            tr(
                "{address}: it was asked {tries} times, and no worker answered",
                address=self._address,
                tries=_TRIES,
            )
        )

    # -- how -------------------------------------------------------------------------------------

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        await self._stop.wait()
        for task in self._asking:
            task.cancel()
        if self._connection is not None:
            await self._connection.close()

    async def _tracked(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.current_task()
        assert task is not None, "it runs in the loop"
        self._asking.add(task)
        try:
            return await work
        finally:
            self._asking.discard(task)

    async def _connected(self) -> _Connection:
        async with self._lock:
            if self._failure is not None:
                raise self._failure
            if self._connection is not None:
                if not self._connection.lost.is_set():
                    return self._connection
                await self._connection.close()
            try:
                self._connection = await _Connection.to(self._address)
            except NoWorkers as failure:
                self._failure = failure
                raise
            self._connection.watched = asyncio.create_task(self._watch(self._connection))
            return self._connection

    async def _ask_once(self, connection: _Connection, asked: bytes) -> Answer | None:
        """None: it is to be asked again, of another scheduler or other workers."""
        from distributed import KilledWorker

        while self._refused and not self.workers:  # `_watch` ends this, or a worker comes
            if await connection.is_lost_within(_LOOK_SECONDS):
                return None
        refused, allowed = frozenset(self._refused), frozenset(self.workers)
        try:
            answer = decode_answer(await connection.ask(asked, allowed if refused else None))
        except _Lost:
            return None
        except KilledWorker as killed:
            last = getattr(killed.last_worker, "address", "?")
            raise Unreadable(
                tr(
                    "several workers of {address} ended while they read it, {last} the last",
                    address=self._address,
                    last=last,
                )
            ) from None
        except ParseError as error:
            why = error.message
        except Exception as error:  # of a worker that has not our code, or of Dask
            why = in_one_line(f"{type(error).__name__}: {error}")
        else:
            if not isinstance(answer, Refused):
                return answer
            why = tr("it runs {runs}", runs=answer.runs)
        if await self._call_the_roll(connection, refused):
            return None
        raise Unreadable(tr("a worker of {address}: {why}", address=self._address, why=why))

    async def _call_the_roll(self, connection: _Connection, known: frozenset[str]) -> bool:
        """Ask each worker whether it runs our code; tell whether one is refused beside `known`."""
        async with self._roll:
            if self._refused.keys() - known:
                return True  # somebody has called it meanwhile
            named = list(self.workers)
            found = await asyncio.gather(*(self._reason(connection, name) for name in named))
            for name, why in zip(named, found, strict=True):
                if why is not None:
                    self._complain(tr("worker {name} is not asked: {why}", name=name, why=why))
                    self._refused[name] = why
            return bool(self._refused.keys() - known)

    async def _reason(self, connection: _Connection, worker: str) -> str | None:
        """Why a worker cannot be asked; None: it can be, or does not say."""
        try:
            answer = decode_answer(await connection.ask_one(worker, encode_question(None)))
        except (OSError, TimeoutError):
            return None  # Dask knows what to do with it
        except ParseError as error:
            return error.message
        except Exception as error:
            return in_one_line(f"{type(error).__name__}: {error}")
        if isinstance(answer, Refused):
            return tr("it runs {runs}", runs=answer.runs)
        return None if isinstance(answer, Present) else tr("it answers what was not asked")

    async def _watch(self, connection: _Connection) -> None:
        """Lose a scheduler that says nothing, and give up one that has had no workers for long."""
        had_workers_at = monotonic()
        while not connection.lost.is_set():
            await connection.look()
            if self.workers:
                had_workers_at = monotonic()
            elif monotonic() - had_workers_at > _seconds(_WORKERS_TIMEOUT, _seconds(_TIMEOUT)):
                self._failure = NoWorkers(self._why_none(connection.threads))
                connection.lost.set()
            await asyncio.sleep(_LOOK_SECONDS)

    def _why_none(self, there: Iterable[str]) -> str:
        refused = [
            tr("{name}: {why}", name=name, why=self._refused[name])
            for name in there
            if name in self._refused
        ]
        if not refused:
            return tr("the scheduler {address} has no workers", address=self._address)
        return tr(
            "the scheduler {address} has no workers that run this code ({worker})",
            address=self._address,
            worker=refused[0],
        )


class _Lost(Exception):
    """The connection, or all workers that were allowed."""


class _Connection:
    """One client of Dask, as long as its scheduler is there."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.lost = asyncio.Event()
        self.threads: dict[str, int] = {}  # of each worker
        self.watched: asyncio.Task[None] | None = None

    @classmethod
    async def to(cls, address: str) -> _Connection:
        """Raises NoWorkers."""
        try:
            from distributed import Client
        except ImportError:
            raise NoWorkers(tr("{address}: {why}", address=address, why=MISSING)) from None
        for name in ("distributed", "distributed.client"):  # what fails is said by us
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            client = Client(address, asynchronous=True, set_as_default=False)
            await _begin(client)
        except OSError as error:
            raise NoWorkers(
                tr("no scheduler answers at {address}: {why}", address=address, why=_root_of(error))
            ) from None
        except Exception as error:  # of its configuration
            raise NoWorkers(
                tr("{address}: {why}", address=address, why=in_one_line(str(error)))
            ) from None
        connection = cls(client)
        await connection.look()
        return connection

    async def is_lost_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.lost.wait(), seconds)
        return self.lost.is_set()

    async def ask(self, asked: bytes, allowed: frozenset[str] | None) -> object:
        """Give one answer; None: of any worker. Raises _Lost, or what Dask raises."""
        future = self._client.submit(
            pickle.loads, pickle.dumps(Errand(asked)), key=f"pitr-{uuid.uuid4().hex}",
            pure=False, workers=sorted(allowed) if allowed else None,
        )  # fmt: skip
        answer = asyncio.ensure_future(future.result())
        lost = asyncio.ensure_future(self.lost.wait())
        try:
            while not answer.done():
                await asyncio.wait(
                    {answer, lost}, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                if lost.done() or (allowed and allowed.isdisjoint(self.threads)):
                    raise _Lost
            return answer.result()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if future.cancelled() or _is_of_the_way(error):
                self.lost.set()
                raise _Lost from None
            raise
        finally:
            answer.cancel()
            lost.cancel()
            future.release()

    async def ask_one(self, worker: str, asked: bytes) -> object:
        """Give the answer of this one, at once. Raises whatever it raised, OSError."""
        call = self._client.run(
            pickle.loads, pickle.dumps(Errand(asked)), workers=[worker], on_error="return"
        )
        found = (await asyncio.wait_for(call, _seconds(_TIMEOUT))).get(worker)
        if isinstance(found, BaseException):
            raise found
        return found

    async def look(self) -> None:
        """Who is there; a scheduler that does not say is lost."""
        try:
            asked = self._client.nthreads()
            self.threads = dict(await asyncio.wait_for(asked, _seconds(_TIMEOUT)))
        except (OSError, TimeoutError, RuntimeError):
            self.lost.set()

    async def close(self) -> None:
        if self.watched is not None:
            self.watched.cancel()
        await _part_from(self._client)


def _root_of(error: BaseException) -> str:
    """What Dask's errors are about, which name its own objects."""
    while error.__cause__ is not None:
        error = error.__cause__
    return in_one_line(
        getattr(error, "strerror", None) or message_of(error) or type(error).__name__
    )


async def _begin(client: Client) -> None:
    """Raises OSError, or what its configuration is wrong in."""
    # Its own timeout is over once a scheduler has taken the connection.
    patience = 2 * _seconds(_TIMEOUT)
    begun = asyncio.ensure_future(client)
    try:
        done, _ = await asyncio.wait({begun}, timeout=patience)
        if not done:
            raise OSError(tr("it says nothing for {seconds:g} s", seconds=patience))
        begun.result()
    except BaseException:
        begun.cancel()
        await _part_from(client)
        raise


async def _part_from(client: Client) -> None:
    """Close it, and wait for that no longer than a moment, whatever holds it up."""
    closing = asyncio.ensure_future(client.close(_FAREWELL_SECONDS))
    await asyncio.wait({closing}, timeout=_FAREWELL_SECONDS)
    if not closing.cancel() and not closing.cancelled():
        closing.exception()


def _is_of_the_way(error: Exception) -> bool:
    """Whether it is not the task that failed."""
    from distributed.client import FutureCancelledError

    return isinstance(error, FutureCancelledError)


def _seconds(setting: str, default: float = 30.0) -> float:
    """What Dask's own configuration says."""
    import dask
    from dask.utils import parse_timedelta

    given = dask.config.get(setting, None)
    return float(parse_timedelta(given)) if given is not None else default
