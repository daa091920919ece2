"""What the page makes of real readings: of two hundred clusters, of one, of what is not known."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from starlette.requests import Request

from agent.config.model import ArchiveConfig, ClusterConfig, Config
from agent.monitor.watched import WatchedCluster
from agent.page import fleet as page_of_all
from agent.page.cards import make_cards
from agent.page.fleet import Fleet
from agent.page.headline import headline
from agent.page.missing import SOURCES, missing_evidence
from agent.page.routes import Page
from agent.page.visit import Visit
from agent.pollers.registry import Lane
from rules.model.findings import Severity
from rules.verdict.check import load_catalogue
from tests.fix_watched import Watched, make_older

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
        for kind, observed in source.case.observations.items():
            cluster.observe(kind, observed)
        cluster._readers._collectors.readings.update(source.readings)
        cluster.judge()
    yield made
    for cluster in made:
        cluster.close()


def look() -> Visit:
    return Visit(now=datetime.now(UTC), query={})


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


def test_a_list_of_very_many_comes_in_pieces_each_cluster_in_one(
    clusters: list[WatchedCluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_of_all, "ROWS_MAX", 64)
    fleet, shown = Fleet(clusters), list[str]()
    query: str | None = "?sort=name"
    while query:
        asked = dict(parse_qsl(query[1:]))
        told = fleet.context(Visit(now=datetime.now(UTC), query=asked))
        assert told["piece"].found == told["total"] == COUNT
        shown += told["rows"]
        if told["piece"].first > 64:
            before = dict(parse_qsl(told["piece"].before[1:]))
            assert int(before.get("from", 1)) == told["piece"].first - 64
        query = told["piece"].after
    numbers = [int(number) for row in shown for number in re.findall(r"number (\d+)</a>", row)]
    assert numbers == list(range(COUNT))
    for begin, first in (("999999", 193), ("70", 65), ("-1", 1), ("x", 1), ("0", 1), ("²", 1)):
        told = fleet.context(Visit(now=datetime.now(UTC), query={"from": begin}))
        assert told["piece"].first == first
    worst = fleet.context(look())
    assert all("verdict critical" in row for row in worst["rows"]), "the worst come first"
    none = fleet.context(Visit(now=datetime.now(UTC), query={"q": "nowhere", "from": "65"}))
    assert (none["rows"], none["piece"].before, none["piece"].after) == ([], None, None)


def test_what_was_not_judged_of_late_is_not_called_fine(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    cluster = watch(name="lab", archives=[{"url": str(watched.archive)}], depth="names")
    assert (headline(cluster).verdict, headline(cluster).word) == ("unknown", "Not checked yet")
    asyncio.run(cluster.scan())
    assert (headline(cluster).verdict, headline(cluster).late) == ("ok", False)
    fleet = Fleet([cluster])
    assert "Fine" in fleet.context(look())["rows"][0]
    make_older(cluster, 100_000)
    assert headline(cluster).verdict == "unknown"
    assert "Fine" not in fleet.context(look())["rows"][0]
    assert fleet.context(look())["said"] == "1 could not be checked"
    cluster.close()


def test_many_findings_of_one_check_are_one_card(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    segments = sorted(watched.archive.glob("0000000100000000????????"))
    few, many = segments[1:6:2], segments[1:-1:2]
    for segment in few:
        segment.unlink()
    cluster = watch(name="lab", archives=[{"url": str(watched.archive)}], depth="names")
    asyncio.run(cluster.scan())
    (card,) = make_cards(cluster, Severity.CRITICAL)
    assert card.heading == cluster.checks["wal_gap"].title
    assert [finding.evidence["first"] for finding in card.findings] == [each.name for each in few]
    assert card.alert is not None and card.runbook == "PitrWalGap"
    assert len(card.remedies) == 1
    assert f"({len(few) - 1} further findings)" in headline(cluster).summary
    for segment in many[len(few) :]:
        segment.unlink()
    asyncio.run(cluster.scan())
    (card,) = make_cards(cluster, Severity.CRITICAL)
    (found,) = card.findings
    assert found.evidence["segments"] == len(many) and many[0].name in card.heading
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
        "backups", "archive listing", "server state",
    }  # fmt: skip
    cluster.close()


def watch(**config: Any) -> WatchedCluster:
    (resolved,) = Config(clusters=(ClusterConfig(**config),)).resolved()
    return WatchedCluster(resolved, load_catalogue())


def test_what_nobody_looked_at_is_not_called_fine_without_a_word() -> None:
    """A server that answers, and no archive: nothing is wrong with it, as far as that goes."""
    server = watch(name="alone", log=Path("/dev/null"))
    assert headline(server).word == "Not checked yet"
    asyncio.run(server.read_log())
    told = headline(server)
    assert told.summary == "nothing wrong was found; no archive was checked"
    assert (told.depth, told.window) == ("nothing", None)
    assert "was not checked" in told.reach
    server.close()
