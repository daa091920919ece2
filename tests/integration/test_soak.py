"""The agent among everything that breaks around it: no false verdict, no lost event, and recovery
by itself.

A round of it runs by default; SOAK_MINUTES=60 goes on at random, SOAK_SEED says which random, and
SOAK_REPORT names a file for the memory and the processor time of each round.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import psutil
import pytest

from tests.fix_soak import FULL, NO_ARCHIVE, Soak

MINUTES = float(os.environ.get("SOAK_MINUTES", "0"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
REPORT = os.environ.get("SOAK_REPORT")

# What happens, and what may be said until it is over.
HAPPENINGS = (
    (Soak.kill_the_agent, frozenset[str]()),
    (Soak.restart_the_server, frozenset[str]()),
    (Soak.take_the_archive_away, NO_ARCHIVE),
    (Soak.set_the_clock_forth, frozenset[str]()),
    (Soak.put_a_file_in_its_place, NO_ARCHIVE),
    (Soak.make_the_archive_unreadable, NO_ARCHIVE),
    (Soak.fill_the_archive, FULL),
    (Soak.truncate_the_log, frozenset[str]()),
    (Soak.set_the_clock_back, frozenset[str]()),
    (Soak.rotate_the_log, frozenset[str]()),
    (Soak.restart_the_server, frozenset[str]()),
    (Soak.take_another_backup, frozenset[str]()),
)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.pg("== 16")
def test_it_lives_through_everything(soak: Soak) -> None:
    up = soak.wait(lambda page: page.total("pitr_up") == 2)
    assert up.total("pitr_recovery_in_progress", cluster="restored") == 1
    soak.restored.sql("SELECT pg_promote()")
    soak.wait(lambda page: page.total("pitr_recovery_in_progress", cluster="restored") == 0)
    soak.write()
    for happen, allowed in HAPPENINGS:
        happen(soak)
        soak.wait_well(allowed)


@pytest.mark.needs("SOAK_MINUTES")
@pytest.mark.timeout(MINUTES * 60 + 600)
@pytest.mark.pg("== 16")
def test_it_goes_on_for_long_and_does_not_grow(soak: Soak) -> None:
    soak.wait(lambda page: page.total("pitr_up") == 2)
    soak.restored.sql("SELECT pg_promote()")
    soak.wait_well()
    chance, sizes = random.Random(SEED), []
    killing = {Soak.kill_the_agent, Soak.fill_the_archive}  # a new process begins small
    living = [(happen, allowed) for happen, allowed in HAPPENINGS if happen not in killing]
    ends = time.monotonic() + MINUTES * 60
    while time.monotonic() < ends:
        happen, allowed = chance.choice(living)
        happen(soak)
        soak.write()
        soak.wait_well(allowed | NO_ARCHIVE)
        process = psutil.Process(soak.agent.pid)
        sizes.append(process.memory_info().rss)
        _report(f"{len(sizes)} {happen.__name__} {sizes[-1]} {sum(process.cpu_times()[:2]):.1f}")
    if len(sizes) > 40:
        settled = max(sizes[10:20])
        assert max(sizes[-10:]) < 1.2 * settled, f"it grows: {sizes}"
    for happen, allowed in HAPPENINGS:
        happen(soak)
        soak.wait_well(allowed)


def _report(line: str) -> None:
    if REPORT:
        with Path(REPORT).open("a") as file:
            file.write(f"{line}\n")
