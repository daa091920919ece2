"""`make faults`: python -m tests.faults --seeds 1-1000, and docs/faults.md of what it found.

A repository costs as much as fifty segments: it takes every 20th seed (tests.faults.sources).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.faults.ground import MAJOR
from tests.faults.programs import OURS
from tests.faults.report import PAGE, page
from tests.faults.sources import SOURCES
from tests.faults.trial import Score, Tried
from tests.truth.__main__ import end_with_parent, numbers


def read_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.faults")
    parser.add_argument("--seeds", default="1-10")
    parser.add_argument("--majors", type=numbers, default=[MAJOR])
    parser.add_argument("--kind", default="", help="only kinds that have these words")
    parser.add_argument("--part", default="", help="only in parts that have these words")
    parser.add_argument("--results", type=Path, help="append to them, and count all of them")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, help="begin no seed after so many")
    return parser.parse_args(arguments)


def main() -> int:
    given = read_arguments()
    logging.disable()
    end = time.monotonic() + given.minutes * 60 if given.minutes else None
    tried: list[Tried] = []
    failed: list[str] = []
    seeds = numbers(given.seeds)
    with contextlib.ExitStack() as stack:
        tries = _tries(stack, given, seeds)
        pool = stack.enter_context(
            ProcessPoolExecutor(
                given.jobs, mp_context=get_context("fork"), initializer=_begin,
                initargs=(os.getpid(), tries, end),
            )
        )  # fmt: skip
        for seed, found in zip(seeds, pool.map(_round, seeds), strict=True):
            done = [each for each in found if isinstance(each, Tried)]
            failed += [each for each in found if isinstance(each, str)]
            for each in done:
                _tell(each, verbose=bool(given.kind))
            tried += done
            wrong = sum(each.wrong for each in done)
            if done:
                print(f"seed {seed}: {len(done)} cases, {wrong} wrong", flush=True)
            if given.results:
                _append(given.results, done)
    if given.results:
        tried = read_results(given.results)
    if not given.kind and tried:
        PAGE.write_text(page(tried))
    print(*failed, sep="\n")
    return int(bool(failed) or any(each.wrong for each in tried))


def _append(path: Path, done: list[Tried]) -> None:
    with path.open("a") as file:
        file.writelines(json.dumps(asdict(replace(each, words={}))) + "\n" for each in done)


def read_results(path: Path) -> list[Tried]:
    """All that were gathered; the last one of each case counts."""
    found = {}
    for line in path.read_text().splitlines():
        each = json.loads(line)
        each["scores"] = {program: Score(*score) for program, score in each["scores"].items()}
        found[each["part"], each["kind"], each["seed"], each["major"]] = Tried(**each)
    order = [(kind.part, kind.name) for source in SOURCES for kind in source.kinds]
    return sorted(
        found.values(),
        key=lambda each: (order.index((each.part, each.kind)), each.major, each.seed),
    )


# How a kind is tried with a seed, and of which seeds: those that leave this rest.
Tries = list[tuple[Callable[[int], Tried], int, int]]


def _tries(stack: contextlib.ExitStack, given: argparse.Namespace, seeds: list[int]) -> Tries:
    """Those of the kinds that are wanted, on what is here; the evidence is made before.

    Of several majors each seed is of one, in turn.
    """
    tries: Tries = []
    for source in SOURCES:
        kinds = [each for each in source.kinds if given.kind in each.name]
        kinds = [each for each in kinds if given.part in each.part]
        majors = [major for major in given.majors if major in source.majors]
        for number, major in enumerate(majors):
            step = source.step * len(majors)
            rest = (1 + source.step * number) % step
            if kinds and any(seed % step == rest for seed in seeds):
                made = source.make(stack, major)
                tries += [(partial(made.try_one, kind), step, rest) for kind in kinds if made]
    return tries


_begun: dict[str, Any] = {}  # of a process of the pool: forked, for a listing is large


def _begin(parent: int, tries: Tries, end: float | None) -> None:
    end_with_parent(parent)
    _begun.update(tries=tries, end=end)


def _round(seed: int) -> list[Tried | str]:
    """One seed; nothing after the end."""
    if _begun["end"] is not None and time.monotonic() > _begun["end"]:
        return []
    return [_try(tried, seed) for tried, step, rest in _begun["tries"] if seed % step == rest]


def _try(tried: Callable[[int], Tried], seed: int) -> Tried | str:
    """One case; where the campaign itself fails, how."""
    try:
        return tried(seed)
    except Exception:
        return f"seed {seed} was not tried\n{traceback.format_exc()}"


def _tell(each: Tried, *, verbose: bool) -> None:
    if each.wrong or verbose:
        harm = "harmful" if each.harmful else "harmless"
        print(f"{each.part}, {each.kind}, seed {each.seed}, major {each.major}: {harm}")
        for program, score in each.scores.items():
            print(f"  {program}: {score}\n    {each.words[program]}")
    elif each.harmful and not each.scores[OURS].named:
        print(f"{each.part}, {each.kind}, seed {each.seed}: not named: {each.words[OURS]}")


if __name__ == "__main__":
    sys.exit(main())
