"""Of files that nobody could read, which names still say that WAL was there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parsers.wal.damage import Damage, DamageKind
from parsers.wal.scan import SegmentScan
from rules.archive.segment_names import find_unproven
from rules.model.facts import BackupFacts
from rules.model.goal import Goal
from rules.recovery.predictor import simulate
from tests.rules.catalogue.facts import SIZE, archive, backup, name
from tests.rules.make_restore import history, long_story

READ = [name(number) for number in (3, 4, 6)]


@pytest.mark.parametrize(
    ("closed", "unproven"),
    [
        pytest.param([name(5)], [], id="among the files"),
        pytest.param([name(7), name(8)], [], id="leads on from the last"),
        pytest.param([name(2)], [], id="leads to the first"),
        pytest.param([name(7), name(9)], [name(9)], id="beyond a hole"),
        pytest.param([name(1)], [name(1)], id="before a hole"),
        pytest.param([name(4, timeline=9)], [name(4, timeline=9)], id="of a timeline of its own"),
        pytest.param([name(5, 2), name(6, 2)], [], id="leads on from the fork"),
        pytest.param([name(7, 2)], [name(7, 2)], id="away from the fork"),
        pytest.param([*READ, name(40)], [], id="where nothing was read"),
    ],
)
def test_a_name_counts_where_wal_leads_to_it(closed: list[str], unproven: list[str]) -> None:
    facts = archive(*READ, *closed, histories={2: history(2, (1, 5 * SIZE + 8))})
    assert list(find_unproven(facts, (), lambda name: name not in closed, SIZE)) == unproven


def test_what_a_backup_needs_counts() -> None:
    needed = [name(number) for number in (2, 3, 4, 5)]
    facts = archive(name(0), *needed)

    def unproven(*backups: BackupFacts) -> list[str]:
        return list(find_unproven(facts, backups, lambda name: name not in needed, SIZE))

    assert unproven() == needed
    assert unproven(backup()) == []


def test_the_predictor_does_not_know_whether_wal_follows() -> None:
    """What lies beyond the end cannot be read: neither newer WAL nor none."""
    restore = long_story().restore()
    beyond = "000000010000000000000009"

    def archived(asked: str) -> SegmentScan | None:
        if asked != beyond:
            return restore.wal.archived(asked)
        scan = restore.wal.archived("000000010000000000000003")
        assert scan is not None
        damage = Damage(kind=DamageKind.UNREADABLE, lsn=scan.start_lsn, detail="closed")
        return replace(scan, damage=damage)

    wal = replace(restore.wal, names={*restore.wal.names, beyond}, archived=archived)
    known, outcome = simulate(restore, Goal()), simulate(replace(restore, wal=wal), Goal())
    assert known.reachable and outcome.reachable is None
    assert outcome.stop == known.stop and outcome.outcome == known.outcome == "opens"
    assert "could not be read" in outcome.reason
