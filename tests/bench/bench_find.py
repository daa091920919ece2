"""What `pitr-check find` costs, beside `pg_waldump -r Transaction` on the same segments.

    python -m tests.bench.bench_find [--segments N] [--rounds N]

Each line is one run with its start-up, its worker processes included; the segments are pgbench's,
16 MiB each. Prints the table of docs/performance.md.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from agent.postgres.account import server_account
from agent.postgres.installation import InstallationFor
from tests.bench import history
from tests.bench.bench_check import BIN, Cost, best, find_installation, make_archive, show


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--segments", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="pb-", dir="/tmp") as directory,
        InstallationFor(find_installation(16), server_account()) as pg,
    ):
        Path(directory).chmod(0o755)
        archive, backup = make_archive(pg, Path(directory) / "c", arguments.segments)
        names = sorted(path.name for path in archive.iterdir() if len(path.name) == 24)
        rounds = arguments.rounds
        print("| what | wall s | CPU s | peak MiB |\n|---|---:|---:|---:|")
        costs: list[Cost] = []
        for option in (("-r", "Transaction"), ()):
            title = f"pg_waldump {' '.join(option)} of {len(names)} segments"
            waldump = [pg.program("pg_waldump"), *option, "-p", archive, names[0], names[-1]]
            costs.append(best(waldump, rounds, []))
            show(title, costs[-1])
        find = [BIN / "pitr-check", "find", "--archive", archive, "--backup", backup]
        cost = best(find, rounds, [])
        show(f"find, the last 50 of {len(names)} segments", cost)
        history.keep("find.transactions", cost.cpu_seconds / costs[0].cpu_seconds)
        show("find --dropped", best([*find, "--dropped"], rounds, []))
        show("find, 1 worker", best([*find, "--workers", "1"], rounds, []))
        check = [BIN / "pitr-check", "--archive", archive, "--backup", backup]
        show("pitr-check, for comparison", best(check, rounds, []))


if __name__ == "__main__":
    main()
