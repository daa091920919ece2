"""Fuzz the compiled WAL engine under the address and undefined-behaviour sanitizers.

    python -m tests.fuzz_kernel [--seconds N] [--seed N]      make fuzz FUZZ_SECONDS=600

Mutates WAL made here and what is in kernel/corpus, in kernel/fuzz.c. An input that makes a
sanitizer report is kept in kernel/corpus: the tests walk it from then on.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.parsers.wal.test_kernel import MAGICS, make_varied
from tests.wal_writer import PAGE

KERNEL = Path(__file__).parent.parent / "kernel"
CORPUS = KERNEL / "corpus"
_FLAGS = ("-std=gnu11", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1, 1 << 31))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pitr-fuzz-") as place:
        directory = Path(place)
        program = build(directory)
        seeds = [*make_seeds(directory), *sorted(CORPUS.glob("*.pages"))]
        print(f"seed {arguments.seed}, {len(seeds)} files, {arguments.seconds} s", flush=True)
        done = fuzz(program, arguments.seconds, arguments.seed, directory / "last", seeds)
        print(done.stdout + done.stderr, end="")
        if done.returncode:
            sys.exit(f"found: {keep(directory / 'last')}")


def build(directory: Path) -> Path:
    """The fuzzer, with what it fuzzes."""
    program = directory / "fuzz"
    sources = [KERNEL / name for name in ("fuzz.c", "walk.c", "journal.c", "crc.c", "pages.c")]
    compiler = os.environ.get("CC") or "cc"
    subprocess.run([compiler, *_FLAGS, *sources, "-o", program], check=True)
    return program


def make_seeds(directory: Path) -> list[Path]:
    """A few pages of each release's WAL."""
    seeds = []
    for magic, largest in itertools.product(MAGICS, (100, 600, 10_000)):
        wal = make_varied(random.Random(magic), magic, 3, largest)
        wal.switch()
        seeds.append(directory / f"{magic:04x}-{largest}.pages")
        seeds[-1].write_bytes(wal.segments()[0][: 5 * PAGE])
    return seeds


def fuzz(
    program: Path, seconds: int, seed: int, last: Path, files: list[Path]
) -> subprocess.CompletedProcess[str]:
    """Run it; with 0 seconds each file is walked once, as it is."""
    command = [program, str(seconds), str(seed), last, *files]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def keep(last: Path) -> Path:
    """Put the last input into the corpus."""
    raw = last.read_bytes()
    pages = raw[8 : 8 + int.from_bytes(raw[:8], "little")]
    CORPUS.mkdir(exist_ok=True)
    kept = CORPUS / f"{hashlib.blake2b(pages, digest_size=6).hexdigest()}.pages"
    kept.write_bytes(pages)
    return kept


if __name__ == "__main__":
    main()
