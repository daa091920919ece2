"""What a drill costs beside the bare restore that it makes, and fetch-wal beside cp.

    python -m tests.bench.bench_drill [--backup-mib N] [--segments N] [--rounds N]

A backup made by pgbench and the WAL of its transactions, restored in turns by `cp -a` and a server
whose restore_command is `cp`, and by `pitr-check --drill`, whose copy, start, replay and opening
count. Both servers have fsync off, and the same memory. Then every segment is asked for as a server
would, with a pause for its replay. Medians of the rounds, in which everything takes its turn, and
the load meanwhile. Prints the tables of docs/performance.md.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from agent.postgres.account import server_account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation, InstallationFor, find_installation
from tests.bench import history
from tests.fix_layouts import promoted

MIB = 1 << 20
BIN = Path(sys.executable).parent
_MIB_A_SCALE = 15  # of pgbench -i, indexes included
_REPLAY_SECONDS = 0.1  # of a segment
_BARE = {"fsync": False, "full_page_writes": False, "autovacuum": False, "wal_init_zero": False,
         "wal_recycle": False, "shared_buffers": "128MB"}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--backup-mib", type=int, default=2100)
    parser.add_argument("--segments", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pb-", dir="/tmp") as directory:
        home = Path(directory)
        home.chmod(0o755)
        with InstallationFor(find_installation(16), server_account()) as pg:
            archive, backup = make_backup(pg, home, arguments.backup_mib, arguments.segments)
            measure_restores(pg, home, archive, backup, arguments.rounds)
            measure_fetching(home, archive, backup, arguments.rounds)


def make_backup(pg: Installation, home: Path, mib: int, segments: int) -> tuple[Path, Path]:
    """An archive and a plain backup, the transactions after it."""
    cluster = Cluster(pg, home / "c", server_account())
    cluster.initdb()
    archive = cluster.account.make_directory(cluster.home / "archive")
    cluster.configure(
        fsync=False, archive_mode="on", archive_command=f"cp %p {archive}/%f",
        max_wal_size="2GB", synchronous_commit=False,
    )  # fmt: skip
    common = ["-h", str(cluster.sockets), "-U", "postgres", "postgres"]
    backup = cluster.account.make_directory(cluster.home / "backups") / "one"
    with cluster.running():
        scale = max(1, mib // _MIB_A_SCALE)
        cluster.run("pgbench", *common, "-i", "-q", "-s", str(scale))
        cluster.base_backup(backup)
        for path in archive.iterdir():
            path.unlink()
        while len(list(archive.iterdir())) < segments:
            cluster.run("pgbench", *common, "-n", "-c", "2", "-t", "2000")
        cluster.sql("SELECT pg_switch_wal()")
        cluster.stop()
    shutil.rmtree(cluster.data)
    return archive, backup


# -- whole restores -------------------------------------------------------------------------------


def measure_restores(
    pg: Installation, home: Path, archive: Path, backup: Path, rounds: int
) -> None:
    size = sum(path.stat().st_size for path in backup.rglob("*") if path.is_file())
    wal = sum(path.stat().st_size for path in archive.iterdir())
    bare: list[tuple[float, float]] = []
    drilled: list[tuple[float, float]] = []
    loads: list[float] = []
    for _ in range(rounds):
        bare.append(_bare(pg, home, archive, backup))
        drilled.append(_drill(home, archive, backup))
        loads.append(os.getloadavg()[0])
    print(
        f"\n| a backup of {size / MIB:.0f} MiB, {wal / MIB:.0f} MiB of WAL, {rounds} rounds, load "
        f"{min(loads):.0f} to {max(loads):.0f} | copy s | server s | both s | ratio |"
    )
    print("|---|---:|---:|---:|---:|")
    both = median(map(sum, bare))
    for name, took in (
        ("`cp -a`, and a server with `cp` as its restore_command", bare),
        ("a drill: copying; starting, replaying and opening", drilled),
    ):
        copy, server = (median(column) for column in zip(*took, strict=True))
        whole = median(map(sum, took))
        print(f"| {name} | {copy:.2f} | {server:.2f} | {whole:.2f} | {whole / both:.2f} |")
    ratios = [sum(drill) / sum(alone) for alone, drill in zip(bare, drilled, strict=True)]
    history.keep("drill.restore", median(ratios))
    print(f"\nThe ratio of each round: {', '.join(f'{ratio:.2f}' for ratio in sorted(ratios))}.")


def _bare(pg: Installation, home: Path, archive: Path, backup: Path) -> tuple[float, float]:
    cluster = Cluster(pg, home / "bare", server_account())
    begun = time.monotonic()
    subprocess.run(["cp", "-a", str(backup), str(cluster.data)], check=True)
    copied = time.monotonic()
    cluster.configure(
        unix_socket_directories=str(cluster.sockets), listen_addresses="", archive_mode="off",
        restore_command=f"cp {archive}/%f %p", **_BARE,
    )  # fmt: skip
    cluster.signal()
    with promoted(cluster):
        opened = time.monotonic()
    shutil.rmtree(cluster.home)
    return copied - begun, opened - copied


def _drill(home: Path, archive: Path, backup: Path) -> tuple[float, float]:
    command = [
        BIN / "pitr-check", "--archive", archive, "--backup", backup, "--format", "json",
        "--drill", "--drill-directory", home,
    ]  # fmt: skip
    said = subprocess.run(command, capture_output=True, text=True)
    drill = json.loads(said.stdout)["drill"]
    assert drill["agrees"] is True, said.stdout
    phases = drill["phases"]
    return phases["copy"], phases["start"] + phases["replay"] + phases["open"]


# -- one segment after the other -------------------------------------------------------------------


def measure_fetching(home: Path, archive: Path, backup: Path, rounds: int) -> None:
    packed = home / "packed"
    packed.mkdir()
    names = sorted(path.name for path in archive.iterdir() if len(path.name) == 24)
    for name in names:
        data = (archive / name).read_bytes()
        (packed / f"{name}.gz").write_bytes(gzip.compress(data, compresslevel=6))
    fetch = shlex.join([str(BIN / "pitr-agent"), "fetch-wal"])
    commands = {
        "`cp`": f"cp {archive}/%f %p",
        "`fetch-wal`": f"{fetch} --archive {archive} %f %p",
        "`fetch-wal --prefetch 4`": f"{fetch} --prefetch 4 --archive {archive} %f %p",
        "gzip: `gunzip -c`": f"gunzip -c {packed}/%f.gz > %p",
        "gzip: `fetch-wal`": f"{fetch} --archive {packed} %f %p",
        "gzip: `fetch-wal --prefetch 4`": f"{fetch} --prefetch 4 --archive {packed} %f %p",
    }
    waits: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            waits[name].append(_wait(home / "server", backup, names, command))
    print(
        f"\n| {len(names)} segments, {_REPLAY_SECONDS} s of replay each, {rounds} rounds, "
        f"load {os.getloadavg()[0]:.0f} | s a segment | CPU s a segment | CPU, of its counterpart |"
    )
    print("|---|---:|---:|---:|")
    base = 0.0
    for name, took in waits.items():
        seconds, cpu = (median(column) for column in zip(*took, strict=True))
        base = cpu if "fetch-wal" not in name else base
        print(f"| {name} | {seconds:.3f} | {cpu:.3f} | {cpu / base:.1f} |")


def _wait(data: Path, backup: Path, names: list[str], command: str) -> tuple[float, float]:
    """How long a server waits for one segment, and what CPU that takes, in the mean.

    A process that fetches ahead works beside the server, and is not counted.
    """
    (data / "pg_wal").mkdir(parents=True)
    (data / "global").mkdir()
    shutil.copy(backup / "global/pg_control", data / "global")
    (data / "recovery.signal").touch()
    waited = used = 0.0
    for name in names:
        begun, used_before = time.monotonic(), _cpu_of_children()
        words = command.replace("%f", name).replace("%p", "pg_wal/RECOVERYXLOG")
        subprocess.run(words, shell=True, cwd=data, check=True)
        waited += time.monotonic() - begun
        used += _cpu_of_children() - used_before
        time.sleep(_REPLAY_SECONDS)
    (data / "recovery.signal").unlink()
    _until(lambda: not (data / "pg_wal" / ".pitr-prefetch").exists())
    shutil.rmtree(data)
    return waited / len(names), used / len(names)


def _cpu_of_children() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _until(what: Callable[[], bool]) -> None:
    while not what():
        time.sleep(0.01)


if __name__ == "__main__":
    main()
