"""What the page makes of real readings: of two hundred clusters, of one, of what is not known."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from agent.config import ArchiveConfig, ClusterConfig, Config
from agent.page.cards import make_cards
from agent.page.fleet import Fleet
from agent.page.headline import headline
from agent.page.look import Look
from agent.page.missing import SOURCES, missing_evidence
from agent.page.routes import Page
from agent.pollers.registry import Lane
from agent.watched import WatchedCluster
from rules.check import load_catalogue
from rules.findings import Severity
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


def test_what_was_not_judged_of_late_is_not_called_fine(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    cluster = watch(name="lab", archives=[{"url": str(watched.archive)}], depth="names")
    assert (headline(cluster).verdict, headline(cluster).word) == ("unknown", "Not looked at yet")
    asyncio.run(cluster.scan())
    assert (headline(cluster).verdict, headline(cluster).late) == ("ok", False)
    fleet = Fleet([cluster])
    assert "Fine" in fleet.context(look())["rows"][0]
    assert cluster.judged_monotonic is not None
    cluster.judged_monotonic -= 100_000
    assert headline(cluster).verdict == "unknown"
    assert "Fine" not in fleet.context(look())["rows"][0]
    assert fleet.context(look())["said"] == "1 could not be checked"
    cluster.close()


def test_many_findings_of_one_check_are_one_card(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    segments = sorted(watched.archive.glob("0000000100000000????????"))
    gone = segments[1:-1:2]
    for segment in gone:
        segment.unlink()
    cluster = watch(name="lab", archives=[{"url": str(watched.archive)}], depth="names")
    asyncio.run(cluster.scan())
    (card,) = make_cards(cluster, Severity.CRITICAL)
    assert card.heading == cluster.checks["wal_gap"].title
    assert [finding.evidence["first"] for finding in card.findings] == [each.name for each in gone]
    assert len(card.at_once) == 5 and len(card.at_once) + len(card.folded) == len(gone)
    assert card.alert is not None and card.runbook == "PitrWalGap"
    assert len(card.remedies) == 1
    assert f"({len(gone) - 1} further findings)" in headline(cluster).summary
    cluster.close()


def test_every_check_that_could_not_be_asked_is_told_with_its_reason(tmp_path: Path) -> None:
    cluster = watch(
        name="lab",
        dsn="host=127.0.0.1 port=1 connect_timeout=5",
        archives=[{"url": "/absent/wal"}],
        backups={"url": "/absent/base"},
    )

    async def read_everything() -> None:
        for lane in Lane:
            await cluster.poll_server(lane)
        await cluster.scan()

    cluster.judge()
    unread = missing_evidence(cluster)
    assert unread and {each.why for each in unread} == {None}
    asyncio.run(read_everything())
    blind = {check for check, known in cluster.known.items() if not known}
    missing = missing_evidence(cluster)
    assert sorted(check.id for each in missing for check in each.checks) == sorted(blind)
    assert {each.what for each in missing} <= set(SOURCES.values())
    assert all(each.why for each in missing), missing
    assert {each.what for each in missing} == {
        "the backups", "the listing of the archive", "an answer of the server",
    }  # fmt: skip
    cluster.close()


def watch(**config: Any) -> WatchedCluster:
    (resolved,) = Config(clusters=(ClusterConfig(**config),)).resolved()
    return WatchedCluster(resolved, load_catalogue())


def test_what_nobody_looked_at_is_not_called_fine_without_a_word() -> None:
    """A server that answers, and no archive: nothing is wrong with it, as far as that goes."""
    server = WatchedCluster(ClusterConfig(name="alone", log=Path("/dev/null")), load_catalogue())
    assert headline(server).word == "Not looked at yet"
    asyncio.run(server.read_log())
    told = headline(server)
    assert told.summary == "nothing wrong was found; no archive was looked at"
    assert (told.depth, told.window) == ("nothing", None)
    assert "was not asked" in told.reach
    server.close()
