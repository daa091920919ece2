"""What no reading foresaw: a job that raises, a job that hangs. Nothing stays ok from yesterday.

The faults are ours, put into the real agent's own jobs while it runs: a file beside this module's
`sitecustomize` makes a job of one cluster raise, or wait, for as long as it lies there.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

import agent.monitor.rounds
from agent.config.model import ClusterConfig, Config
from agent.daemon.clusters import Clusters
from agent.daemon.scheduler import Schedule
from agent.drill_schedule.queue import DrillQueue
from agent.lab.metrics_page import MetricsPage
from agent.monitor.rounds import Rounds
from agent.monitor.watched import WatchedCluster
from agent.pollers.registry import Lane
from agent.web.application import make_application
from rules.alerting.state import AlertState
from rules.case.derived import listing
from rules.model.findings import Verdict
from rules.verdict.check import load_catalogue
from tests.fix_agent import WatchedAgent
from tests.fix_tools import PATIENCE_SECONDS
from tests.fix_watched import Watched, make_older
from tests.waiting import wait_until

_FAULTS = """
import sys

if any(argument.endswith("pitr-agent") for argument in sys.orig_argv):
    import asyncio
    import pathlib

    from agent.monitor.readers import Readers
    from agent.monitor.watched import WatchedCluster

    here = pathlib.Path(__file__).parent

    def fail(cluster, job):
        if (here / f"{cluster.name} {job} raises").exists():
            raise RuntimeError("nobody foresaw\\nthis")

    def asynchronous(owner, job):
        real = getattr(owner, job)

        async def work(self, *arguments):
            cluster = self if owner is WatchedCluster else self._cluster
            while (here / f"{cluster.name} {job} hangs").exists():
                await asyncio.sleep(0.05)
            fail(cluster, job)
            await real(self, *arguments)

        setattr(owner, job, work)

    def synchronous(job):
        real = getattr(WatchedCluster, job)

        def work(self, *arguments):
            fail(self, job)
            return real(self, *arguments)

        setattr(WatchedCluster, job, work)

    begin = WatchedCluster.__init__

    def make(self, config, *arguments, **named):
        self.name = config.name
        fail(self, "made")
        begin(self, config, *arguments, **named)

    WatchedCluster.__init__ = make
    asynchronous(WatchedCluster, "_scan")
    asynchronous(Readers, "read_log")
    synchronous("_judge")
"""


class Faulty:
    """The real agent over two sound clusters, and a hand on its jobs."""

    def __init__(self, watched: Watched, directory: Path) -> None:
        self.directory = directory
        (directory / "sitecustomize.py").write_text(_FAULTS)
        (directory / "server.log").touch()
        self.agent = WatchedAgent(directory, environment={"PYTHONPATH": str(directory)})
        (cluster,) = watched.config["clusters"]
        cluster = {**cluster, "log": str(directory / "server.log")}
        clusters = [{**cluster, "name": name} for name in ("one", "two")]
        # Late is a job after 15 s: sooner on a busy machine the other cluster's would be as well.
        defaults = {**watched.config["defaults"], "timeout": "5s"}
        changed = {"clusters": clusters, "defaults": defaults, "alerts": {"hold": "1s"}}
        self.agent.start(watched.config | changed)
        self.wait_for_verdicts("ok", "ok")

    def begin(self, fault: str) -> None:
        (self.directory / fault).touch()

    def end(self, fault: str) -> None:
        (self.directory / fault).unlink()

    def wait_for_verdicts(self, *expected: str) -> None:
        wait_until(lambda: self.verdicts == expected, f"the verdicts are {expected}")

    def wait_for_health(self, expected: dict[str, Any]) -> None:
        said = (200, expected)
        wait_until(lambda: get_json(f"{self.agent.url}/healthz") == said, f"/healthz: {said}")

    @property
    def verdicts(self) -> tuple[str, ...]:
        listed = get_json(f"{self.agent.url}/api/v1/clusters")[1]
        return tuple(each["verdict"] for each in sorted(listed, key=lambda each: each["name"]))

    def alerts(self, alert: str) -> list[dict[str, Any]]:
        told = get_json(f"{self.agent.url}/api/v1/alerts")[1]
        return [each for each in told if each["id"] == alert and each["state"] == "firing"]

    def page(self, path: str) -> str:
        with urllib.request.urlopen(self.agent.url + path, timeout=PATIENCE_SECONDS) as answer:
            return str(answer.read().decode())


def get_json(url: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.fixture
def faulty(watched: Watched, tmp_path: Path) -> Iterator[Faulty]:
    directory = tmp_path / "faulty"
    directory.mkdir()
    faulty = Faulty(watched, directory)
    yield faulty
    faulty.agent.stop()


def known(page: MetricsPage, cluster: str, check: str) -> float | None:
    return page.total("pitr_check_known", cluster=cluster, id=check)


@pytest.mark.parametrize(
    ("job", "name", "blind"),
    [
        ("_scan", "scan", "wal_gap"),
        ("read_log", "log", "restore_failed"),
        ("_judge", "judge", "wal_gap"),
    ],
)
def test_a_job_that_raises_makes_its_cluster_unknown(
    faulty: Faulty, job: str, name: str, blind: str
) -> None:
    assert known(faulty.agent.wait_for(bool), "one", blind) == 1
    faulty.begin(f"one {job} raises")
    faulty.agent.wait_for(
        lambda page: (
            page.total("pitr_finding", cluster="one", id="check_raised") == 1
            and (known(page, "one", blind), known(page, "two", blind)) == (0, 1)
        )
    )
    faulty.wait_for_verdicts("unknown", "ok")
    shown = get_json(f"{faulty.agent.url}/api/v1/clusters/one")[1]
    (finding,) = [each for each in shown["findings"] if each["id"] == "check_raised"]
    assert finding["evidence"]["job"] == name
    assert "RuntimeError: nobody foresaw this" in finding["summary"]
    wait_until(lambda: faulty.alerts("check_raised"), "the alert fires")
    assert [each["cluster"] for each in faulty.alerts("check_raised")] == ["one"]
    assert "nobody foresaw this" in faulty.page("/clusters/one")
    assert get_json(f"{faulty.agent.url}/healthz")[0] == 200
    time.sleep(2)  # several rounds more
    told = [line for line in faulty.agent.log.read_text().splitlines() if "Traceback" in line]
    assert len(told) == 1, "the same error is told once"
    faulty.end(f"one {job} raises")
    faulty.wait_for_verdicts("ok", "ok")
    wait_until(lambda: not faulty.alerts("check_raised"), "the alert is over")


def test_an_overdue_verdict_is_unknown_everywhere(faulty: Faulty) -> None:
    faulty.begin("one _scan hangs")
    page = faulty.agent.wait_for(
        lambda page: (
            page.total("pitr_finding", cluster="one", id="verdict_overdue") == 1
            and (known(page, "one", "wal_gap"), known(page, "two", "wal_gap")) == (0, 1)
        )
    )
    faulty.wait_for_verdicts("unknown", "ok")
    deadline = page.total("pitr_verdict_deadline_timestamp_seconds", cluster="one")
    assert deadline is not None and deadline < time.time()
    other = page.total("pitr_verdict_deadline_timestamp_seconds", cluster="two")
    assert other is not None and other > deadline
    faulty.wait_for_health({"status": "late", "clusters": 2, "late": ["one"]})
    assert "scan is overdue" in faulty.page("/clusters/one")
    wait_until(lambda: faulty.alerts("verdict_overdue"), "the alert fires")
    faulty.begin("two _scan hangs")
    wait_until(lambda: get_json(f"{faulty.agent.url}/healthz")[0] == 503, "every cluster is late")
    faulty.end("one _scan hangs")
    faulty.end("two _scan hangs")
    faulty.wait_for_verdicts("ok", "ok")
    faulty.wait_for_health({"status": "ok", "clusters": 2, "late": []})


def test_a_reload_that_fails_leaves_what_runs(faulty: Faulty, watched: Watched) -> None:
    def reload() -> None:
        assert faulty.agent.pid is not None
        os.kill(faulty.agent.pid, signal.SIGHUP)

    config = yaml.safe_load(faulty.agent.config.read_text())
    config["clusters"] += [{**config["clusters"][0], "name": "three"}]
    faulty.agent.config.write_text(yaml.safe_dump(config))
    faulty.begin("three made raises")
    reload()
    faulty.agent.wait_for(lambda page: page.total("pitr_config_last_reload_successful") == 0)
    faulty.wait_for_verdicts("ok", "ok")
    assert "not reloaded: unexpected" in faulty.agent.log.read_text()
    faulty.end("three made raises")
    reload()
    faulty.wait_for_verdicts("ok", "ok", "ok")
    assert faulty.agent.wait_for(bool).total("pitr_config_last_reload_successful") == 1


def test_files_that_once_froze_the_agent_are_findings(faulty: Faulty, watched: Watched) -> None:
    (watched.archive / "00000002.history").touch()
    (watched.archive / "0000000100000001FFFFFFFF").touch()
    (watched.archive / "00000001FFFFFFFF00000FFF").touch()
    page = faulty.agent.wait_for(
        lambda page: {"history_empty", "segment_name_impossible", "wal_gap"} <= set(page.findings())
    )
    assert page.total("pitr_finding", id="check_raised") == 0
    before = page.total("pitr_verdict_timestamp_seconds", cluster="one")
    faulty.agent.wait_for(
        lambda page: page.total("pitr_verdict_timestamp_seconds", cluster="one") > before
    )


# -- in this process: each job, and what only the clock tells --------------------------------------


@pytest.fixture
def cluster(watched: Watched, tmp_path: Path) -> Iterator[WatchedCluster]:
    log = tmp_path / "server.log"
    log.touch()
    config = ClusterConfig.model_validate(
        {
            "name": "lab",
            "dsn": "host=127.0.0.1 port=1 connect_timeout=5",
            "archives": [{"url": str(watched.archive)}],
            "log": str(log),
            "depth": "names",
        }
    )
    (resolved,) = Config(clusters=(config,)).resolved()
    cluster = WatchedCluster(resolved, load_catalogue())
    yield cluster
    cluster.close()


def boom(*_: object) -> Any:
    raise KeyError("boom")


def found(cluster: WatchedCluster, check: str) -> list[object]:
    return [f.evidence["job"] for f in cluster.findings.get(check, ()) if "job" in f.evidence]


@pytest.mark.parametrize(
    ("private", "job", "run"),
    [
        ("_readers.poll_server", "state", lambda cluster: cluster.poll_server(Lane.STATE)),
        (
            "_readers.poll_server",
            "directories",
            lambda cluster: cluster.poll_server(Lane.DIRECTORIES),
        ),
        ("_scan", "scan", lambda cluster: cluster.scan()),
        ("_readers.read_log", "log", lambda cluster: cluster.read_log()),
        ("_judge", "judge", lambda cluster: cluster.scan()),
        ("_on_alerts", "judge", lambda cluster: cluster.scan()),
    ],
)
def test_every_job_has_its_boundary(
    cluster: WatchedCluster,
    monkeypatch: pytest.MonkeyPatch,
    private: str,
    job: str,
    run: Callable[[WatchedCluster], Any],
) -> None:
    asyncio.run(run(cluster))
    assert found(cluster, "check_raised") == []
    with monkeypatch.context() as broken:
        *owner, name = private.split(".")
        broken.setattr(attrgetter(*owner)(cluster) if owner else cluster, name, boom)
        asyncio.run(run(cluster))
    assert found(cluster, "check_raised") == [job]
    assert cluster.verdict is Verdict.UNKNOWN
    assert cluster.alerts["check_raised"].state is AlertState.FIRING
    asyncio.run(run(cluster))
    assert found(cluster, "check_raised") == []
    assert cluster.alerts["check_raised"].state is AlertState.RESOLVED


def test_what_is_worked_out_has_a_boundary_too(
    cluster: WatchedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(cluster.scan())
    with monkeypatch.context() as broken:
        broken.setattr(listing, "judge_sequence", boom)
        asyncio.run(cluster.scan())
        assert found(cluster, "check_raised") == ["judge"]
        assert cluster.verdict is Verdict.UNKNOWN
    asyncio.run(cluster.scan())
    assert found(cluster, "check_raised") == []


def test_a_reading_within_its_deadline_is_not_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Ticker()
    monkeypatch.setattr(agent.monitor.rounds, "monotonic", clock)
    rounds = Rounds({"scan": 1.0}, timeout_seconds=1.0)
    with rounds.reading("scan", 30.0):
        clock.now += 10.0
        assert not rounds.overdue()
        clock.now += 25.0
        assert rounds.overdue().keys() == {"scan"}
    with rounds.round("scan"):
        clock.now += 20.0
    assert not rounds.overdue()
    clock.now += 59.0
    assert not rounds.overdue(), "three times the last round's duration"
    clock.now += 2.0
    assert rounds.overdue().keys() == {"scan"}


class Ticker:
    """A monotonic clock that goes on when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_what_was_read_by_an_overdue_job_is_not_known(cluster: WatchedCluster) -> None:
    asyncio.run(cluster.scan())
    assert cluster.known["wal_gap"] is True
    make_older(cluster, 100_000)
    cluster.mind_the_clock()
    assert cluster.known["wal_gap"] is False
    assert "scan" in found(cluster, "verdict_overdue")
    asyncio.run(cluster.scan())
    assert cluster.known["wal_gap"] is True
    assert "scan" not in found(cluster, "verdict_overdue")


def test_a_drill_that_cannot_be_begun_ends_no_queue(cluster: WatchedCluster) -> None:
    """Nothing but the cluster's verdict: the history that a drill is written into is a file."""
    clusters = Clusters(Schedule(), lambda config, checks: cluster, None)  # type: ignore[arg-type]
    clusters.all.append(cluster)
    queue = DrillQueue(None, None, lambda name, drills: None, clusters.note_raised)  # type: ignore[arg-type]
    queue._configs["lab"] = cluster.config

    async def run() -> None:
        task = asyncio.create_task(queue._try_to_make("lab"))
        await asyncio.sleep(0.2)
        task.cancel()

    asyncio.run(run())
    assert found(cluster, "check_raised") == ["drill"]


def test_a_part_of_the_metrics_that_raises_is_said_in_them(
    cluster: WatchedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prometheus_client import CollectorRegistry

    from agent.web.exposition import Exposition

    asyncio.run(cluster.scan())
    page = Exposition([cluster], CollectorRegistry())
    raised = b'pitr_finding{cluster="lab",id="check_raised",severity="unknown"} '
    assert raised + b"0.0" in page.render("")[0]
    with monkeypatch.context() as broken:
        broken.setattr(WatchedCluster, "events", property(boom))
        cluster.judge()  # what did not change is not rendered again
        assert raised + b"1.0" in page.render("")[0]
        assert cluster.verdict is Verdict.UNKNOWN
    cluster.judge()
    assert raised + b"0.0" in page.render("")[0]


def test_a_loop_that_stands_still_is_503(cluster: WatchedCluster) -> None:
    still = False
    application = make_application([cluster], "/metrics", None, lambda: still)  # type: ignore[arg-type]

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://agent") as client:
            return await client.get("/healthz")

    assert asyncio.run(ask()).status_code == 200
    still = True
    answer = asyncio.run(ask())
    assert (answer.status_code, answer.json()["status"]) == (503, "standing still")
