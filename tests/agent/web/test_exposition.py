"""`/metrics` of kept pieces is, byte for byte, what would be rendered from nothing."""

from __future__ import annotations

import asyncio
import gzip
import random
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from agent.monitor.jobs import intervals
from agent.monitor.watched import WatchedCluster
from agent.store.meter import OPERATIONS, StoreUsage
from agent.web import application
from agent.web.application import make_application
from agent.web.exposition import Exposition
from rules.model.facts import BackupsFacts, WalDirectoryFacts
from tests.changing import CHECKS, Changes, Clock, configure, stop_the_clock

FORMATS: Final = {"text": "", "openmetrics": "application/openmetrics-text; version=1.0.0"}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stop_the_clock(monkeypatch)


@pytest.fixture
def clusters(clock: Clock) -> Iterator[list[WatchedCluster]]:
    made = [WatchedCluster(each, CHECKS) for each in configure("a", 'b"\\', "c")]
    yield made
    for cluster in made:
        cluster.close()


def anew(clusters: list[WatchedCluster], accept: str) -> bytes:
    return Exposition(clusters, CollectorRegistry()).render(accept)[0]


@pytest.mark.parametrize("accept", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]
)
def test_whatever_changes_nothing_stale_is_served(
    clusters: list[WatchedCluster], clock: Clock, seed: int, accept: str
) -> None:
    kept, chance, changes = Exposition(clusters, CollectorRegistry()), random.Random(seed), None
    changes, pages = Changes(seed, clock), set[bytes]()
    for _ in range(80):
        changes.one(chance.choice(clusters))
        if chance.random() < 0.5:
            asyncio.run(kept.warm(accept))
        page, _ = kept.render(accept)
        assert page == anew(clusters, accept)
        pages.add(page)
    assert len(pages) > 40, "what is compared does change"


def test_a_cluster_that_goes_and_one_that_is_configured_anew_leave_nothing(
    clusters: list[WatchedCluster], clock: Clock
) -> None:
    kept = Exposition(clusters, CollectorRegistry())
    before, _ = kept.render("")
    clusters.pop().close()
    (again,) = configure("a", labels={"site": "x"}, objectives={"window": "9d"})
    clusters[0].close()
    clusters[0] = WatchedCluster(again, CHECKS)
    page, _ = kept.render("")
    assert page == anew(clusters, "") != before
    assert b'cluster="c"' not in page and b'site="x"' in page
    assert b'pitr_window_goal_seconds{cluster="a"} 777600.0' in page


def test_what_is_counted_while_a_reading_goes_on_is_a_minute_old_at_the_most(
    clusters: list[WatchedCluster], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = StoreUsage()
    monkeypatch.setattr(WatchedCluster, "store_usage", property(lambda _: usage))
    kept = Exposition(clusters, CollectorRegistry())
    before, _ = kept.render("")
    usage.requests[OPERATIONS[0]] += 7
    clock.go_on(60)
    page, _ = kept.render("")
    assert page == anew(clusters, "") != before


def test_a_reading_that_begins_puts_the_deadline_off_at_once(
    clusters: list[WatchedCluster], clock: Clock
) -> None:
    kept = Exposition(clusters, CollectorRegistry())
    before, _ = kept.render("")
    with ExitStack() as readings:
        for job in intervals(clusters[0].config):
            readings.enter_context(clusters[0].jobs.rounds.reading(job, 1e6))
        page, _ = kept.render("")
        assert page == anew(clusters, "") != before
    assert kept.render("")[0] == before


def test_a_goal_is_shown_as_of_the_last_judgement_however_soon_it_comes(
    clusters: list[WatchedCluster],
) -> None:
    """Of two judgements within a poll, as a scan makes them, the second counts."""
    kept, (cluster, *_) = Exposition(clusters, CollectorRegistry()), clusters
    cluster.judge()
    kept.render("")
    cluster.observe(BackupsFacts, BackupsFacts(backups=(), unreadable={}, depth="label"))
    cluster.judge()
    page, _ = kept.render("")
    assert b'pitr_goal_breach_timestamp_seconds{cluster="a",goal="backup_age"}' in page
    assert [each.goal for each in cluster.line.breaches] == ["window", "backup_age"]


# -- compressed ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("br;q=1.0, GZIP;q=0.8, *;q=0.1", True),
        ("", False),
        ("identity", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, identity", False),
    ],
)
def test_it_comes_compressed_to_whom_takes_it(
    clusters: list[WatchedCluster], accepted: str, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "_WORTH_IT_BYTES", 100)
    headers, body = ask(clusters, accepted)
    assert (headers.get("content-encoding") == "gzip") is packed
    assert "Accept-Encoding" in headers["vary"]
    assert int(headers["content-length"]) == len(body)
    assert (gzip.decompress(body) if packed else body) == anew(clusters, "")


def test_a_small_page_comes_as_it_is_and_a_new_one_is_compressed_anew(
    clusters: list[WatchedCluster], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    del clusters[1:]
    monkeypatch.setattr(application, "_WORTH_IT_BYTES", 10**9)
    assert "content-encoding" not in ask(clusters, "gzip")[0]
    monkeypatch.setattr(application, "_WORTH_IT_BYTES", 100)
    for size in (1, 2, 3):
        clusters[0].observe(WalDirectoryFacts, WalDirectoryFacts(size_bytes=size))
        page = gzip.decompress(ask(clusters, "gzip")[1]).decode()
        families = {each.name: each for each in text_string_to_metric_families(page)}
        assert [s.value for s in families["pitr_wal_directory_bytes"].samples] == [size]


def ask(clusters: list[WatchedCluster], accepted: str) -> tuple[dict[str, str], bytes]:
    """The answer of the application itself: headers, body."""
    exposition = Exposition(clusters, CollectorRegistry())
    serve = make_application(clusters, "/metrics", exposition)
    sent: list[dict[str, object]] = []
    scope = {
        "type": "http", "method": "GET", "path": "/metrics", "raw_path": b"/metrics",
        "query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1",
        "headers": [(b"accept-encoding", accepted.encode())], "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1),
    }  # fmt: skip

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    asyncio.run(serve(scope, receive, send))  # type: ignore[arg-type]
    begin, *rest = sent
    assert begin["status"] == 200
    headers = {name.decode(): value.decode() for name, value in begin["headers"]}  # type: ignore[attr-defined]
    return headers, b"".join(part["body"] for part in rest)  # type: ignore[misc]
