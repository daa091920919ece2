"""Two hundred clusters on one page: how much is sent, and what is worked out again."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from starlette.requests import Request

from agent.config import ArchiveConfig, ClusterConfig, Config
from agent.page.fleet import Fleet
from agent.page.look import Look
from agent.page.routes import Page
from agent.watched import WatchedCluster
from rules.check import load_catalogue
from tests.fix_watched import Watched

COUNT = 200


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[WatchedCluster]]:
    """Each over the same real archive, listed once; of every other one the listing failed."""
    watched = Watched(tmp_path_factory.mktemp("fleet"))
    watched.break_it()
    checks = load_catalogue()
    archives = (ArchiveConfig(url="/absent"), ArchiveConfig(url=str(watched.archive)))
    configured = tuple(
        ClusterConfig(
            name=f"a cluster with a name of some length, number {number:03}",
            archives=(archives[number % 2],),
            depth="names",
        )
        for number in range(COUNT)
    )
    made = [WatchedCluster(each, checks) for each in Config(clusters=configured).resolved()]
    for first in made[:2]:
        asyncio.run(first.scan())
    for index, cluster in enumerate(made[2:]):
        source = made[index % 2]
        cluster.facts, cluster.readings = dict(source.facts), dict(source.readings)
        cluster.judge()
    yield made
    for cluster in made:
        cluster.close()


def look() -> Look:
    return Look(now=datetime.now(UTC), query={})


def test_the_page_of_hundreds_is_light(clusters: list[WatchedCluster]) -> None:
    scope = {
        "type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"",
        "headers": [],
    }  # fmt: skip
    whole = asyncio.run(Page(clusters, "/metrics").show_fleet(Request(scope)))
    page = bytes(whole.body)
    assert page.count(b'<th scope="row">') == COUNT
    assert len(page) < 300_000
    assert len(gzip.compress(page)) < 30_000


def test_only_what_changed_is_rendered_again(clusters: list[WatchedCluster]) -> None:
    fleet = Fleet(clusters)
    before = fleet.context(look())["rows"]
    assert all(old is new for old, new in zip(before, fleet.context(look())["rows"], strict=True))
    clusters[COUNT // 2].judge()
    after = fleet.context(look())["rows"]
    assert sum(old is not new for old, new in zip(before, after, strict=True)) == 1
