"""The schedule and the clock: steps both ways, spread, and jobs that are taken away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agent.config.crontab import parse_crontab
from agent.daemon.scheduler import Schedule
from tests.fix_tools import PATIENCE_SECONDS


class Clock:
    """The wall, which a test moves."""

    def __init__(self) -> None:
        self.moved_seconds = 0.0

    def __call__(self) -> float:
        return time.time() + self.moved_seconds


async def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def run(story: Callable[[Schedule, Clock], Awaitable[None]]) -> None:
    async def body() -> None:
        clock = Clock()
        schedule = Schedule(wall=clock)
        running = asyncio.create_task(schedule.run())
        try:
            await story(schedule, clock)
        finally:
            running.cancel()

    asyncio.run(body())


@pytest.mark.parametrize("step_seconds", [-3600, 3600])
def test_a_step_of_the_clock_silences_no_job(step_seconds: float) -> None:
    async def story(schedule: Schedule, clock: Clock) -> None:
        runs = 0

        async def job() -> None:
            nonlocal runs
            runs += 1

        schedule.every(3600, "a/job", job)
        await until(lambda: runs == 1)
        await asyncio.sleep(1.1)  # one look at the clock
        clock.moved_seconds = step_seconds
        await until(lambda: runs == 2)

    run(story)


@pytest.mark.parametrize("step_seconds", [-3600, 3600])
def test_what_is_due_at_an_hour_is_due_by_the_new_clock(step_seconds: float) -> None:
    """Set forward over the hour it is made at once; set back it is due when the clock says."""

    async def story(schedule: Schedule, clock: Clock) -> None:
        runs = list[float]()

        async def job() -> None:
            runs.append(clock())

        due = datetime.now(UTC) + timedelta(minutes=30)
        trigger = parse_crontab(f"{due.minute} {due.hour} * * *", ZoneInfo("UTC"))
        schedule.when(trigger, "a/drill", job)
        await asyncio.sleep(1.1)  # one look at the clock
        clock.moved_seconds = step_seconds
        if step_seconds > 0:
            await until(lambda: len(runs) == 1)
        else:
            await asyncio.sleep(2.2)
            assert runs == []

    run(story)


def test_a_job_that_raises_runs_again_and_hurts_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async def story(schedule: Schedule, _: Clock) -> None:
        counts = {"bad": 0, "good": 0}

        async def bad() -> None:
            counts["bad"] += 1
            raise ZeroDivisionError

        async def good() -> None:
            counts["good"] += 1

        schedule.every(0.1, "a/bad", bad)
        schedule.every(0.1, "a/good", good)
        await until(lambda: min(counts.values()) >= 3)

    run(story)
    assert "a/bad: unexpected" in caplog.text


def test_a_removed_job_ends_its_run_and_has_no_other() -> None:
    async def story(schedule: Schedule, _: Clock) -> None:
        runs: list[str] = []
        go_on = asyncio.Event()

        async def job(name: str) -> None:
            runs.append(name)
            await go_on.wait()

        schedule.every(0.05, "a/job", lambda: job("a"))
        schedule.every(0.05, "ab/job", lambda: job("ab"))
        await until(lambda: len(runs) == 2)
        (running,) = schedule.remove("a/")
        assert not running.done()
        go_on.set()
        await asyncio.wait([running])
        await until(lambda: runs.count("ab") >= 4)
        assert runs.count("a") == 1

    run(story)


def test_first_runs_fill_the_interval() -> None:
    async def story(schedule: Schedule, _: Clock) -> None:
        started = time.monotonic()
        firsts: dict[int, float] = {}

        async def job(number: int) -> None:
            firsts.setdefault(number, time.monotonic() - started)

        for number in range(12):  # 0.2 s apart: the last four begin where the first did
            schedule.every(1.6, f"{number}/job", lambda number=number: job(number))  # type: ignore[misc]
        await until(lambda: len(firsts) == 12)
        assert sorted(firsts, key=lambda n: (n % 8, n))[0] == 0
        assert all(firsts[number] < firsts[number + 4] for number in range(4))
        assert firsts[8] < firsts[4]

    run(story)
