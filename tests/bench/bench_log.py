"""How fast the log reader is, beside grep -E for the same messages and pgBadger on the same log.

    python -m tests.bench.bench_log [--mib N] [--rounds N]

The log is mostly a busy server's other traffic, with a restore in it now and then. Each reader
runs in a process of its own; speed is by CPU time and of the best round. pgBadger is left out where
it is not installed (Debian: apt-get install pgbadger).
"""

from __future__ import annotations

import argparse
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from parsers.log.messages import TABLE
from parsers.log.messages.message import PRIMARY
from parsers.log.recovery_events import RecoveryEvent
from parsers.log.stream import LogStream
from tests.bench import history

MIB = 1 << 20
RESTORE = Path(__file__).parent.parent / "parsers" / "logs" / "no_target.log"
_EVERY = 200_000  # records of traffic between two restores


def traffic(size: int) -> Iterator[str]:
    """About `size` bytes of log: statements, connections, errors with their parts, restores."""
    choose = random.Random(size)
    restore = RESTORE.read_text()
    written = number = 0
    while written < size:
        seconds = number // 500
        stamp = f"2026-11-22 12:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{number % 1000:03d} UTC"
        text = _record(f"{stamp} [{choose.randint(5000, 9000)}] ", number, choose)
        if number % _EVERY == 5:
            text += restore
        yield text
        written += len(text)
        number += 1


def _record(prefix: str, number: int, choose: random.Random) -> str:
    kind = choose.random()
    if kind < 0.5:
        return (
            f"{prefix}LOG:  duration: {choose.random() * 10:.3f} ms  statement: SELECT a, b, c "
            f"FROM orders WHERE customer_id = {choose.randint(1, 99999)} ORDER BY created_at\n"
        )
    if kind < 0.7:
        return (
            f"{prefix}LOG:  connection received: host=10.0.0.7 port={choose.randint(1024, 65000)}\n"
        )
    if kind < 0.85:
        return f"{prefix}LOG:  disconnection: session time: 0:00:00.123 user=ana database=shop\n"
    if kind < 0.93:
        return (
            f'{prefix}ERROR:  duplicate key value violates unique constraint "orders_pkey"\n'
            f"{prefix}DETAIL:  Key (id)=({number}) already exists.\n"
            f"{prefix}STATEMENT:  INSERT INTO orders VALUES ({number})\n"
        )
    return (
        f"{prefix}LOG:  execute <unnamed>: UPDATE stock\n\tSET n = n - 1\n\tWHERE id = $1\n"
        f"{prefix}DETAIL:  parameters: $1 = '12'\n"
    )


def patterns() -> str:
    """Our messages as lines of extended regular expressions."""
    lines = []
    for message in TABLE:
        if message.part == PRIMARY:
            literal = re.sub(r"%[^a-zA-Z%]*(?:ll|l)?[a-zA-Z]", "\0", message.id).replace("%%", "%")
            lines.append(re.sub("\0+", ".*", re.sub(r"([][().*+?{}|\\^$])", r"\\\1", literal)))
    return "\n".join(lines)


def cpu_seconds(command: list[str], rounds: int) -> float:
    """The best of `rounds` runs."""
    best = float("inf")
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Not to /dev/null: grep then stops at its first match.
        subprocess.run(command, stdout=subprocess.PIPE, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def read(log: Path) -> None:
    """What the benchmark measures of ours; says how much memory it took."""
    stream, events = LogStream(), 0
    with log.open("rb") as file:
        while data := file.read(MIB):
            events += sum(isinstance(item, RecoveryEvent) for item in stream.feed(data))
    stream.end()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{stream.counts}, {events} events, peak memory {peak:.0f} MiB", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read(options.read)
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        log, ids = Path(directory, "server.log"), Path(directory, "ids")
        with log.open("w") as file:
            file.writelines(traffic(options.mib * MIB))
        ids.write_text(patterns())
        compare(log, ids, options.rounds)


def compare(log: Path, ids: Path, rounds: int) -> None:
    """Print one line a reader."""
    size = log.stat().st_size
    with log.open("rb") as file:
        lines = sum(block.count(b"\n") for block in iter(lambda: file.read(MIB), b""))
    readers = {
        "LogStream": [sys.executable, "-m", "tests.bench.bench_log", "--read", str(log)],
        "grep -E": ["grep", "-cE", "-f", str(ids), str(log)],
    }
    spent = {name: cpu_seconds(command, rounds) for name, command in readers.items()}
    for name, seconds in spent.items():
        report(name, seconds, size, lines)
    history.keep("log.grep", spent["grep -E"] / spent["LogStream"])
    if shutil.which("pgbadger"):
        with tempfile.TemporaryDirectory() as directory:
            small = Path(directory, "small.log")  # it takes minutes for each gigabyte
            small.write_bytes(log.open("rb").read(32 * MIB))
            command = ["pgbadger", "-q", "-f", "stderr", "-o", f"{directory}/x.html", str(small)]
            count = small.read_bytes().count(b"\n")
            report("pgBadger", cpu_seconds(command, 1), small.stat().st_size, count)


def report(name: str, seconds: float, size: int, lines: int) -> None:
    print(f"{name:10} {size / seconds / 1e6:8.1f} MB/s  {lines / seconds / 1e3:9.0f} klines/s")


if __name__ == "__main__":
    main()
