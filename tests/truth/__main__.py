"""`make truth`: python -m tests.truth --seeds 1-40 --majors 13,18."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import logging
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from agent.postgres.account import server_account
from agent.postgres.installation import Installation, InstallationFor
from tests.fix_postgres import list_servers
from tests.truth.plan import GENERATION, Plan, Trial, make_plan
from tests.truth.reduce import reduce
from tests.truth.report import read_results
from tests.truth.run import Ground, Lived, place
from tests.truth.world import Template


def numbers(text: str) -> list[int]:
    """
    >>> numbers("1,4-6")
    [1, 4, 5, 6]
    """
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def read_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.truth")
    parser.add_argument("--seeds", type=numbers, default=[1])
    parser.add_argument("--majors", type=numbers, default=[16, 18])
    parser.add_argument("--restores", type=int, default=24, help="trials of one history")
    parser.add_argument("--faces", type=int, default=1, help="of these, ask whoever can answer")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--results", type=Path, help="append a line for each history")
    parser.add_argument("--again", action="store_true", help="also those that the results have")
    parser.add_argument("--reduce", action="store_true", help="to the smallest that disagrees")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args(arguments)


def main() -> int:
    given = read_arguments()
    logging.disable()
    if given.reduce:
        with grounds(list_servers()) as make:
            (seed, *_), (major, *_) = given.seeds, given.majors
            return reduce_history(make(major), make_plan(seed, major, given.restores))
    wrong = 0
    with grounds(list_servers()) as make, _pool(given.jobs) as pool:
        there = {major: make(major, faces=given.faces) for major in given.majors}
        for lived in pool.map(_live, ((there[plan.major], plan) for plan in plans_of(given))):
            if isinstance(lived, str):
                print(lived, flush=True)
                wrong += 1
                continue
            tell(lived, verbose=given.verbose)
            wrong += len(lived.wrong)
            if given.results:
                with given.results.open("a") as file:
                    file.write(json.dumps(lived.line()) + "\n")
    return 1 if wrong else 0


def plans_of(given: argparse.Namespace) -> Iterator[Plan]:
    """The histories asked for; those that the results have already, only to live them again."""
    lines = read_results(given.results) if given.results and given.results.exists() else []
    known = {(line["generation"], line["seed"], line["major"]) for line in lines}
    for seed, major in product(given.seeds, given.majors):
        if given.again or (GENERATION, seed, major) not in known:
            yield make_plan(seed, major, given.restores)


def _pool(jobs: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        jobs, mp_context=get_context("fork"), initializer=end_with_parent, initargs=(os.getpid(),)
    )


def end_with_parent(parent: int) -> None:
    """Whoever ends the campaign ends its histories: prctl(PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


@contextlib.contextmanager
def grounds(servers: Mapping[int, Installation]) -> Iterator[Callable[..., Ground]]:
    """Gives the ground of a major, ready for histories, with these servers."""
    account = server_account()
    newest = max(each.major for each in servers.values() if each.has("pg_basebackup"))
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(place(account))

        def usable(major: int) -> Installation:
            return stack.enter_context(InstallationFor(servers[major], account))

        pg_basebackup = usable(newest).program("pg_basebackup")

        def make(major: int, **options: Any) -> Ground:
            template = Template(
                Path(tempfile.mkdtemp(dir=home)), account, usable(major), pg_basebackup
            )
            return Ground(home=home, template=template, **options)

        yield make


def _live(asked: tuple[Ground, Plan]) -> Lived | str:
    """One history; where the campaign itself fails, how."""
    ground, plan = asked
    try:
        return ground.live(plan)
    except Exception:
        seed = f"seed {plan.seed} major {plan.major}"
        return f"{seed} was not lived to its end\n{traceback.format_exc()}"


def reduce_history(there: Ground, plan: Plan) -> int:
    """Print the smallest history in which the first trial that disagrees does; 0: none does."""
    lived = there.live(plan)
    tell(lived, verbose=True)
    if not lived.wrong:
        return 0
    smallest = _reduce_first(there, lived)
    tell(there.live(smallest), verbose=True)
    print(json.dumps(smallest.document()))
    return 1


def _reduce_first(there: Ground, lived: Lived) -> Plan:
    """The smallest history in which the first trial that was wrong is wrong in the same way."""
    first = lived.wrong[0]
    fields = _fields(first.wrong)

    def disagrees(plan: Plan) -> bool:
        again = there.live(plan).wrong
        found = bool(again and _fields(again[0].wrong) & fields)
        print(f"  {len(plan.steps)} steps: {'disagrees' if found else 'agrees'}", flush=True)
        return found

    trial: Trial = first.trial
    return reduce(lived.plan, trial, disagrees)


def _fields(wrong: tuple[str, ...]) -> set[str]:
    return {each.partition(":")[0] for each in wrong}


def tell(lived: Lived, *, verbose: bool) -> None:
    plan = lived.plan
    print(
        f"seed {plan.seed} major {plan.major}: {len(lived.tried)} restores,"
        f" {len(lived.wrong)} wrong, {lived.seconds:.0f} s", flush=True,
    )  # fmt: skip
    if verbose:
        print("  " + " ".join(f"{step.id}:{step.kind}" for step in plan.steps))
        for number, why in lived.failed.items():
            print(f"  step {number} {why.splitlines()[0]}")
    for each in lived.wrong:
        print(f"  {each.target} {each.trial}")
        for text in (*each.wrong, each.outcome.reason):
            print(f"    {text}")
        print("    " + each.log.replace("\n", "\n    "), flush=True)


if __name__ == "__main__":
    sys.exit(main())
