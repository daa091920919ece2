"""What checking every page costs, beside pg_checksums on the same directory.

    python -m tests.bench.bench_pages [--mib N] [--rounds N]

A server of pgbench's, shut down: pg_checksums accepts no other. Both read from the page cache, in
turns, one process each: by CPU time what the pages cost (a process that has imported what it needs)
and `pitr-check` as a person starts it. Medians of the rounds. Prints a table of
docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import NamedTuple

from agent.backups.describe import BackupDepth
from agent.backups.find import read_any_backup
from agent.postgres.account import server_account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation, InstallationFor, find_installation
from tests.bench import history

MIB = 1 << 20
BIN = Path(sys.executable).parent
_MIB_A_SCALE = 15  # of pgbench -i, indexes included


class Cost(NamedTuple):
    """What one run took."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int  # resident


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--mib", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pb-", dir="/tmp") as directory:
        home = Path(directory)
        home.chmod(0o755)
        with InstallationFor(find_installation(16), server_account()) as pg:
            data = make_data(pg, home / "c", arguments.mib)
            compare(pg, data, arguments.rounds)
            compare_checksums(pg, home / "c" / "backup", arguments.rounds)


def make_data(pg: Installation, home: Path, mib: int) -> Path:
    """The data directory of a server that was shut down."""
    cluster = Cluster(pg, home, server_account())
    cluster.initdb()
    cluster.configure(fsync=False, max_wal_size="4GB")
    common = ["-h", str(cluster.sockets), "-U", "postgres", "postgres"]
    with cluster.running():
        scale = max(1, mib // _MIB_A_SCALE)
        cluster.run("pgbench", *common, "-i", "-q", "-s", str(scale))
        cluster.run("pgbench", *common, "-n", "-c", "2", "-t", "2000")
        cluster.base_backup(home / "backup")
        cluster.stop()
    return cluster.data


def compare(pg: Installation, data: Path, rounds: int) -> None:
    checksums = [str(pg.program("pg_checksums")), "--check", "-D", str(data)]
    check = [str(BIN / "pitr-check"), "--backup", str(data), "--backup-depth", "pages"]
    label = [*check[:-1], "label"]
    readers: dict[str, Callable[[], Cost]] = {
        "`pg_checksums --check`": lambda: run(checksums),
        "`--backup-depth pages`, the reading of the backup": lambda: read(data),
        "`pitr-check --backup-depth pages`, start to end": lambda: run(check),
        "`pitr-check --backup-depth label`, start to end": lambda: run(label),
    }
    runs: dict[str, list[Cost]] = {name: [] for name in readers}
    loads = []
    for _ in range(rounds):
        for name, reader in readers.items():
            runs[name].append(reader())
        loads.append(os.getloadavg()[0])
    pages = read_any_backup(data, "pages").pages
    assert pages is not None and not pages.damaged
    size = (pages.checked + pages.new) * 8192 / MIB
    print(
        f"\n| {pages.checked:,} pages, {size:.0f} MiB, {rounds} rounds, load {min(loads):.0f} to "
        f"{max(loads):.0f} | CPU s | wall s | MiB/s of CPU | of pg_checksums | peak MiB |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    base = median(cost.cpu_seconds for cost in runs["`pg_checksums --check`"])
    for name, costs in runs.items():
        cpu = median(cost.cpu_seconds for cost in costs)
        wall = median(cost.wall_seconds for cost in costs)
        peak = max(cost.peak_bytes for cost in costs) / MIB
        print(f"| {name} | {cpu:.2f} | {wall:.2f} | {size / cpu:,.0f} | {base / cpu:.2f} "
              f"| {peak:.0f} |")  # fmt: skip
    ours = median(cost.cpu_seconds for cost in runs[list(runs)[1]])
    history.keep("backup.pages", base / ours)


def compare_checksums(pg: Installation, backup: Path, rounds: int) -> None:
    """The checksums of a manifest; without -n, pg_verifybackup would parse the WAL besides."""
    verify = [str(pg.program("pg_verifybackup")), "-n", str(backup)]
    theirs, ours = [], []
    for _ in range(rounds):
        theirs.append(run(verify))
        ours.append(read(backup, "checksums"))
    both = [[median(cost[n] for cost in costs) for n in range(2)] for costs in (theirs, ours)]
    print("`pg_verifybackup -n`: {:.2f} s, {:.2f} CPU s".format(*both[0]))
    print("the same here: {:.2f} s, {:.2f} CPU s".format(*both[1]))
    history.keep("backup.checksums", both[0][1] / both[1][1])


def run(command: list[str]) -> Cost:
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def read(data: Path, depth: BackupDepth = "pages") -> Cost:
    """In a process of its own, whose imports are paid before."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_read, (data, depth))


def _read(data: Path, depth: BackupDepth) -> Cost:
    read_any_backup(data, "label")
    cpu, begun = time.process_time(), time.perf_counter()
    read_any_backup(data, depth)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Cost(time.perf_counter() - begun, time.process_time() - cpu, peak)


if __name__ == "__main__":
    main()
