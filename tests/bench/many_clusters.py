"""What watching many clusters costs: one agent, a few real servers under many names, some hang.

    python -m tests.bench.many_clusters [--clusters 200] [--poll 15] [--page]
    python -m tests.bench.many_clusters --clusters 1000 --poll 30 --page

Ten of the names are black holes: a server whose postmaster is stopped (SIGSTOP: it is connected to,
and says nothing), and an archive and backups in a store that takes requests and answers none.
Measured once every source was read: CPU seconds and memory of the agent's processes, scrapes as
Prometheus makes them, and with --page the fleet's page in a real Chromium, opened and searched.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import os
import re
import signal
import socket
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import psutil

from agent.lab.agent_process import AgentProcess
from agent.postgres.account import server_account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import InstallationFor, find_installation
from tests.bench import history
from tests.bench.agent_cost import agent_processes

SERVERS: Final = 4
CLASSES: Final = ("gold", "silver")
_SCRAPE_SECONDS: Final = 15
_SLICE_SECONDS: Final = 30  # a poll: what comes between them is in each
_UP: Final = re.compile(rb"^pitr_up\{.*\} 1\.0$", re.MULTILINE)
_JUDGED: Final = re.compile(
    rb'^pitr_verdict_timestamp_seconds\{cluster="cluster-\d+"\} (\S+)$', re.MULTILINE
)
_SHOWN: Final = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


class _Watched(NamedTuple):
    shares: list[float]  # of each slice: CPU in percent of a core
    scrapes: list[float]  # seconds
    resident: list[int]  # bytes, of all processes
    ages: list[float]  # seconds since the judgement of each healthy cluster, at each scrape
    page_bytes: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--clusters", type=int, default=200)
    parser.add_argument("--black-holes", type=int, default=10)
    parser.add_argument("--poll", type=float, default=15, help="seconds")
    parser.add_argument("--scan", type=float, default=300, help="seconds")
    parser.add_argument("--seconds", type=float, default=180, help="how long to measure")
    parser.add_argument(
        "--settle", type=float, help="seconds; until each was scanned, if not given"
    )
    parser.add_argument("--page", action="store_true", help="open it in Chromium, too")
    parser.add_argument("--picture", type=Path, help="where a picture of it goes")
    parser.add_argument("--hold", type=float, default=0, help="seconds to go on, for a profiler")
    asked = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled once, as it is when installed
    with tempfile.TemporaryDirectory(prefix="pt-", dir="/tmp") as directory:
        home = Path(directory)
        home.chmod(0o755)
        with _sources(home, asked.clusters) as sources, _silent_store() as store:
            watched = [_named(n, asked.black_holes, sources) for n in range(asked.clusters)]
            agent = AgentProcess(home, environment=store)
            try:
                agent.start(_configuration(watched, asked))
                _measure(agent, asked)
                time.sleep(asked.hold)
            finally:
                agent.stop()


@contextlib.contextmanager
def _sources(home: Path, clusters: int) -> Iterator[list[dict[str, Any]]]:
    """What a configuration says of real servers; the last of them hangs."""
    account = server_account()
    with InstallationFor(find_installation(16), account) as installation:
        servers = [Cluster(installation, home / f"c{n}", account) for n in range(SERVERS + 1)]
        stopped = None
        try:
            sources = [_start(server, 2 * clusters // SERVERS + 50) for server in servers]
            stopped = psutil.Process(
                int((servers[-1].data / "postmaster.pid").read_text().split()[0])
            )
            stopped.send_signal(signal.SIGSTOP)
            yield sources
        finally:
            if stopped is not None:
                stopped.send_signal(signal.SIGCONT)
            for server in servers:
                server.stop("immediate")


def _start(cluster: Cluster, connections: int) -> dict[str, Any]:
    """A server with a small archive and a backup; what the configuration says of them."""
    cluster.initdb(segment_mib=1)
    archive = cluster.account.make_directory(cluster.home / "archive")
    cluster.configure(
        fsync=False, archive_mode="on", archive_command=f"cp %p {archive}/%f",
        max_connections=connections, shared_buffers="16MB", superuser_reserved_connections=3,
    )  # fmt: skip
    cluster.start()
    backups = cluster.account.make_directory(cluster.home / "backups")
    cluster.base_backup(backups / "one")
    cluster.sql("CREATE TABLE t (n int)")
    for _ in range(10):
        cluster.sql("INSERT INTO t VALUES (1)")
        cluster.sql("SELECT pg_switch_wal()")
    return {
        "dsn": cluster.dsn,
        "archives": [{"url": str(archive)}],
        "backups": {"url": str(backups)},
        "log": str(cluster.log),
    }


@contextlib.contextmanager
def _silent_store() -> Iterator[dict[str, str]]:
    """A port that takes connections and answers nothing; the environment that says it is S3."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1000)
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1",
        }  # fmt: skip


def _named(number: int, black_holes: int, sources: list[dict[str, Any]]) -> dict[str, Any]:
    named = {"class": CLASSES[number % 2], "labels": {"site": f"site{number % 7}"}}
    if number >= black_holes:
        return {"name": f"cluster-{number}", **sources[number % SERVERS], **named}
    return {
        "name": f"hung-{number}", "dsn": sources[-1]["dsn"],
        "archives": [{"url": f"s3://archives/{number}"}],
        "backups": {"url": f"s3://backups/{number}"}, **named,
    }  # fmt: skip


def _configuration(clusters: list[dict[str, Any]], asked: argparse.Namespace) -> dict[str, Any]:
    return {
        "classes": {
            "gold": {"rpo": "5m", "window": "7d", "backup_age": "1d"},
            "silver": {"rpo": "1h", "window": "2d", "backup_age": "7d"},
        },
        "clusters": clusters,
        "defaults": {"poll": f"{asked.poll}s", "scan": f"{asked.scan}s"},
    }


def _measure(agent: AgentProcess, asked: argparse.Namespace) -> None:
    started = time.monotonic()
    healthy = asked.clusters - asked.black_holes
    while (up := len(_UP.findall(_scrape(agent)[0]))) < healthy:
        if time.monotonic() > started + 10 * asked.poll + 300:
            break
        time.sleep(2)
    print(f"{up} of {healthy} answer after {time.monotonic() - started:.0f} s", flush=True)
    settled = asked.scan + 2 * asked.poll if asked.settle is None else asked.settle
    _sleep_until(started + settled)
    print(f"start: {_cpu_seconds(agent):.1f} CPU seconds in {time.monotonic() - started:.0f} s")
    print(f"{asked.clusters} clusters, {asked.black_holes} hang, poll {asked.poll:g} s", flush=True)
    shares, scrapes, resident, ages, size = _watch(agent, asked.seconds)
    # A machine that is busy with other things may not get to every poll: as if it had.
    kept = min(1.0, asked.poll / 2 / statistics.mean(ages))
    share, peak = statistics.median(shares) / kept, max(resident) / 2**20
    print(f"CPU: {share:.0f} % of a core ({', '.join(f'{each:.0f}' for each in shares)}", end="")
    print(f", with {100 * kept:.0f} % of the polls)")
    print(f"memory: {peak:.0f} MiB resident at the peak, all processes added")
    print(
        f"scrape: {size / 1e6:.1f} MB, best {1000 * min(scrapes):.0f} ms, "
        f"median {1000 * statistics.median(scrapes):.0f} ms, "
        f"worst {1000 * max(scrapes):.0f} ms of {len(scrapes)}"
    )
    print(f"judgements of healthy clusters: {statistics.mean(ages):.1f} s old, {max(ages):.1f} s")
    _keep(asked, share, peak, 1000 * statistics.median(scrapes))
    if asked.page:
        _look(agent, asked)


def _keep(asked: argparse.Namespace, share: float, peak: float, scrape_ms: float) -> None:
    if (asked.clusters, asked.poll) == (200, 15):
        history.keep("agent.many_cpu", share)
        history.keep("agent.many_memory", peak)
    elif (asked.clusters, asked.poll) == (1000, 30):
        history.keep("fleet.cpu", share)
        history.keep("fleet.memory", peak)
        history.keep("fleet.scrape", scrape_ms)


def _watch(agent: AgentProcess, seconds: float) -> _Watched:
    """Scrape as Prometheus does, and see what that and all else costs."""
    shares, scrapes, resident, ages, size = [], [], [], [], 0
    for _ in range(max(1, round(seconds / _SLICE_SECONDS))):
        before, began = _cpu_seconds(agent), time.monotonic()
        for scrape in range(_SLICE_SECONDS // _SCRAPE_SECONDS):
            _sleep_until(began + scrape * _SCRAPE_SECONDS)
            page, took = _scrape(agent)
            size = len(page)
            ages += [time.time() - float(at) for at in _JUDGED.findall(page)]
            scrapes.append(took)
            resident.append(sum(p.memory_info().rss for p in agent_processes(agent)))
        _sleep_until(began + _SLICE_SECONDS)
        shares.append(100 * (_cpu_seconds(agent) - before) / (time.monotonic() - began))
    return _Watched(shares, scrapes, resident, ages, size)


def _look(agent: AgentProcess, asked: argparse.Namespace) -> None:
    """The page, opened afresh each time; then with it open, what is typed is found."""
    from playwright.sync_api import sync_playwright

    from tests.fix_browser import DESK, launch

    wanted = f"cluster-{asked.clusters - 1}"
    views: list[float] = []
    searches: list[float] = []
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for _ in range(5):
            page = browser.new_context(viewport=DESK).new_page()
            page.goto(agent.url, wait_until="load")
            page.wait_for_function(_SHOWN)
            views.append(page.evaluate(_SHOWN))
            loaded = page.evaluate("() => performance.getEntriesByType('navigation')[0].duration")
            views[-1] = max(views[-1], loaded)
            page.wait_for_timeout(300)
            searches.append(_until_one(page, "#q", wanted))
            searches.append(_until_one(page, "#q", "no such name", rows=0))
            if asked.picture:
                page.fill("#q", "")
                page.wait_for_timeout(3000)
                page.screenshot(path=asked.picture)
            page.context.close()
            time.sleep(2)
        page = browser.new_context(viewport=DESK).new_page()
        page.goto(agent.url)
        before, began = _cpu_seconds(agent), time.monotonic()
        page.wait_for_timeout(1000 * _SLICE_SECONDS)
        share = 100 * (_cpu_seconds(agent) - before) / (time.monotonic() - began)
        browser.close()
    print(f"first view: median {statistics.median(views):.0f} ms of {[round(v) for v in views]}")
    print(
        f"a search: median {statistics.median(searches):.0f} ms of {[round(s) for s in searches]}"
    )
    print(f"CPU with the page open: {share:.0f} % of a core")
    if asked.clusters == 1000:
        history.keep("fleet.first_view", statistics.median(views))
        history.keep("fleet.search", statistics.median(searches))


def _until_one(page: Any, field: str, word: str, *, rows: int = 1) -> float:
    """Milliseconds from the typing of a word until the list holds what has it."""
    began = time.monotonic()
    page.fill(field, word)
    page.wait_for_function(
        "n => document.querySelectorAll('.fleet tbody tr').length === n", arg=rows
    )
    return 1000 * (time.monotonic() - began)


def _scrape(agent: AgentProcess) -> tuple[bytes, float]:
    asked = time.monotonic()
    headers = {"Accept": "text/plain", "Accept-Encoding": "gzip"}  # as Prometheus
    request = urllib.request.Request(f"{agent.url}/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        page: bytes = answer.read()
        packed = answer.headers.get("Content-Encoding") == "gzip"
    took = time.monotonic() - asked
    return (gzip.decompress(page) if packed else page), took


def _cpu_seconds(agent: AgentProcess) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in agent_processes(agent))


def _sleep_until(monotonic: float) -> None:
    time.sleep(max(0.0, monotonic - time.monotonic()))


if __name__ == "__main__":
    main()
