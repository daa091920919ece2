"""Mutated inputs through every entry of the parsers: a value or ParseError, never anything else.

    python -m tests.fuzz_parsers [--calls N] [--seed N] [--minutes M] [--only WORDS] [--results F]
    make fuzz FUZZ_CALLS=1000000

Each entry of tests.parsers.entries gets so many inputs, made of its samples, a thousand at a turn;
whose turn it is has had the least processor time. A format with a checksum of its own gets it put
right in two of three, or nothing below it would be reached. Says of each what it refused, the
longest call in processor time, and the memory of the process at most. With the results of the same
seed it goes on where it was, however it ended.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from parsers.errors import ParseError
from parsers.log import filter as line_filter
from tests.parsers.entries import ENTRIES, Entry
from tests.parsers.samples import resealed, samples_of

TURN: Final = 1000  # inputs
_KEPT_EVERY_SECONDS: Final = 20
_TOKENS: Final = (
    b"\xff" * 4, bytes(4), b"\n", b"'", b'"', b"\\", b"\0", b"%s", b"\xc3", b"-1", b"1e999",
    b"99999999999999999999", b"[]", b"{}", b"null", b"NaN", b"=", b"\t", b"/", b"..", b"\r\n",
)  # fmt: skip
_VALUES: Final = (
    None, True, 0, -1, 1 << 31, 1 << 64, 10**400, 0.5, float("nan"), float("inf"), "", "x", "0/1",
    "\0", "\ud800", "../x", "2026-01-01", [], {}, [[]], {"": None},
)  # fmt: skip


@dataclass(kw_only=True)
class Fuzzed:
    """What became of one entry."""

    name: str
    seed: int
    calls: int = 0
    refused: int = 0
    broken: int = 0
    longest_seconds: float = 0.0
    seconds: float = 0.0
    memory_mib: int = 0

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.refused:,} of {self.calls:,} refused, {self.broken} broken,"
            f" {self.seconds:.0f} s, the longest {self.longest_seconds * 1000:.0f} ms,"
            f" {self.memory_mib} MiB"
        )


def make_input(name: str, chance: random.Random) -> bytes:
    """One input of an entry."""
    samples = samples_of(name)
    data = None
    if samples[0].startswith(b"{") and chance.randrange(2):
        data = _change_json(chance, chance.choice(samples))
    if data is None:
        data = mutate(chance, samples)
    return resealed(name, data) if chance.randrange(3) else data


def mutate(chance: random.Random, samples: Sequence[bytes]) -> bytes:
    """Flip, cut, repeat, replace or mix a few bytes; or forget the data altogether."""
    changed = bytearray(chance.choice(samples))
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(changed)) if changed else 0
        match chance.randrange(9):
            case 0:
                del changed[at:]
            case 1:
                begin = chance.randrange(len(changed) + 1)
                changed[at:at] = changed[begin : begin + chance.randrange(1, 40)]
            case 2:
                token = chance.choice(_TOKENS)
                changed[at : at + chance.choice((0, len(token)))] = token
            case 3 if not chance.randrange(4):
                return chance.randbytes(chance.randrange(120))
            case 4:
                other = chance.choice(samples)
                changed[at:] = other[chance.randrange(len(other) + 1) :]
            case 5:
                del changed[at : at + chance.randrange(1, 9)]
            case 6 if changed:
                changed[at] ^= 1 << chance.randrange(8)
            case _:
                changed[at : at + 1] = bytes([chance.randrange(256)])
    return bytes(changed)


def _change_json(chance: random.Random, data: bytes) -> bytes | None:
    """Another value somewhere in it, or a key less; None: the sample is several documents."""
    try:
        document = json.loads(data)
    except ValueError:
        return None
    for _ in range(chance.choice((1, 1, 2))):
        _change(chance, document)
    checksum = document.pop("Manifest-Checksum", None)
    text = json.dumps(document, separators=(",", ":"))
    return text.encode() if checksum is None else text[:-1].encode() + b",\n"


def _change(chance: random.Random, node: Any) -> None:
    places = list(node if isinstance(node, dict) else range(len(node)))
    if not places:
        return
    at = chance.choice(places)
    if isinstance(node[at], dict | list) and node[at] and chance.randrange(5):
        _change(chance, node[at])
    elif chance.randrange(5):
        node[at] = deepcopy(chance.choice(_VALUES))
    else:
        del node[at]


def fuzz(made: Fuzzed, turn: int, calls: int = TURN) -> None:
    """One turn; what an entry raises that it may not is printed, with what replays it."""
    entry = ENTRIES[made.name]
    chance = random.Random(f"{made.name} {made.seed} {turn}")
    begin = time.process_time()
    for _ in range(calls):
        data = make_input(made.name, chance)
        before = time.perf_counter()
        try:
            _ask(entry, data)
        except ParseError:
            made.refused += 1
        except Exception:
            made.broken += 1
            print(f"{made.name}, seed {made.seed}, turn {turn}: {data!r}")
            traceback.print_exc()
        made.calls += 1
        if time.perf_counter() - before > made.longest_seconds:
            made.longest_seconds = max(made.longest_seconds, _processor_seconds(entry, data))
    made.seconds += time.process_time() - begin
    made.memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _ask(entry: Entry, data: bytes) -> None:
    result = entry(data)
    if isinstance(result, Iterator):
        list(result)


def _processor_seconds(entry: Entry, data: bytes) -> float:
    """Of one call more: the clock on the wall has the neighbours' work in it."""
    before = time.process_time()
    with suppress(Exception):
        _ask(entry, data)
    return time.process_time() - before


def read_results(path: Path | None, seed: int | None = None) -> dict[str, Fuzzed]:
    """What had become of each entry that is still there, with this seed or any."""
    lines = path.read_text().splitlines() if path and path.exists() else []
    found = [Fuzzed(**json.loads(line)) for line in lines]
    return {each.name: each for each in found if each.name in ENTRIES and seed in (None, each.seed)}


def keep(path: Path | None, done: list[Fuzzed]) -> None:
    if path:
        new = path.with_name(f"{path.name}.new")
        new.write_text("".join(json.dumps(asdict(each)) + "\n" for each in done))
        new.rename(path)


def _work_out_once() -> None:
    """What every stream works out anew, and always the same: most of the time of a short log."""
    encode = lru_cache(1 << 17)(line_filter.encode_in_each)
    make, known = line_filter.trie_pattern, dict[frozenset[bytes], bytes]()

    def trie_pattern(texts: Iterable[bytes]) -> bytes:
        words = frozenset(texts)
        if words not in known:
            known[words] = make(words)
        return known[words]

    line_filter.encode_in_each = encode  # type: ignore[assignment]
    line_filter.trie_pattern = trie_pattern


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.fuzz_parsers")
    parser.add_argument("--calls", type=int, default=20_000, help="of each entry")
    parser.add_argument("--seed", type=int, default=random.randrange(1, 1 << 31))
    parser.add_argument("--only", default="", help="entries that have these words")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no turn after so many")
    parser.add_argument("--results", type=Path, help="a line of JSON for each entry; goes on there")
    given = parser.parse_args()
    _work_out_once()
    print(f"seed {given.seed}, {given.calls:,} inputs of each parser", flush=True)
    known = read_results(given.results, given.seed)
    wanted = [name for name in ENTRIES if given.only in name]
    done = [known.pop(name, Fuzzed(name=name, seed=given.seed)) for name in wanted]
    end = time.monotonic() + given.minutes * 60
    kept_at = time.monotonic()
    while time.monotonic() < end and (left := [each for each in done if each.calls < given.calls]):
        made = min(left, key=lambda each: each.seconds)
        fuzz(made, made.calls // TURN, min(TURN, given.calls - made.calls))
        if made.calls == given.calls:
            print(made, flush=True)
        if time.monotonic() - kept_at > _KEPT_EVERY_SECONDS:
            keep(given.results, [*done, *known.values()])
            kept_at = time.monotonic()
    print(*(f"not done: {each}" for each in done if each.calls < given.calls), sep="\n")
    keep(given.results, [*done, *known.values()])
    return int(any(each.broken for each in done))


if __name__ == "__main__":
    sys.exit(main())
