"""What a check costs: real segments, a million names, and the start of each program.

    python -m tests.bench.bench_check [--segments N] [--names N] [--rounds N]

Every measurement is a process of its own, as a person or PostgreSQL starts it; the best of the
rounds counts. Cold means that the segments are not in the page cache. Prints the tables of
docs/performance.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from agent.postgres.account import server_account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation, InstallationFor, find_installation
from parsers.segment import segment_name
from tests.bench import history
from tests.fix_layouts import compress_file

MIB = 1 << 20
SIZE = 16 * MIB
_SCANDIR = "import os, sys; print(sum(1 for _ in os.scandir(sys.argv[1])))"
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Cost:
    """What one process took, its children included."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int  # resident, of the whole tree at its worst moment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--segments", type=int, default=64)
    parser.add_argument("--names", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pb-", dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        print("| what | wall s | CPU s | peak MiB |\n|---|---:|---:|---:|")
        with InstallationFor(find_installation(16), server_account()) as pg:
            archive, backup = make_archive(pg, Path(directory) / "c", arguments.segments)
            measure_check(pg, archive, backup, arguments.rounds)
            measure_starts(archive, Path(directory), arguments.rounds)
        shutil.rmtree(Path(directory) / "c")
        make_names(Path(directory) / "names", arguments.names)
        measure_names(Path(directory) / "names", arguments.rounds)


def make_archive(pg: Installation, home: Path, count: int) -> tuple[Path, Path]:
    """A backup and `count` full segments after it, of pgbench's."""
    cluster = Cluster(pg, home, server_account())
    cluster.initdb()
    archive = cluster.account.make_directory(home / "archive")
    cluster.configure(
        fsync=False, archive_mode="on", archive_command=f"cp %p {archive}/%f", max_wal_size="2GB"
    )
    common = ["-h", str(cluster.sockets), "-U", "postgres", "postgres"]
    with cluster.running():
        cluster.base_backup(home / "backup")
        while len(list(archive.glob("*"))) < count:
            cluster.run("pgbench", *common, "-i", "-q", "-s", "30")
            cluster.run("pgbench", *common, "-c", "2", "-T", "10")
        cluster.stop()
    for path in sorted(path for path in archive.iterdir() if len(path.name) == 24)[count:]:
        path.unlink()
    return archive, home / "backup"


def measure_check(pg: Installation, archive: Path, backup: Path, rounds: int) -> None:
    paths = sorted(path for path in archive.iterdir() if len(path.name) == 24)
    waldump = [pg.program("pg_waldump"), "-q", "-p", archive, paths[0].name, paths[-1].name]
    check = [BIN / "pitr-check", "--archive", archive, "--backup", backup, "--depth"]
    for depth in ("records", "headers"):
        for state in ("cold", "warm"):
            files = paths if state == "cold" else []
            title = f"check of {len(paths)} segments, {depth}, {state}"
            cost = best([*check, depth], rounds, files)
            show(title, cost)
            if (depth, state) == ("records", "warm"):
                warm = cost
    one = best([*check, "records", "--workers", "1"], rounds, [])
    show(f"check of {len(paths)} segments, records, warm, 1 worker", one)
    show("pg_waldump -q, cold", best(waldump, rounds, paths))
    theirs = best(waldump, rounds, [])
    show("pg_waldump -q, warm", theirs)
    history.keep("check.segments", theirs.wall_seconds / warm.wall_seconds)
    few = archive.with_name("few")
    few.mkdir()
    for path in paths[:3]:
        (few / path.name).symlink_to(path)
    small = median_cpu([*check[:2], few, *check[3:], "records"], 3 * rounds)
    history.keep("check.small", small)


def measure_starts(archive: Path, directory: Path, rounds: int) -> None:
    show("python -c pass", best([sys.executable, "-c", "pass"], rounds * 3, []))
    show("pitr-check --help", best([BIN / "pitr-check", "--help"], rounds * 3, []))
    name = min(path.name for path in archive.iterdir() if len(path.name) == 24)
    fetch = [BIN / "pitr-agent", "fetch-wal", "--archive"]
    target = directory / "fetched"
    absent = segment_name(1, 1 << 20, SIZE)
    show("fetch-wal, absent", best([*fetch, archive, absent, target], rounds * 3, []))
    show("fetch-wal, 16 MiB plain", best([*fetch, archive, name, target], rounds * 3, []))
    ours = median_cpu([*fetch, archive, name, target], rounds * 5)
    history.keep("fetch.plain", ours / median_cpu(["/bin/cp", archive / name, target], rounds * 5))
    for suffix in (".gz", ".zst"):
        stored = directory / suffix
        stored.mkdir()
        compress_file(Path(shutil.copy(archive / name, stored)), suffix)
        cost = best([*fetch, stored, name, target], rounds * 3, [])
        show(f"fetch-wal, 16 MiB {suffix}", cost)


def make_names(directory: Path, count: int) -> None:
    """A gap in every hundred thousand names; the files are sparse."""
    directory.mkdir()
    handle = os.open(directory, os.O_RDONLY)
    for number in range(1, count + 1):
        if number % 100_000 != 50_000:
            name = segment_name(1, number, SIZE)
            file = os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=handle)
            os.ftruncate(file, SIZE)
            os.close(file)
    os.close(handle)


def measure_names(directory: Path, rounds: int) -> None:
    bare = [sys.executable, "-c", _SCANDIR, directory]
    base = best(bare, rounds, [])
    show("os.scandir of all names", base)
    check = [BIN / "pitr-check", "--archive", directory, "--depth", "names", "--format", "nagios"]
    cost = best(check, rounds, [])
    show("check of all names", cost)
    history.keep("check.names", cost.cpu_seconds / base.cpu_seconds)
    history.keep("check.names_peak", cost.peak_bytes / MIB)


def best(command: Sequence[object], rounds: int, cold: Sequence[Path]) -> Cost:
    """The cheapest of some runs; `cold` files are dropped from the page cache before each."""
    costs = []
    for _ in range(rounds):
        _drop(cold)
        costs.append(run([str(word) for word in command]))
    return min(costs, key=lambda cost: cost.wall_seconds)


def median_cpu(command: Sequence[object], rounds: int) -> float:
    """CPU seconds, of the run in the middle: a busy machine makes some of them dearer."""
    words = [str(word) for word in command]
    return median(run(words).cpu_seconds for _ in range(rounds))


def _drop(paths: Sequence[Path]) -> None:
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


_TIMED = """
import json, os, resource, sys, time
begun = time.perf_counter()
ours = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
pid = os.spawnv(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
os.dup2(ours, 1)
print(pid, flush=True)
os.waitpid(pid, 0)
wall = time.perf_counter() - begun
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024]), flush=True)
"""


def run(command: Sequence[str]) -> Cost:
    """Run one command, and look every few milliseconds at the memory of all its processes."""
    compiled = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(
        [sys.executable, "-c", _TIMED, *command],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=compiled,
    )  # fmt: skip
    assert process.stdout is not None
    root, peak = psutil.Process(int(process.stdout.readline())), 0
    spent: dict[int, float] = {}  # worker processes are no children of the one that is waited for
    while process.poll() is None:
        peak = max(peak, sum(_look(root, spent)))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    wall, cpu, single = json.loads(process.stdout.read().splitlines()[-1])
    return Cost(wall, max(cpu, sum(spent.values())), max(peak, single))


def _look(root: psutil.Process, spent: dict[int, float]) -> Iterator[int]:
    """Resident bytes of each process of the tree; notes its CPU seconds in `spent`."""
    with contextlib.suppress(psutil.Error):
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                spent[process.pid] = times.user + times.system
                yield process.memory_info().rss


def show(title: str, cost: Cost) -> None:
    print(
        f"| {title} | {cost.wall_seconds:.2f} | {cost.cpu_seconds:.2f} "
        f"| {cost.peak_bytes / MIB:.0f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
