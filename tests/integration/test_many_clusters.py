"""A thousand names in one agent, ten of which hang: each of the others is judged, and again."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from agent.config.model import ArchiveConfig, ClusterConfig, Config
from agent.lab.metrics_page import MetricsPage
from agent.monitor import polling
from agent.monitor.watched import WatchedCluster
from agent.page.fleet import ROWS_MAX
from agent.pollers.registry import POLLERS
from agent.postgres.cluster import Cluster
from agent.web.exposition import Exposition
from rules.verdict.check import load_catalogue
from tests.fix_agent import WatchedAgent
from tests.fix_postgres import NewCluster
from tests.fix_tools import PATIENCE_SECONDS
from tests.fix_watched import Watched
from tests.waiting import wait_until

NAMES, SERVED, HUNG = 1000, 20, 10
_OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as server:
        yield server.getsockname()[1]


@pytest.mark.slow
def test_a_thousand_names_are_judged_though_ten_of_them_hang(
    new_cluster: NewCluster, silent: int, tmp_path: Path
) -> None:
    """All the others have a real archive, and some a server."""
    watched, server = Watched(tmp_path), new_cluster(16, archive=False)
    store = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent}", "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "c", "AWS_ALLOW_HTTP": "true",
    }  # fmt: skip
    dead = f"host=127.0.0.1 port={silent} user=x dbname=x"
    agent = WatchedAgent(tmp_path, environment=store)
    try:
        agent.start(_configuration(watched.archive, server, dead))
        first = agent.wait_for(_all_judged)
        well = {name for name in _judged_at(first) if not name.startswith("hung")}
        assert len(well) == NAMES - HUNG
        agent.wait_for(lambda page: _later(_judged_at(first), _judged_at(page), well))
        agent.wait_for(lambda page: page.total("pitr_up") == SERVED and _all_judged(page))
        wait_until(lambda: _verdicts(agent) == {"hung": {"unknown"}, "archive": {"ok"}})
        _look_at_the_page(agent)
    finally:
        agent.stop()


def _configuration(archive: Path, server: Cluster, dead: str) -> dict[str, Any]:
    def named(kind: str, count: int, **sources: Any) -> list[dict[str, Any]]:
        return [{"name": f"{kind}-{n}", "class": "gold", **sources} for n in range(count)]

    real = {"archives": [{"url": str(archive)}]}
    return {
        "classes": {"gold": {"rpo": "1h"}},
        "clusters": [
            *named("archive", NAMES - HUNG - SERVED, **real),
            *named("served", SERVED, dsn=server.dsn, **real),
            *named("hung", HUNG, dsn=dead, archives=[{"url": "s3://bucket/wal"}]),
        ],
        # A machine with four test processes on two cores still gets round in that time.
        "defaults": {"poll": "10s", "scan": "10s", "timeout": "30s", "depth": "names"},
    }  # fmt: skip


def _all_judged(page: MetricsPage) -> bool:
    read = page.total("pitr_collector_success", collector="archive")
    return read == NAMES - HUNG and len(_judged_at(page)) >= NAMES - HUNG


def _judged_at(page: MetricsPage) -> dict[str, float]:
    judged = page.select("pitr_verdict_timestamp_seconds")
    return {sample.labels["cluster"]: sample.value for sample in judged}


def _later(before: dict[str, float], now: dict[str, float], names: set[str]) -> bool:
    return all(now[name] > before[name] for name in names)


def _verdicts(agent: WatchedAgent) -> dict[str, set[str]]:
    """Of each kind of name."""
    found = dict[str, set[str]]()
    for each in _get(agent, "api/v1/clusters"):
        if not each["name"].startswith("served"):
            found.setdefault(each["name"].split("-")[0], set()).add(each["verdict"])
    return found


def _look_at_the_page(agent: WatchedAgent) -> None:
    """The worst first, a piece of the rest; a name is found, whichever piece it is in."""
    assert len(_rows(agent, "")) == ROWS_MAX
    wait_until(lambda: all(name.startswith("hung") for name in _rows(agent, "")[:HUNG]))
    assert _rows(agent, "?q=archive-969") == ["archive-969"]
    assert len(_rows(agent, "?class=gold&verdict=unknown&q=hung")) == HUNG
    assert _rows(agent, "?class=bronze") == []


def _rows(agent: WatchedAgent, query: str) -> list[str]:
    with urllib.request.urlopen(f"{agent.url}/{query}", timeout=PATIENCE_SECONDS) as answer:
        return re.findall(r'<tr class="\w+" id="c-([\w-]+)"', answer.read().decode())


def _get(agent: WatchedAgent, path: str) -> Any:
    with urllib.request.urlopen(f"{agent.url}/{path}", timeout=PATIENCE_SECONDS) as answer:
        return json.load(answer)


def _watch(tmp_path: Path, dsn: str, timeout: str) -> WatchedCluster:
    log = tmp_path / "server.log"
    log.touch()
    cluster = ClusterConfig(name="a", dsn=dsn, log=log, timeout=timeout, poll="1h")
    (resolved,) = Config(clusters=(cluster,)).resolved()
    return WatchedCluster(resolved, load_catalogue())


async def _until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def test_what_answers_together_is_judged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "_TOGETHER_SECONDS", 10 * PATIENCE_SECONDS)
    cluster = _watch(tmp_path, "host=127.0.0.1 port=1", "10s")
    judged: list[frozenset[str]] = []
    real = WatchedCluster._judge

    def note(self: WatchedCluster) -> None:
        judged.append(frozenset(self.readings))
        real(self)

    monkeypatch.setattr(WatchedCluster, "_judge", note)

    async def story() -> None:
        await cluster.poll()
        assert len(cluster.polling.going_on) == 3
        await _until(lambda: not cluster.polling.going_on)
        await _until(lambda: judged)

    asyncio.run(story())
    assert judged == [{"log", *(poller.name for poller in POLLERS)}]
    assert cluster.server_answers is False and cluster.readings["log"].succeeded


def test_no_answer_waits_for_one_that_hangs(tmp_path: Path) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    dsn = f"host=127.0.0.1 port={silent.getsockname()[1]} user=x dbname=x"
    cluster = _watch(tmp_path, dsn, f"{PATIENCE_SECONDS:.0f}s")

    async def story() -> None:
        await cluster.poll()
        await _until(lambda: cluster.judged_at)
        assert cluster.readings["log"].succeeded and "positions" not in cluster.readings
        going_on = set(cluster.polling.going_on)
        assert {task.get_name() for task in going_on} == {"state", "directories"}
        await cluster.poll()
        assert {task.get_name() for task in cluster.polling.going_on - going_on} <= {"log"}
        silent.close()  # it hangs up on who waits
        await _until(lambda: not cluster.polling.going_on)
        assert cluster.server_answers is False
        assert cluster.verdict.value == "unknown"

    asyncio.run(story())


@pytest.mark.parametrize("accept", ["", _OPEN_METRICS], ids=["text", "openmetrics"])
def test_what_is_kept_of_a_scrape_is_what_would_be_rendered_now(
    tmp_path: Path, accept: str
) -> None:
    watched = Watched(tmp_path)
    absent = ArchiveConfig(url=str(tmp_path / "absent"))
    configured = (
        ClusterConfig(name="a", archives=(ArchiveConfig(url=str(watched.archive)),), depth="names"),
        ClusterConfig(name="b", archives=(absent,), depth="names", labels={"team": "x"}),
    )
    checks = load_catalogue()
    clusters = [WatchedCluster(each, checks) for each in Config(clusters=configured).resolved()]
    kept = Exposition(clusters, CollectorRegistry())
    seen = [_rendered(kept, accept)]
    for change in (None, watched.break_it, watched.hide, watched.show, watched.mend):
        if change is not None:
            change()
        for cluster in clusters:
            asyncio.run(cluster.scan())
        seen.append(_rendered(kept, accept))
        assert seen[-1] == _rendered(Exposition(clusters, CollectorRegistry()), accept)
        assert seen[-1] != seen[-2]
    for cluster in clusters:
        cluster.close()


def _rendered(exposition: Exposition, accept: str) -> list[str]:
    """Without what is told by the clock."""
    page, _ = exposition.render(accept)
    lines = page.decode().splitlines()
    return [line for line in lines if not line.startswith("pitr_verdict_deadline_timestamp_")]
