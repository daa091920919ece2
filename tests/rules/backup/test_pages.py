"""When a page whose checksum differs is proof, and when it is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.backups.pages import why_not
from parsers.files.pg_control import ControlFile, parse_control_file
from rules.backup.pages import damaged_forks, named_forks, unproven_forks
from rules.model.facts import BackupFacts, BackupsFacts, DamagedFork, PagesFacts, Unlabelled
from rules.verdict.check import load_catalogue
from tests.rules.make_restore import told

CONTROLS = Path(__file__).parent.parent.parent / "data" / "control" / "19"
TABLE = DamagedFork("base/5/16384", "main", (3, 9), 2)
MAP = DamagedFork("base/5/16384", "fsm", (2,), 1)
TORN = DamagedFork("base/5/16385", "main", (0,), 1)
DAMAGED = load_catalogue()["backup_pages_damaged"]
UNPROVEN = load_catalogue()["backup_pages_unproven"]


def control(state: int, major: int = 19) -> ControlFile:
    samples = [parse_control_file(path.read_bytes()) for path in CONTROLS.glob("*.pg_control")]
    (found,) = (each for each in samples if each.data_checksum_version == state)
    return found if major == 19 else replace(found, control_version=1800)


def backup(**given: object) -> BackupFacts:
    pages = PagesFacts(checked=10, damaged=(TABLE, MAP), headless=(TORN,))
    made = told().restore().backup
    facts = {"manifest_error": None, "pages": pages, "control": control(1, 18), **given}
    return replace(made, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "damaged", "unproven"),
    [
        ({}, (TABLE, MAP), (TORN,)),
        ({"manifest_error": ""}, (), (TABLE, MAP, TORN)),
        ({"manifest_error": "manifest checksum mismatch"}, (), (TABLE, MAP, TORN)),
        (
            {"manifest_error": "", "unlabelled": Unlabelled(started=False, cold=True)},
            (TABLE, MAP, TORN),
            (),
        ),
        ({"unlabelled": Unlabelled(started=True, cold=False)}, (), (TABLE, MAP, TORN)),
        ({"control": control(1)}, (), (TABLE, MAP, TORN)),
        ({"pages": None}, (), ()),
    ],
)
def test_what_is_proof(
    given: dict[str, object], damaged: tuple[DamagedFork, ...], unproven: tuple[DamagedFork, ...]
) -> None:
    facts = backup(**given)
    assert (damaged_forks(facts), unproven_forks(facts)) == (damaged, unproven)


def test_in_19_the_checkpoint_of_the_label_says_that_checksums_were_on() -> None:
    """They can be turned on while a backup is taken: what was copied before has none."""
    on = control(1)
    assert on.checkpoint.data_checksums == 1
    facts = backup(control=on)
    begun = replace(facts, label=replace(facts.label, checkpoint_lsn=on.checkpoint_lsn))
    assert damaged_forks(begun) == (TABLE, MAP)
    off = replace(on, checkpoint=on.checkpoint._replace(data_checksums=3))
    assert damaged_forks(replace(begun, control=off)) == ()


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (0, "data checksums are off"),
        (2, "data checksums were being turned off"),
        (3, "data checksums were being turned on"),
        (4, "data checksum version 4 is of a newer PostgreSQL than this program knows"),
    ],
)
def test_when_pages_tell_nothing(state: int, why: str) -> None:
    assert why_not(control(1)) is None
    assert why_not(replace(control(1), data_checksum_version=state)) == why
    facts = backup(pages=PagesFacts(unchecked=why))
    found = BackupsFacts(backups=(facts,), unreadable={}, depth="pages")
    (said,) = UNPROVEN.function(backups=found)
    assert said.summary == f"/backup: no page was checked: {why}"
    assert list(DAMAGED.function(backups=found)) == []


def test_relation_fork_and_block_are_named() -> None:
    more = [DamagedFork(f"base/5/{n}", "main", (n,), 4) for n in range(1, 6)]
    assert named_forks([MAP]) == "base/5/16384 (fsm) block 2"
    assert named_forks([TABLE, MAP]) == (
        "base/5/16384 (main) block 3 and 1 other, base/5/16384 (fsm) block 2"
    )
    assert named_forks(more).endswith(", base/5/3 (main) block 3 and 3 others and 8 more")
