"""What reading by the workers of a Dask cluster costs: speed by workers, and the asker's memory.

    python -m tests.bench.bench_dask speed [--segments N]
    python -m tests.bench.bench_dask memory [--segments N]

`speed`: segments of 16 MiB, full of transactions, in SeaweedFS on loopback; scheduler and workers
beside it. `memory`: segments that were switched after 50 commits, sparse files, so that 100,000 of
them fit on a disk; each is a segment of its own with its own addresses.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Final

from agent.archive.directory import list_archive
from agent.archive.scanner import SegmentReader
from agent.archive.workers import Workers
from agent.dask_scan.link import SchedulerLink
from agent.dask_scan.words import encode_question
from agent.dask_scan.workers import DaskWorkers
from agent.ledger.store import Ledger
from parsers.segment import segment_name
from rules.model.facts import ArchiveFacts
from tests import wal_writer
from tests.fix_dask import running_cluster
from tests.fix_stores import ACCESS_KEY, SECRET_KEY, running_store
from tests.wal_writer import MIB, WalWriter

_COMMITS: Final = 50
_FULL_BYTES: Final = 16 * MIB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("what", choices=("speed", "memory"))
    parser.add_argument("--segments", type=int, default=0)
    parser.add_argument("--home", type=Path, help="where segments are made, and kept")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        home = arguments.home or Path(directory)
        if arguments.what == "memory":
            measure_memory(home, Path(directory), arguments.segments or 100_000)
        else:
            measure_speed(home, Path(directory), arguments.segments or 64)


def measure_memory(home: Path, scratch: Path, count: int) -> None:
    """Peak of the asking process, with a ledger, as it goes."""
    place = home / "sparse"
    _make_sparse(place, count)
    print("| segments | wall s | CPU of the asker s | its peak MiB |\n|---:|---:|---:|---:|")
    with running_cluster(scratch / "dask", 2) as cluster:
        archive = list_archive(str(place))
        listed = _peak()
        print(f"| listed: {len(archive.segments)} | | | {listed:.0f} |", flush=True)
        for part in (1000, count):
            some = dict(sorted(archive.segments.items())[:part])
            ledger = Ledger(str(scratch / f"{part}.sqlite"), print)
            began, cpu = time.monotonic(), time.process_time()
            reader = SegmentReader(on=DaskWorkers(cluster.url, print), ledger=ledger)
            readings = asyncio.run(
                reader.read(archive, some, MIB, "records", on_progress=_tell_peak)
            )
            assert len(readings.scans) == part, (readings.unread, readings.unreadable)
            wall, cpu = time.monotonic() - began, time.process_time() - cpu
            print(f"| {part} | {wall:.0f} | {cpu:.0f} | {_peak():.0f} |", flush=True)


def _tell_peak(done: int, total: int, *_: object) -> None:
    if done % 10_000 == 0 and done < total:
        print(f"| {done} of {total} | | | {_peak():.0f} |", flush=True)


def _make_sparse(place: Path, count: int) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        path = place / segment_name(1, number, MIB)
        if path.exists():
            continue
        wal = WalWriter(first_segment=number)
        for commit in range(_COMMITS):
            wal.commit(number * _COMMITS + commit, number)
        wal.record(0, 0x40, 0, b"")  # a switch
        with path.open("wb") as file:
            file.write(wal.out)
            file.truncate(MIB)
        os.utime(path, (1, 1))


def measure_speed(home: Path, scratch: Path, count: int) -> None:
    """1, 2 and 4 workers on S3, beside threads of this process; and what a task costs."""
    source = home / "full"
    wal_writer.MIB = _FULL_BYTES  # segments of the usual size
    _make_full(source, count)
    (scratch / "weed").mkdir()
    with running_store(scratch / "weed") as store:
        os.environ |= {
            "AWS_ENDPOINT_URL": store.endpoint, "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        }  # fmt: skip
        archive = list_archive(store.bucket("archives").put_tree(source, "full"))
        print("| by | wall s | segments/s | MiB/s | CPU of the asker, ms a segment |")
        print("|---|---:|---:|---:|---:|")
        for threads in (1, 2, 4):
            _read(archive, f"{threads} threads here", None, threads)
        for workers in (1, 2, 4):
            with running_cluster(scratch / f"dask-{workers}", workers) as cluster:
                _read(archive, "", DaskWorkers(cluster.url, print), 1)  # imports, connections
                _read(archive, f"{workers} workers", DaskWorkers(cluster.url, print), 1)
                print(f"a task that reads nothing: {_empty_task(cluster.url):.1f} ms", flush=True)
    print(f"load: {os.getloadavg()[0]:.0f}, of {os.cpu_count()} processors")


def _empty_task(url: str) -> float:
    """Milliseconds of one among many, as they are asked for one after the other by 16 at once."""
    link = SchedulerLink(url, print)
    asked = encode_question(None)

    async def several(count: int) -> None:
        room = asyncio.Semaphore(16)

        async def one() -> None:
            async with room:
                await link.ask(asked)

        await asyncio.gather(*(one() for _ in range(count)))

    link.start(several(50)).result()
    began = time.monotonic()
    link.start(several(1000)).result()
    took = time.monotonic() - began
    link.close(wait=True)
    return took


def _make_full(place: Path, count: int) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        wal = WalWriter(first_segment=number)
        for commit in range(2000):
            wal.commit(number * 2000 + commit, number)
        wal.fill_to(0)
        (place / segment_name(1, number, _FULL_BYTES)).write_bytes(wal.segments()[0])


def _read(archive: ArchiveFacts, title: str, on: Workers | None, threads: int) -> float:
    """Wall seconds."""
    began, cpu = time.monotonic(), time.process_time()
    reader = SegmentReader(threads, on=on)
    readings = asyncio.run(reader.read(archive, archive.segments, _FULL_BYTES, "records"))
    count = len(readings.scans)
    assert count == len(archive.segments), (readings.unread, readings.unreadable)
    wall, cpu = time.monotonic() - began, time.process_time() - cpu
    if title:
        row = (wall, count / wall, 16 * count / wall, 1000 * cpu / count)
        print(f"| {title} | {' | '.join(f'{each:.1f}' for each in row)} |", flush=True)
        print(f"  {dict(reader.usage.requests)}, {reader.usage.read_bytes} bytes", flush=True)
    return wall


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
