"""What watching many clusters costs: one agent, a few real servers, and some that never answer.

    python -m tests.bench.many_clusters [CLUSTERS] [BLACK_HOLES] [SECONDS]     default: 200 10 60

Prints CPU, memory, the time of a scrape, and how old the readings of the healthy clusters are.
"""

from __future__ import annotations

import socket
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from agent.lab.agent_process import AgentProcess
from agent.postgres.account import server_account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import InstallationFor, find_installation
from tests.bench import history
from tests.bench.agent_cost import agent_processes

SERVERS = 2
POLL_SECONDS = 15


def main(clusters: int, black_holes: int, seconds: float) -> None:
    account = server_account()
    with (
        tempfile.TemporaryDirectory(prefix="pt-", dir="/tmp") as directory,
        InstallationFor(find_installation(16), account) as installation,
        socket.socket() as black_hole,
    ):
        home = Path(directory)
        home.chmod(0o755)
        black_hole.bind(("127.0.0.1", 0))
        black_hole.listen(1000)
        servers = [Cluster(installation, home / f"c{n}", account) for n in range(SERVERS)]
        agent = AgentProcess(home)
        try:
            sources = [_start(server) for server in servers]
            dead = f"host=127.0.0.1 port={black_hole.getsockname()[1]} user=x dbname=x"
            watched = [
                {"name": f"cluster-{n}", **sources[n % SERVERS]}
                | ({"dsn": dead} if n < black_holes else {})
                for n in range(clusters)
            ]
            defaults = {"poll": f"{POLL_SECONDS}s", "scan": "5m"}
            agent.start({"clusters": watched, "defaults": defaults})
            _measure(agent, clusters, black_holes, seconds)
        finally:
            agent.stop()
            for server in servers:
                server.stop("immediate")


def _start(cluster: Cluster) -> dict[str, Any]:
    """A server with a small archive and a backup; what the configuration says of them."""
    cluster.initdb(segment_mib=1)
    archive = cluster.account.make_directory(cluster.home / "archive")
    cluster.configure(
        fsync=False, archive_mode="on", archive_command=f"cp %p {archive}/%f", max_connections=600
    )
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


def _measure(agent: AgentProcess, clusters: int, black_holes: int, seconds: float) -> None:
    healthy = clusters - black_holes
    started = time.monotonic()
    while _answering(agent) < healthy and time.monotonic() < started + 120:
        time.sleep(1)
    print(f"{_answering(agent)} of {healthy} answer after {time.monotonic() - started:.0f} s")
    starting = _cpu_seconds(agent)
    print(f"start: {starting:.1f} CPU seconds")
    first_scans_seconds = 0.2 * 4 * clusters + 20  # jobs start 0.2 s apart
    time.sleep(max(0, first_scans_seconds - (time.monotonic() - started)))
    before, began, scrapes, peak = _cpu_seconds(agent), time.monotonic(), [], 0
    while time.monotonic() < began + seconds:
        asked = time.monotonic()
        with urllib.request.urlopen(f"{agent.url}/metrics") as answer:
            size = len(answer.read())
        scrapes.append(time.monotonic() - asked)
        resident = [p.memory_info().rss for p in agent_processes(agent)]
        peak = max(peak, sum(resident))
        time.sleep(5)
    spent = _cpu_seconds(agent) - before
    print(f"{clusters} clusters, {black_holes} black holes, poll {POLL_SECONDS} s")
    print(f"CPU: {100 * spent / (time.monotonic() - began):.0f} % of a core")
    print(f"memory: {peak / 2**20:.0f} MiB resident, all processes added")
    history.keep("agent.many_cpu", 100 * spent / (time.monotonic() - began))
    history.keep("agent.many_memory", peak / 2**20)
    print(
        f"scrape: {size / 1e6:.1f} MB, best {1000 * min(scrapes):.0f} ms, "
        f"median {1000 * statistics.median(scrapes):.0f} ms, "
        f"worst {1000 * max(scrapes):.0f} ms of {len(scrapes)}"
    )
    print(f"oldest judgement of a healthy cluster: {_oldest(agent, black_holes):.1f} s")


def _answering(agent: AgentProcess) -> int:
    page = agent.read()
    return int(page.total("pitr_up") or 0) if page else 0


def _oldest(agent: AgentProcess, black_holes: int) -> float:
    page = agent.read()
    if page is None:
        return float("nan")
    dead = {f"cluster-{n}" for n in range(black_holes)}
    judged = page.select("pitr_verdict_timestamp_seconds")
    return max(time.time() - s.value for s in judged if s.labels["cluster"] not in dead)


def _cpu_seconds(agent: AgentProcess) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in agent_processes(agent))


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*(given + [200, 10, 60][len(given) :]))
