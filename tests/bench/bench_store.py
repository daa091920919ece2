"""What an archive in S3 costs: listing 100,000 keys, reading segments, and the memory it takes.

    python -m tests.bench.bench_store [--keys N] [--rounds N]

SeaweedFS on loopback is the store. Every measurement is a process of its own that counts its CPU
from the first request on, so start-up is in none.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import obstore

from tests.bench import history
from tests.fix_stores import ACCESS_KEY, SECRET_KEY, Bucket, running_store

_SEGMENT_BYTES: Final = 16 << 20
_GIB_SEGMENTS: Final = (1 << 30) // _SEGMENT_BYTES
_AT_ONCE: Final = 64
# Each prints its CPU seconds, wall seconds and peak in MiB.
_MEASURED: Final = """
import collections, resource, sys, time
{prepare}
wall, cpu = time.monotonic(), time.process_time()
{work}
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(time.process_time() - cpu, time.monotonic() - wall, peak)
"""
_BARE: Final = _MEASURED.format(
    prepare="""
import obstore
from obstore.store import S3Store
store = S3Store("archives", client_options={"allow_http": True}, region="us-east-1",
                endpoint=sys.argv[2])""",
    work="collections.deque(obstore.list(store, prefix=sys.argv[1], chunk_size=1000), maxlen=0)",
)
_OURS: Final = _MEASURED.format(
    prepare="from agent.store.objects import list_objects",
    work="collections.deque(list_objects(f's3://archives/{sys.argv[1]}'), maxlen=0)",
)
_READ: Final = _MEASURED.format(
    prepare="from agent.archive.codecs import read_content",
    work=f"""
for number in range(int(sys.argv[2])):
    path = f"{{sys.argv[1]}}/{{number % {_GIB_SEGMENTS}}}"
    assert read_content(path, {_SEGMENT_BYTES}).data""",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        (home / "weed").mkdir()
        with running_store(home / "weed") as store:
            os.environ |= {
                "AWS_ENDPOINT_URL": store.endpoint, "AWS_ACCESS_KEY_ID": ACCESS_KEY,
                "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            }  # fmt: skip
            print("| what | CPU s | wall s | peak MiB |\n|---|---:|---:|---:|")
            measure_listing(store.bucket("archives"), arguments.keys, arguments.rounds)
            measure_reading(store.bucket("archives"), home / "disk", arguments.rounds)


def measure_listing(bucket: Bucket, keys: int, rounds: int) -> None:
    asyncio.run(_put_keys(bucket, keys))
    bare = _best(rounds, f"{keys:,} keys, bare obstore", _BARE, "keys", bucket.store.endpoint)
    ours = _best(rounds, f"{keys:,} keys", _OURS, "keys")
    if keys >= 100_000:
        history.keep("store.list", ours[0] / bare[0])


async def _put_keys(bucket: Bucket, count: int) -> None:
    room = asyncio.Semaphore(_AT_ONCE)

    async def put(number: int) -> None:
        async with room:
            name = f"00000001{number >> 8:08X}{number & 0xFF:08X}"
            await obstore.put_async(bucket.writer, f"keys/{name}", b"x")

    for begin in range(0, count, 1000):
        await asyncio.gather(*map(put, range(begin, min(begin + 1000, count))))


def measure_reading(bucket: Bucket, disk: Path, rounds: int) -> None:
    disk.mkdir()
    for number in range(_GIB_SEGMENTS):
        (disk / str(number)).write_bytes(os.urandom(_SEGMENT_BYTES))
    url = bucket.put_tree(disk, "read")
    _best(rounds, "1 GiB of segments from disk", _READ, disk, _GIB_SEGMENTS)
    from_store = _best(rounds, "the same from S3", _READ, url, _GIB_SEGMENTS)
    long = _best(1, "10 GiB from S3", _READ, url, 10 * _GIB_SEGMENTS)
    history.keep("store.read_peak", max(long[2] - from_store[2], 0.0))


def _best(rounds: int, title: str, code: str, *words: object) -> tuple[float, float, float]:
    """CPU seconds, wall seconds and peak MiB of the round that took the least CPU."""
    costs = []
    for _ in range(rounds):
        said = subprocess.run(
            [sys.executable, "-c", code, *map(str, words)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        cpu, wall, peak = map(float, said.stdout.split())
        costs.append((cpu, wall, peak))
    best = min(costs)
    print(f"| {title} | {best[0]:.2f} | {best[1]:.2f} | {best[2]:.0f} |", flush=True)
    return best


if __name__ == "__main__":
    main()
