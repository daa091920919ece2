"""`make faults`: python -m tests.faults --seeds 1-1000, and docs/faults.md of what it found.

A repository costs as much as fifty segments: it takes every 20th seed (tests.faults.sources). With
`--results` each case is kept once it is judged: what was broken off goes on where it was.
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
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.faults.ground import MAJOR
from tests.faults.kinds import Kind
from tests.faults.programs import OURS
from tests.faults.report import PAGE, page
from tests.faults.sources import SOURCES
from tests.faults.trial import Score, Tried
from tests.fuzz_parsers import read_results as fuzzed_from
from tests.truth.__main__ import end_with_parent, numbers


def read_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.faults")
    parser.add_argument("--seeds", default="1-10")
    parser.add_argument("--majors", type=numbers, default=[MAJOR])
    parser.add_argument("--kind", default="", help="only kinds that have these words")
    parser.add_argument("--part", default="", help="only in parts that have these words")
    parser.add_argument("--results", type=Path, help="add to them what they lack, and count all")
    parser.add_argument("--fuzzed", type=Path, help="what `make fuzz` found: the page says it")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, help="begin no case after so many")
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
        known = {_key(each) for each in read_results(given.results)}
        pool = stack.enter_context(
            ProcessPoolExecutor(
                given.jobs, mp_context=get_context("fork"), initializer=_begin,
                initargs=(os.getpid(), tries, known, given.results, end),
            )
        )  # fmt: skip
        for seed, found in zip(seeds, pool.map(_round, seeds), strict=True):
            done = [each for each in found if isinstance(each, Tried)]
            failed += (wrecked := [each for each in found if isinstance(each, str)])
            for text in wrecked:
                print(text, flush=True)
            for each in done:
                _tell(each, verbose=bool(given.kind))
            tried += done
            wrong = sum(each.wrong for each in done)
            if done:
                print(f"seed {seed}: {len(done)} cases, {wrong} wrong", flush=True)
    if given.results:
        tried = read_results(given.results)
    if not given.kind and tried:
        PAGE.write_text(page(tried, list(fuzzed_from(given.fuzzed).values())))
    return int(bool(failed) or any(each.wrong for each in tried))


Key = tuple[str, str, int]  # part, kind, seed


def _key(each: Tried) -> Key:
    return each.part, each.kind, each.seed


def keep(path: Path, each: Tried) -> None:
    """In one piece: whoever is killed leaves no half of it."""
    with path.open("ab", buffering=0) as file:
        file.write(json.dumps(asdict(replace(each, words={}))).encode() + b"\n")


def read_results(path: Path | None) -> list[Tried]:
    """All that were gathered; the last one of each case counts."""
    found = {}
    for line in path.read_text().splitlines() if path and path.exists() else []:
        each = json.loads(line)
        each["scores"] = {program: Score(*score) for program, score in each["scores"].items()}
        tried = Tried(**each)
        found[_key(tried)] = tried
    order = [(kind.part, kind.name) for source in SOURCES for kind in source.kinds]
    return sorted(
        found.values(),
        key=lambda each: (order.index((each.part, each.kind)), each.major, each.seed),
    )


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """How a kind is tried with a seed, and with which: those that leave this rest."""

    kind: Kind
    run: Callable[[int], Tried]
    step: int
    rest: int


Tries = list[_Trial]


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
                tries += [
                    _Trial(kind=kind, run=partial(made.try_one, kind), step=step, rest=rest)
                    for kind in kinds
                    if made
                ]
    return tries


_begun: dict[str, Any] = {}  # of a process of the pool: forked, for a listing is large


def _begin(
    parent: int, tries: Tries, known: set[Key], results: Path | None, end: float | None
) -> None:
    end_with_parent(parent)
    _begun.update(tries=tries, known=known, results=results, end=end)


def _round(seed: int) -> list[Tried | str]:
    """One seed, but for what is known; nothing after the end."""
    return [
        _try(trial, seed)
        for trial in _begun["tries"]
        if seed % trial.step == trial.rest
        and (trial.kind.part, trial.kind.name, seed) not in _begun["known"]
        and (_begun["end"] is None or time.monotonic() < _begun["end"])
    ]


def _try(trial: _Trial, seed: int) -> Tried | str:
    """One case, and keep it; where the campaign itself fails, how."""
    try:
        tried = trial.run(seed)
    except Exception:
        return f"{trial.kind.name}, seed {seed} was not tried\n{traceback.format_exc()}"
    if _begun["results"]:
        keep(_begun["results"], tried)
    return tried


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
