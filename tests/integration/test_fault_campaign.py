"""`make faults`, a slice of it: nothing is missed, nothing healthy is complained of.

PITR_TEST_SEED=7 makes another slice, `make faults SEED=7` puts the same faults.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.faults.ground import ground
from tests.faults.kinds import ARCHIVE, KINDS, Kind
from tests.faults.programs import OURS, WALDUMP
from tests.faults.report import PAGE
from tests.faults.trial import Campaign
from tests.fix_tools import need

SEED = int(os.environ.get("PITR_TEST_SEED", "430006288"))
# pg_waldump waits for five seconds for a segment that is missing: one kind of these is enough.
_SLOW = {"removed", "two removed"}


@pytest.fixture(scope="module")
def campaign() -> Iterator[Campaign]:
    need("Debian's PostgreSQL 15")
    with ground() as made:
        yield Campaign(made)


@pytest.mark.parametrize(
    "kind",
    [kind for kind in KINDS if kind.name not in _SLOW],
    ids=lambda kind: f"{kind.part}: {kind.name}",
)
def test_a_fault_is_found_and_health_is_not(campaign: Campaign, kind: Kind) -> None:
    tried = campaign.try_one(kind, SEED)
    assert not tried.wrong, (f"PITR_TEST_SEED={SEED}", tried)


def test_what_pg_waldump_cannot_see_a_real_restore_decides(campaign: Campaign) -> None:
    """The judge is no other reader's opinion: that one has the fault for harmless."""
    foreign = next(kind for kind in KINDS if kind.name == "of another system")
    tried = campaign.try_one(foreign, SEED)
    assert tried.part == ARCHIVE and tried.restored and tried.harmful
    assert not tried.scores[WALDUMP].found and tried.scores[OURS] == (True, True, True)


def test_the_page_has_every_kind() -> None:
    text = PAGE.read_text()
    assert [kind for kind in KINDS if f"| {kind.name} |" not in text] == []
