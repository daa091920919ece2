"""How fast the WAL reader is, beside pg_waldump on the same segments.

    python -m tests.bench.bench_wal [--major N] [--segment-mib N] [--segments N] [--rounds N]

Makes WAL with pgbench on a server of ours, then reads it in turns with `pg_waldump -q` and with
`read_segment` at both depths and with each engine, each in a process of its own, on one core.
Speed is by CPU time and of the best round: what a shared machine takes away is not the reader's.
Only two threads are measured by the clock, and so is what stands beside them: several readings of
each, one after the other in each round, and the median of what they come to. Other work takes from
both, so it says something beside that as well.
Prints the tables of docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from agent.archive.readings import read_segment
from agent.postgres.account import server_account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation, InstallationFor, list_installations
from parsers.wal import kernel
from parsers.wal.scan import Depth
from rules.model.facts import ArchivedFile
from tests.bench import history

MIB = 1 << 20
_THREADS = "records, 2 threads, by the clock"
_READINGS = 8  # of the same segments, so that it takes longer than a turn of the scheduler
_SMALL, _WHOLE = "pgbench transactions", "pgbench -i, and whole pages"
_MEASURES = {
    (_SMALL, "records"): "wal.transactions",
    (_WHOLE, "records"): "wal.whole_pages",
    (_SMALL, _THREADS): "wal.two_threads",
}
_TRANSACTIONS = ("-n", "-c", "2", "-M", "prepared")


@dataclass(frozen=True)
class Run:
    """One reader over one set of segments."""

    wall_seconds: float
    cpu_seconds: float
    records: int
    peak_anonymous_bytes: int | None  # of our process; None for pg_waldump


def main() -> None:
    arguments = _arguments()
    pg = _installation(arguments.major)
    account = server_account()
    with (
        tempfile.TemporaryDirectory(prefix="pb-", dir="/tmp") as directory,
        InstallationFor(pg, account) as usable,
    ):
        Path(directory).chmod(0o755)
        cluster = Cluster(usable, Path(directory) / "c", account)
        sets = make_wal(cluster, arguments.segment_mib, arguments.segments, arguments.scale)
        print(f"PostgreSQL {pg.version}, segments of {arguments.segment_mib} MiB, "
              f"{os.cpu_count()} cores, Python {sys.version.split()[0]}\n")  # fmt: skip
        for title, paths in sets.items():
            compare(title, usable, paths, arguments.rounds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--major", type=int, default=16)
    parser.add_argument("--segment-mib", type=int, default=16)
    parser.add_argument("--scale", type=int, default=4, help="of pgbench")
    parser.add_argument("--segments", type=int, default=4, help="to fill with transactions")
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def _installation(major: int) -> Installation:
    for installation in list_installations():
        if installation.major == major and installation.has("pg_waldump"):
            return installation
    sys.exit(f"no PostgreSQL {major} with pg_waldump here: choose another --major")


def make_wal(
    cluster: Cluster, segment_mib: int, segments: int, scale: int
) -> dict[str, list[Path]]:
    """The segments of pgbench's initialisation and of its transactions."""
    archive = cluster.account.make_directory(cluster.home / "archive")
    cluster.initdb(segment_mib=segment_mib)
    cluster.configure(
        fsync=False, archive_mode="on", archive_command=f"cp %p {archive}/%f",
        max_wal_size=f"{max(1024, segment_mib * 4)}MB", checkpoint_timeout="1h",
        autovacuum=False, synchronous_commit=False,
    )  # fmt: skip
    common = ["-h", str(cluster.sockets), "-U", "postgres", "postgres"]
    with cluster.running():
        cluster.run("pgbench", *common, "-i", "-q", "-s", str(scale))
        # The first touch of each page after a checkpoint logs the whole page: let it pass.
        cluster.run("pgbench", *common, *_TRANSACTIONS, "-t", "10000")
        cluster.sql("SELECT pg_switch_wal()")
        loaded = _segments(cluster)
        while len(_segments(cluster)) <= len(loaded) + segments:
            cluster.run("pgbench", *common, *_TRANSACTIONS, "-t", "2000")
        cluster.sql("SELECT pg_switch_wal()")
        cluster.stop()
    names = sorted(path.name for path in archive.iterdir() if len(path.name) == 24)
    full = names[:-1]  # the last was switched early: its zeros would flatter every reader
    return {
        _SMALL: [archive / name for name in full if name not in loaded],
        _WHOLE: [archive / name for name in full if name in loaded],
    }


def _segments(cluster: Cluster) -> set[str]:
    """Names of the segments that are complete by now, archived or about to be."""
    rows = cluster.sql("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
    names = {path.name for path in (cluster.data / "pg_wal").iterdir() if len(path.name) == 24}
    return {name for name in names if name < str(rows[0][0])}


def compare(title: str, pg: Installation, paths: list[Path], rounds: int) -> None:
    """Read the same segments in turns, and print one table. Per core: by CPU time."""
    mib = sum(path.stat().st_size for path in paths) / MIB
    scans: dict[str, tuple[Depth, kernel.Engine, int]] = {
        "records, numpy": ("records", "numpy", 1),
        "headers": ("headers", "numpy", 1),
    }
    if kernel.built() is not None:
        scans = {"records": ("records", "c", 1), **scans}
    runs: dict[str, list[Run]] = {"pg_waldump -q": [], **{name: [] for name in scans}}
    for _ in range(rounds):
        runs["pg_waldump -q"].append(run_waldump(pg, paths))
        for name, how in scans.items():
            with get_context("spawn").Pool(1) as pool:
                runs[name].append(pool.apply(run_scan, (paths, *how)))
    best = {name: min(found, key=lambda run: run.cpu_seconds) for name, found in runs.items()}
    records = best["records, numpy"].records
    base = mib / best["pg_waldump -q"].cpu_seconds
    print(f"{title}: {len(paths)} segments, {mib:.0f} MiB, {records} records\n")
    print("| reader | MiB/s | records/s | of pg_waldump -q | wall s | peak of own memory |")
    print("|---|---:|---:|---:|---:|---:|")
    ratios: dict[str, float] = {}
    for name, run in best.items():
        speed = mib / run.cpu_seconds
        rate = f"{records / run.cpu_seconds:,.0f}" if name != "headers" else "-"
        peak = f"{run.peak_anonymous_bytes / MIB:.0f} MiB" if run.peak_anonymous_bytes else "-"
        ratio = speed / base
        print(f"| {name} | {speed:,.0f} | {rate} | {ratio:.2f} | {run.wall_seconds:.2f} | {peak} |")
        if measure := _MEASURES.get((title, name)):
            ratios[measure] = ratio
    print()
    if kernel.built() is not None:
        ratio = compare_threads(pg, paths, rounds)
        print(f"{_THREADS}: {ratio:.2f} of pg_waldump -q\n")
        if measure := _MEASURES.get((title, _THREADS)):
            ratios[measure] = ratio
    for measure, ratio in ratios.items():
        history.keep(measure, ratio)


def compare_threads(pg: Installation, paths: list[Path], rounds: int) -> float:
    """How many times as fast two threads are, by the clock."""
    found = []
    for _ in range(rounds):
        theirs = sum(run_waldump(pg, paths).wall_seconds for _ in range(_READINGS))
        with get_context("spawn").Pool(1) as pool:
            ours = pool.apply(run_scan, (paths * _READINGS, "records", "c", 2))
        found.append(theirs / ours.wall_seconds)
    return median(found)


def run_waldump(pg: Installation, paths: list[Path]) -> Run:
    command = [pg.program("pg_waldump"), "-q", "-p", paths[0].parent, paths[0].name, paths[-1].name]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True)
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall, cpu, 0, None)


def run_scan(paths: list[Path], depth: Depth, engine: kernel.Engine, threads: int) -> Run:
    """Scan from the page cache; the imports and tables of a worker are paid before."""
    kernel.choose(engine)
    with ThreadPoolExecutor(threads) as pool:
        peaks = pool.map(lambda path: (_scan(path, depth), _anonymous_bytes())[1], paths)
        peak = max(peaks)
        cpu, begun = time.process_time(), time.perf_counter()
        records = sum(pool.map(lambda path: _scan(path, depth), paths))
        wall, spent = time.perf_counter() - begun, time.process_time() - cpu
    return Run(wall, spent, records, peak)


def _scan(path: Path, depth: Depth) -> int:
    status = path.stat()
    file = ArchivedFile(
        str(path.parent), path.name, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    )
    scan = read_segment(file, path.name, status.st_size, depth).scan
    if scan.damage:
        sys.exit(f"{path}: {scan.damage}")
    return scan.facts.records


def _anonymous_bytes() -> int:
    """Memory of this process itself."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    main()
