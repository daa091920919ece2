"""What watching one cluster costs: the agent on a laboratory under light traffic.

    python -m tests.bench.agent_cost [MINUTES] [POLL]        default: 10 minutes, 15s

Prints the agent's CPU seconds and peak memory, and the milliseconds that the server spent on its
statements, a poll cycle. The server's own log is the clock for that (log_min_duration_statement).
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from pathlib import Path

import psutil

from agent.durations import parse_duration
from agent.lab.agent_process import AgentProcess
from agent.postgres.account import server_account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import InstallationFor, find_installation
from tests.bench import history

_DURATION = re.compile(r"^pitr-agent\|LOG:  duration: ([\d.]+) ms", re.MULTILINE)


def main(minutes: float, poll: str) -> None:
    account = server_account()
    with (
        tempfile.TemporaryDirectory(prefix="pt-", dir="/tmp") as directory,
        InstallationFor(find_installation(16), account) as installation,
    ):
        home = Path(directory)
        home.chmod(0o755)
        cluster = Cluster(installation, home / "c", account)
        cluster.initdb()
        archive = account.make_directory(home / "archive")
        cluster.configure(
            fsync=False, archive_mode="on", archive_command=f"cp %p {archive}/%f",
            archive_timeout=30, log_min_duration_statement=0, log_line_prefix="%a|",
        )  # fmt: skip
        agent = AgentProcess(home)
        try:
            cluster.start()
            cluster.base_backup(account.make_directory(home / "backups") / "one")
            cluster.sql("CREATE TABLE t (n int)")
            agent.start(
                {
                    "clusters": [
                        {
                            "name": "lab", "dsn": cluster.dsn, "archives": [{"url": str(archive)}],
                            "backups": {"url": str(home / "backups")}, "log": str(cluster.log),
                        }
                    ],
                    "defaults": {"poll": poll, "scan": "5m"},
                }
            )  # fmt: skip
            _measure(agent, cluster, minutes, parse_duration(poll))
        finally:
            agent.stop()
            cluster.stop("immediate")


def _measure(agent: AgentProcess, cluster: Cluster, minutes: float, poll_seconds: float) -> None:
    processes = {process.pid: process for process in agent_processes(agent)}
    peak_bytes, cpu_seconds = 0, 0.0
    started = time.monotonic()
    seen: dict[int, float] = {}
    with cluster.connect() as connection:
        while time.monotonic() < started + minutes * 60:
            connection.execute("INSERT INTO t VALUES (1)")
            time.sleep(0.3)
            processes = {process.pid: process for process in agent_processes(agent)}
            resident = 0
            for pid, process in processes.items():
                try:
                    times = process.cpu_times()
                    seen[pid] = times.user + times.system
                    resident += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            peak_bytes = max(peak_bytes, resident)
    cpu_seconds = sum(seen.values())
    durations = [float(text) for text in _DURATION.findall(cluster.log.read_text())]
    cycles = minutes * 60 / poll_seconds
    archived = sum(1 for path in (cluster.home.parent / "archive").iterdir())
    print(f"minutes: {minutes:g}, poll: {poll_seconds:g} s, archived files: {archived}")
    print(f"agent: {cpu_seconds:.2f} CPU seconds, start-up and segment scans included")
    print(f"agent: {peak_bytes / 2**20:.0f} MiB resident at the peak, all its processes added")
    history.keep("agent.one_memory", peak_bytes / 2**20)
    print(
        f"server: {sum(durations) / cycles:.1f} ms of statements a cycle ({len(durations)} logged)"
    )


def agent_processes(agent: AgentProcess) -> list[psutil.Process]:
    """The agent and its workers."""
    assert agent.pid is not None
    try:
        root = psutil.Process(agent.pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0, *(sys.argv[2:3] or ["15s"]))
