"""An archive in a store that is looked at again and again: what it costs, and what is noticed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import obstore
import pytest

from agent.archive.remote import WatchedPrefix, walk_objects
from agent.store.meter import StoreUsage, counting
from rules.model.facts import ArchivedFile
from tests.fix_agent import UNHURRIED
from tests.fix_check import Archived
from tests.fix_stores import Bucket, Proxy
from tests.integration.test_copies_alone import start_of
from tests.integration.test_store_programs import NewAgent, sound

RELIST_SECONDS = 3600.0
POLL_SECONDS = 300.0
KEYS = int(os.environ.get("STORE_KEYS", "5000"))  # STORE_KEYS=100000: some ten minutes


def segment(number: int, timeline: int = 1) -> str:
    return f"{timeline:08X}{number >> 8:08X}{number & 0xFF:08X}"


def put_names(bucket: Bucket, prefix: str, names: list[str]) -> None:
    """Many small objects, many at once."""

    async def put_all() -> None:
        room = asyncio.Semaphore(64)

        async def put(name: str) -> None:
            async with room:
                await obstore.put_async(bucket.writer, f"{prefix}/{name}", b"x")

        await asyncio.gather(*(put(name) for name in names))

    asyncio.run(put_all())


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def paths(walk: Iterator[ArchivedFile | int]) -> set[str]:
    return {each.path for each in walk if not isinstance(each, int)}


class Watching:
    """Simulated polls of a prefix, each held against a whole listing."""

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        self.bucket, self.prefix = bucket, prefix
        self.clock = Clock()
        self.watched = WatchedPrefix(bucket.url(prefix), RELIST_SECONDS, self.clock)

    def put(self, name: str) -> None:
        self.bucket.put(f"{self.prefix}/{name}", b"x")

    def poll(self) -> set[str]:
        self.clock.now += POLL_SECONDS
        return paths(self.watched.walk())

    def all(self) -> set[str]:
        return paths(walk_objects(self.bucket.url(self.prefix)))

    def is_right(self) -> bool:
        return self.poll() == self.all()


@pytest.fixture
def watching(bucket: Bucket, request: pytest.FixtureRequest) -> Watching:
    prefix = f"watched-{request.node.name}"
    put_names(bucket, prefix, [segment(number) for number in range(1, 2001)])
    return Watching(bucket, prefix)


def test_whatever_comes_at_the_end_is_seen_at_once(watching: Watching) -> None:
    assert watching.is_right()
    for name in (
        segment(2001), f"{segment(2001)}.00000028.backup", segment(2003), segment(2002),
        "00000002.history", segment(2002, 2), segment(2003, 2), f"{segment(2004, 2)}.partial",
        f"{segment(2004, 2)}.zst",
    ):  # fmt: skip
        watching.put(name)
        assert watching.is_right(), name


def test_a_segment_that_comes_late_is_seen_at_once(bucket: Bucket) -> None:
    late = segment(500)
    put_names(bucket, "late", [name for n in range(1, 2001) if (name := segment(n)) != late])
    watching = Watching(bucket, "late")
    assert watching.is_right()
    watching.put(late)
    assert watching.is_right()


def test_what_is_deleted_at_the_end_is_seen_at_once_and_elsewhere_in_time(
    watching: Watching,
) -> None:
    assert watching.is_right()
    watching.bucket.delete(f"{watching.prefix}/{segment(1999)}")
    assert watching.is_right()
    watching.bucket.delete(f"{watching.prefix}/{segment(3)}")
    watching.clock.now += RELIST_SECONDS
    assert watching.is_right()


def test_names_in_no_order_are_listed_whole(bucket: Bucket) -> None:
    """Folders whose order is not that of the segments: what is new may lie anywhere."""
    put_names(bucket, "odd", [f"{n % 3}/{segment(n)}" for n in range(1, 1501)])
    watching = Watching(bucket, "odd")
    assert watching.is_right()
    watching.put(f"0/{segment(1501)}")
    assert watching.is_right()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_bucket_of_many_keys_costs_two_requests_a_poll(bucket: Bucket, proxy: Proxy) -> None:
    """An hour of polls. The proxy counts what was asked; the meter must say the same."""
    put_names(bucket, "large", [segment(number) for number in range(1, KEYS + 1)])
    watching, usage = Watching(bucket, "large"), StoreUsage()
    with counting(usage):
        assert len(watching.poll()) == KEYS
        first = len(proxy.asked)
        assert first <= KEYS // 1000 + 2
        for poll in range(1, int(RELIST_SECONDS / POLL_SECONDS)):
            watching.put(segment(KEYS + poll))
            assert len(watching.poll()) == KEYS + poll
        polls = int(RELIST_SECONDS / POLL_SECONDS) - 1
        assert len(proxy.asked) - first <= 2 * polls
    assert usage.requests["list"] == len(proxy.asked)
    assert usage.failures.total() == 0


def test_the_agent_says_what_it_asked_for(
    proxy: Proxy, bucket: Bucket, archived: Archived, new_agent: NewAgent
) -> None:
    """Its numbers are the proxy's, and as good as nothing is read twice."""
    archive = bucket.put_tree(archived.archive, "metered")
    backups = bucket.put_tree(archived.backup, "metered-backup")
    place = {"endpoint": proxy.endpoint}
    sources = {"archives": [{"url": archive, **place}], "backups": {"url": backups, **place}}
    agent = new_agent(UNHURRIED, **sources)
    page = agent.wait_for(sound)
    reads = sum(not asked.is_listing for asked in proxy.asked)
    assert 0 < (page.total("pitr_store_requests_total", operation="read") or 0) <= reads
    held = sum(path.stat().st_size for path in archived.segments if path.name >= start_of(archived))
    assert (page.total("pitr_store_read_bytes_total") or 0) >= held
    assert page.total("pitr_store_failures_total") == 0
    listed = page.total("pitr_store_requests_total", operation="list") or 0
    agent.wait_for(lambda page: (
        (page.total("pitr_store_requests_total", operation="list") or 0) > listed + 4
    ))  # fmt: skip
    later = [asked for asked in proxy.asked if not asked.is_listing][reads:]
    (own,) = (path.name for path in (archived.backup / "pg_wal").glob("0*"))
    firsts = {archived.segments[-1].name, own}  # whose first page tells the segment size
    assert {asked.path.rpartition("/")[2] for asked in later} <= firsts
    listings = sum(asked.is_listing for asked in proxy.asked)
    assert len(later) <= listings - listed, "one with each listing"
