"""How fast the WAL reader is, beside pg_waldump on the same segments.

    python -m tests.bench.bench_wal [--major N] [--segment-mib N] [--segments N] [--rounds N]

Makes WAL with pgbench on a server of ours, then reads it in turns with `pg_waldump -q` and with
`scan_segment` at both depths, each in a process of its own, on one core. Speed is by CPU time and
of the best round: what a shared machine takes away is not the reader's. Prints the tables of
docs/performance.md.
"""

from __future__ import annotations

import argparse
import mmap
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from agent.postgres.account import server_account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation, InstallationFor, list_installations
from parsers.segment import parse_segment_name
from parsers.wal_scan import Depth, scan_segment

MIB = 1 << 20
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
        "pgbench transactions": [archive / name for name in full if name not in loaded],
        "pgbench -i, and whole pages": [archive / name for name in full if name in loaded],
    }


def _segments(cluster: Cluster) -> set[str]:
    """Names of the segments that are complete by now, archived or about to be."""
    rows = cluster.sql("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
    names = {path.name for path in (cluster.data / "pg_wal").iterdir() if len(path.name) == 24}
    return {name for name in names if name < str(rows[0][0])}


def compare(title: str, pg: Installation, paths: list[Path], rounds: int) -> None:
    """Read the same segments in turns, and print one table. Per core: by CPU time."""
    mib = sum(path.stat().st_size for path in paths) / MIB
    runs: dict[str, list[Run]] = {"pg_waldump -q": [], "records": [], "headers": []}
    for _ in range(rounds):
        runs["pg_waldump -q"].append(run_waldump(pg, paths))
        for depth in ("records", "headers"):
            with get_context("spawn").Pool(1) as pool:
                runs[depth].append(pool.apply(run_scan, (paths, depth)))
    best = {name: min(found, key=lambda run: run.cpu_seconds) for name, found in runs.items()}
    records = best["records"].records
    base = mib / best["pg_waldump -q"].cpu_seconds
    print(f"{title}: {len(paths)} segments, {mib:.0f} MiB, {records} records\n")
    print("| reader | MiB/s | records/s | of pg_waldump -q | wall s | peak of own memory |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, run in best.items():
        speed = mib / run.cpu_seconds
        rate = f"{records / run.cpu_seconds:,.0f}" if name != "headers" else "-"
        peak = f"{run.peak_anonymous_bytes / MIB:.0f} MiB" if run.peak_anonymous_bytes else "-"
        ratio = speed / base
        print(f"| {name} | {speed:,.0f} | {rate} | {ratio:.2f} | {run.wall_seconds:.2f} | {peak} |")
    print()


def run_waldump(pg: Installation, paths: list[Path]) -> Run:
    command = [pg.program("pg_waldump"), "-q", "-p", paths[0].parent, paths[0].name, paths[-1].name]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True)
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall, cpu, 0, None)


def run_scan(paths: list[Path], depth: Depth) -> Run:
    """Scan from the page cache; the imports and tables of a worker are paid before."""
    _scan(paths[0], depth)
    records, peak = 0, 0
    cpu, begun = time.process_time(), time.perf_counter()
    for path in paths:
        records += _scan(path, depth)
        peak = max(peak, _anonymous_bytes())
    return Run(time.perf_counter() - begun, time.process_time() - cpu, records, peak)


def _scan(path: Path, depth: Depth) -> int:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as buffer:
        timeline, number = parse_segment_name(path.name, len(buffer))
        scan = scan_segment(buffer, name_timeline=timeline, segment_number=number, depth=depth)
        if scan.damage:
            sys.exit(f"{path}: {scan.damage}")
        return scan.facts.records


def _anonymous_bytes() -> int:
    """Memory of this process itself; the mapped segment is the page cache's."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    main()
