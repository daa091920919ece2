"""`make faults`, a slice of it: nothing is missed, nothing healthy is complained of.

PITR_TEST_SEED=7 makes another slice, `make faults SEED=7` puts the same faults.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.faults.__main__ import keep, read_results
from tests.faults.ground import ground
from tests.faults.kinds import ARCHIVE, KINDS, Kind
from tests.faults.own import KINDS as OF_OUR_OWN
from tests.faults.own import SLOW, own_files
from tests.faults.packed import KINDS as OF_PACKED
from tests.faults.packed import Packed
from tests.faults.programs import OURS, WALDUMP
from tests.faults.report import PAGE
from tests.faults.sources import SOURCES
from tests.faults.timelines import KINDS as OF_TIMELINES
from tests.faults.timelines import timelines
from tests.faults.trial import Campaign, Score, Tried
from tests.fix_tools import need, need_program

SEED = int(os.environ.get("PITR_TEST_SEED", "430006288"))


@pytest.fixture(scope="module")
def campaign() -> Iterator[Campaign]:
    need("Debian's PostgreSQL 15")
    with ground(segment_mib=1) as made:
        yield Campaign(made)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.part}: {kind.name}")
def test_a_fault_is_found_and_health_is_not(campaign: Campaign, kind: Kind) -> None:
    tried = campaign.try_one(kind, SEED)
    assert not tried.wrong, (f"PITR_TEST_SEED={SEED}", tried)


def test_faults_in_a_compressed_tar(campaign: Campaign) -> None:
    """Of one compressor; which, the seed says."""
    for program in ("gzip", "zstd", "lz4"):
        need_program(program)
    packed = Packed(campaign.ground)
    name = Random(SEED).choice(sorted(packed.sources))
    for kind in OF_PACKED:
        if f"`{name}`" in kind.name:
            tried = packed.try_one(kind, SEED)
            assert not tried.wrong, (f"PITR_TEST_SEED={SEED}", tried)


def test_faults_in_timeline_histories() -> None:
    """Some kinds; which, the seed says. All that a restore did had been predicted, too."""
    need("Debian's PostgreSQL 15")
    with timelines(15) as made:
        for kind in Random(SEED).sample(OF_TIMELINES, 4):
            tried = made.try_one(kind, SEED)
            assert not tried.wrong and tried.scores[OURS].placed, (f"PITR_TEST_SEED={SEED}", tried)


def test_our_own_files_damaged_and_their_writers_killed() -> None:
    """The answer is the same, and nothing that was remembered is another."""
    with own_files() as made:
        for kind in OF_OUR_OWN:
            if kind.name not in SLOW:
                tried = made.try_one(kind, SEED)
                assert not tried.wrong, (f"PITR_TEST_SEED={SEED}", tried)


def test_what_pg_waldump_cannot_see_a_real_restore_decides(campaign: Campaign) -> None:
    """The judge is no other reader's opinion: that one has the fault for harmless."""
    foreign = next(kind for kind in KINDS if kind.name == "of another system")
    tried = campaign.try_one(foreign, SEED)
    assert tried.part == ARCHIVE and tried.restored and tried.harmful
    assert not tried.scores[WALDUMP].found and tried.scores[OURS] == (True, True, True)


def test_a_case_that_was_judged_is_known_when_the_campaign_goes_on(tmp_path: Path) -> None:
    """The last word on each counts."""
    results = tmp_path / "results"
    assert read_results(results) == []
    tried = [
        Tried(part=ARCHIVE, kind="cut", seed=seed, major=15, harmful=True, restored=False,
              scores={OURS: Score(found, True, None)})
        for seed, found in ((1, False), (2, True), (1, True))
    ]  # fmt: skip
    for each in tried:
        keep(results, each)
    assert read_results(results) == [tried[2], tried[1]]


def test_the_page_has_every_kind() -> None:
    text = PAGE.read_text()
    kinds = [kind for source in SOURCES for kind in source.kinds]
    assert [kind for kind in kinds if f"| {kind.name} |" not in text] == []
