"""Each kind of fault makes the drill fail as predicted, with its cause named and nothing left.

The laboratory's faults are all among them, by what they leave in an archive.
"""

from __future__ import annotations

import gzip
import random
import tarfile
from collections.abc import Callable
from functools import partial

import pytest

from agent.lab.faults import FAULTS as OF_THE_LABORATORY
from tests.damaging import Fault as Damage
from tests.damaging import (
    another_segment,
    flip_byte,
    foreign_system,
    remove,
    truncate,
    zero_tail,
)
from tests.fix_check import RESTORE_POINT, Archived
from tests.fix_drill import DrillGround, drill_of, results_of

DAMAGED = 2  # segments after the backup's first; the target lies after it
Fault = Callable[[Archived], None]


def damage(how: Damage, archived: Archived) -> None:
    path = archived.segment(DAMAGED)
    how(path, random.Random(7))
    if path.exists():
        archived.age(path)


def end_early(archived: Archived) -> None:
    """What an archive_command that fails, or hangs, leaves: nothing from there on."""
    for path in archived.segments:
        if path >= archived.segment(DAMAGED):
            path.unlink()


def cut_compressed(archived: Archived) -> None:
    path = archived.segment(DAMAGED)
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes())[:-100])
    archived.age(packed)
    path.unlink()


FAULTS: dict[str, Fault] = {
    "gap": partial(damage, remove),
    "truncated": partial(damage, truncate),
    "bitflip": partial(damage, flip_byte),
    "wrong-cluster": partial(damage, foreign_system),
    "archive-fails": end_early,
    "zeroed": partial(damage, zero_tail),
    "another-segment": partial(damage, another_segment),
    "cut-compressed": cut_compressed,
}
# What leaves the same in an archive.
SAME = {"silent-loss": "gap", "hung-archive": "archive-fails", "midnight": "archive-fails"}


def test_every_fault_of_the_laboratory_is_among_them() -> None:
    assert OF_THE_LABORATORY.keys() <= FAULTS.keys() | SAME.keys()


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_in_the_archive_fails_the_drill_as_predicted(
    fault: Fault, archived: Archived, ground: DrillGround
) -> None:
    fault(archived)
    checked = ground.drill(archived.archive, archived.backup, "--target-name", RESTORE_POINT)
    drill = drill_of(checked)
    assert (checked.status, drill["outcome"], drill["agrees"]) == (2, "failed", True), checked.out
    assert archived.segment(DAMAGED).name in drill["reason"]
    assert "drill_failed" in checked.findings
    assert ground.areas() == [] and ground.processes() == []


# -- in the backup --------------------------------------------------------------------------------


def test_a_damaged_page_in_the_backup_is_found(archived: Archived, ground: DrillGround) -> None:
    """Its size is right: nothing but the restored cluster tells."""
    tables = [path for path in (archived.backup / "base").rglob("2619") if path.stat().st_size]
    for path in tables:  # pg_statistic, in every database
        data = bytearray(path.read_bytes())
        data[5000] ^= 0xFF
        path.write_bytes(data)
    checked = ground.drill(archived.archive, archived.backup)
    assert checked.status == 2 and "drill_damage" in checked.findings, checked.out
    assert results_of(drill_of(checked))["checksums"] == "failed"


def test_a_file_that_the_backup_lacks_is_found(archived: Archived, ground: DrillGround) -> None:
    """Without a look at the manifest: the server opens, and only who reads the table notices."""
    (archived.backup / "base" / "5" / "2600").unlink()  # pg_aggregate, of `postgres`
    known = ground.drill(archived.archive, archived.backup)
    assert (known.status, drill_of(known)["outcome"]) == (2, "not_run")
    assert "base/5/2600 (absent)" in drill_of(known)["reason"]
    checked = ground.drill(archived.archive, archived.backup, "--backup-depth", "label")
    assert checked.status == 2 and "drill_damage" in checked.findings, checked.out
    (finding,) = [each for each in checked.json["findings"] if each["id"] == "drill_damage"]
    assert "base/5/2600" in finding["summary"]


def test_a_tar_that_is_cut_short_says_so(archived: Archived, ground: DrillGround) -> None:
    """After what tells where it begins, so that nothing but its reading shows it."""
    tar = archived.backup.parent / "tar"
    tar.mkdir()
    with tarfile.open(tar / "base.tar", "w") as packed:
        packed.add(archived.backup / "backup_label", "backup_label")
        packed.add(archived.backup / "global", "global")
        packed.add(archived.backup / "base", "base")
    size = (tar / "base.tar").stat().st_size
    with (tar / "base.tar").open("r+b") as file:
        file.truncate(size - (3 << 20))
    checked = ground.drill(archived.archive, tar, "--backup-depth", "label")
    drill = drill_of(checked)
    assert drill["outcome"] == "not_run", checked.out
    assert checked.status in (2, 3) and "not whole" in drill["reason"]


def test_a_control_file_that_is_broken_fails_as_predicted(
    archived: Archived, ground: DrillGround
) -> None:
    control = archived.backup / "global" / "pg_control"
    data = bytearray(control.read_bytes())
    data[60] ^= 0xFF
    control.write_bytes(data)
    checked = ground.drill(archived.archive, archived.backup)
    drill = drill_of(checked)
    assert checked.status in (2, 3) and drill["outcome"] in ("failed", "not_run"), checked.out
    assert drill["agrees"] is not False
    assert "pg_control" in drill["reason"] or "control file" in drill["reason"]
