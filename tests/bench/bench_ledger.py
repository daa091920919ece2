"""What a check costs when a ledger knows the archive: ten thousand small segments, and a few.

    python -m tests.bench.bench_ledger [--segments N] [--rounds N] [--archive DIR --backup DIR]

Makes an archive of 1 MiB segments (10 GB) with a real server, unless one is given. Every
measurement is a process of its own; start-up is the same check of the newest 64 of them.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from agent.postgres.account import server_account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation, InstallationFor, find_installation
from tests.bench import history
from tests.bench.bench_check import BIN, best, run, show

_FEW = 64
_COMMITS = (
    "DO $$ BEGIN FOR i IN 1..20000 LOOP INSERT INTO t VALUES (i, 'x'); COMMIT; END LOOP; END $$"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--segments", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--backup", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pl-", dir="/tmp") as directory:
        home = Path(directory)
        home.chmod(0o755)
        archive, backup = arguments.archive, arguments.backup
        if archive is None:
            with InstallationFor(find_installation(16), server_account()) as pg:
                archive, backup = make_long_archive(pg, home / "c", arguments.segments)
        print("| what | wall s | CPU s | peak MiB |\n|---|---:|---:|---:|")
        measure(archive, backup, home, arguments.rounds)


def make_long_archive(pg: Installation, home: Path, count: int) -> tuple[Path, Path]:
    """A backup and the segments after it: bulk loads, and small commits between them."""
    cluster = Cluster(pg, home, server_account())
    cluster.initdb(segment_mib=1)
    cluster.configure(
        fsync=False, wal_keep_size="40GB", max_wal_size="40GB", wal_recycle=False,
        wal_init_zero=False, autovacuum=False,
    )  # fmt: skip
    wal = cluster.data / "pg_wal"
    with cluster.running():
        cluster.base_backup(home / "backup")
        cluster.sql("CREATE TABLE t (n int, filler text)")
        while len(list(wal.iterdir())) < count + 5:
            cluster.sql("INSERT INTO t SELECT n, repeat('y', 900) FROM generate_series(1, 90000) n")
            cluster.sql(_COMMITS)
            cluster.sql("TRUNCATE t")
        cluster.stop()
    archive = home / "archive"
    archive.mkdir()
    for path in sorted(path for path in wal.iterdir() if len(path.name) == 24)[:count]:
        path.rename(archive / path.name)
    return archive, home / "backup"


def measure(archive: Path, backup: Path, home: Path, rounds: int) -> None:
    few = home / "few"
    few.mkdir()
    names = sorted(path.name for path in archive.iterdir())
    for name in names[-_FEW:]:
        (few / name).symlink_to(archive / name)
    for title, place in ((f"{len(names):,}", archive), (f"{_FEW}", few)):
        ledger = home / f"{place.name}.sqlite"
        check = [BIN / "pitr-check", "--archive", place, "--backup", backup, "--ledger", ledger]
        show(
            f"check of {title} segments of 1 MiB, into an empty ledger",
            run([str(w) for w in check]),
        )
        cost = best(check, rounds, [])
        show(f"check of {title} segments that the ledger knows", cost)
        if len(names) >= 10_000 and place is archive:
            history.keep("check.ledger", cost.cpu_seconds)
        print(f"| its size, MiB | {ledger.stat().st_size / 2**20:.1f} | | |", flush=True)


if __name__ == "__main__":
    main()
