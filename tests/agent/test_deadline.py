"""Blocking calls with a deadline: each for itself, and a thread that hangs holds up nobody."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import pytest

from agent.deadline import DeadlinePassed, Worker
from tests.fix_tools import PATIENCE_SECONDS

SHORT_SECONDS = 2.0  # longer than a busy machine needs to begin a thread


@pytest.fixture
def hung() -> Iterator[threading.Event]:
    """What a call waits for until the test is over."""
    event = threading.Event()
    yield event
    event.set()


def raises() -> int:
    raise ValueError("no number")


def test_what_one_call_raises_ends_no_other() -> None:
    one, two, three = asyncio.run(
        Worker("a").run_each(PATIENCE_SECONDS, [lambda: 1, raises, lambda: 3])
    )
    assert (one.result, three.result) == (1, 3)
    assert isinstance(two.error, ValueError) and two.result is None
    assert one.began <= two.began <= three.began
    with pytest.raises(ValueError, match="no number"):
        asyncio.run(Worker("a").run(PATIENCE_SECONDS, raises))


def test_after_one_that_hangs_none_is_called_and_what_came_before_counts(
    hung: threading.Event,
) -> None:
    called: list[int] = []

    async def story() -> None:
        worker = Worker("a")
        calls: list[Callable[[], object]] = [
            lambda: 1, lambda: hung.wait(PATIENCE_SECONDS), lambda: called.append(3),
        ]  # fmt: skip
        one, two, three = await worker.run_each(SHORT_SECONDS, calls)
        assert one.result == 1
        assert (str(two.error), str(three.error)) == (
            "no answer within 2 s", "an earlier reading still hangs",
        )  # fmt: skip
        assert two.seconds >= SHORT_SECONDS
        with pytest.raises(DeadlinePassed, match="an earlier reading still hangs"):
            await worker.run(PATIENCE_SECONDS, lambda: 4)
        assert await Worker("b").run(PATIENCE_SECONDS, lambda: 5) == 5
        hung.set()
        await _until(lambda: not worker.hangs)
        assert await worker.run(PATIENCE_SECONDS, lambda: 6) == 6

    asyncio.run(story())
    assert called == []


def test_each_call_has_the_whole_deadline() -> None:
    """Three that take half of it each are more than one deadline together."""

    def take(number: int) -> int:
        time.sleep(1.5)
        return number

    calls = [partial(take, number) for number in range(3)]
    outcomes = asyncio.run(Worker("a").run_each(3, calls))
    assert [outcome.result for outcome in outcomes] == [0, 1, 2]


def test_a_thread_that_is_done_takes_the_next_call_of_any_source() -> None:
    async def story() -> set[int]:
        return {
            await Worker(f"source {n}").run(PATIENCE_SECONDS, threading.get_ident)
            for n in range(50)
        }

    assert len(asyncio.run(story())) < 10


def test_many_that_hang_delay_no_other(hung: threading.Event) -> None:
    async def story() -> None:
        hanging = [Worker(f"hung {n}") for n in range(30)]
        tasks: list[Awaitable[object]] = [
            asyncio.create_task(w.run(SHORT_SECONDS, lambda: hung.wait(PATIENCE_SECONDS)))
            for w in hanging
        ]
        assert await Worker("well").run(PATIENCE_SECONDS, lambda: 1) == 1
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(each, DeadlinePassed) for each in ended)
        assert await Worker("well").run(PATIENCE_SECONDS, lambda: 2) == 2

    asyncio.run(story())


async def _until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
