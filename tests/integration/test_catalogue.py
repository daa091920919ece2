"""Every check of the catalogue fires on what it is about, and is silent on what is healthy.

The WAL, the backups and the settings are real servers' own; each case changes one thing in a copy.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.cli import check as pitr_check
from tests.fix_branches import Branches

Arguments = list[object]
Case = Callable[[Branches], Arguments]


def findings(arguments: Arguments) -> dict[str, dict[str, Any]]:
    """What pitr-check finds, by id."""
    words = [*map(str, arguments), "--format", "json", "--workers", "1"]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        pitr_check.main(words)
    return {finding["id"]: finding for finding in json.loads(out.getvalue())["findings"]}


def on(branches: Branches, *options: object, backup: str = "first") -> Arguments:
    return ["--archive", branches.archive, "--backup", branches.backup(backup), *options]


# -- where recovery would go ----------------------------------------------------------------------


def _before_its_end(it: Branches) -> Arguments:
    return on(it, "--target-time", it.times["before first"], "--timeline", "1")


def _after_everything(it: Branches) -> Arguments:
    return on(it, "--target-time", "2100-01-01 00:00:00+00", "--timeline", "2")


def _behind_a_gap(it: Branches) -> Arguments:
    (it.archive / it.segments["further"]).unlink()
    return on(it, "--target-lsn", it.lsns["both"], "--timeline", "1")


def _short(it: Branches) -> Arguments:
    (it.archive / it.segments["clone again"]).rename(it.home / "kept")
    (it.archive / it.segments["clone"]).rename(it.archive / it.segments["clone again"])
    return on(it)


def _past_the_fork(it: Branches) -> Arguments:
    return on(it, "--target-time", it.times["behind fork"])


def _on_main(it: Branches) -> Arguments:
    return on(it, "--target-name", "main only")


def _nowhere(it: Branches) -> Arguments:
    return on(it, "--target-name", "no such point")


def _younger(it: Branches) -> Arguments:
    return on(it, backup="second")


def _no_such_timeline(it: Branches) -> Arguments:
    return on(it, "--timeline", "7")


# -- the archive ----------------------------------------------------------------------------------


def _as_it_is(it: Branches) -> Arguments:
    return on(it)


def _first_of_timeline_2(it: Branches) -> Arguments:
    first = min(path for path in it.archive.glob("00000002*") if len(path.name) == 24)
    first.unlink()
    return on(it)


def _overwritten_history(it: Branches) -> Arguments:
    shutil.copy(it.other / "00000002.history", it.archive)
    return on(it)


def _two_histories(it: Branches) -> Arguments:
    return on(it, "--archive", it.other)


def _stop_not_there(it: Branches) -> Arguments:
    shutil.rmtree(it.backup("first") / "pg_wal")
    start = min(path.name for path in it.archive.glob("*.backup"))[:24]
    for path in it.archive.glob("0000000*"):
        if len(path.name) == 24 and path.name[8:] >= start[8:]:
            path.unlink()
    return on(it)


FIRING: dict[str, Case] = {
    "target_before_backup_end": _before_its_end,
    "target_after_last_commit": _after_everything,
    "target_behind_gap": _behind_a_gap,
    "recovery_ends_short": _short,
    "target_on_other_timeline": _past_the_fork,
    "target_not_in_wal": _nowhere,
    "fork_before_backup": _younger,
    "target_timeline_missing": _no_such_timeline,
    "archive_shared_by_clone": _as_it_is,
    "wal_minimal_stretch": _as_it_is,
    "fork_segment_missing": _first_of_timeline_2,
    "timeline_reused": _overwritten_history,
    "backup_stop_not_archived": _stop_not_there,
}


@pytest.mark.parametrize("finding", FIRING)
def test_it_fires(finding: str, branches: Branches, tmp_path: Path) -> None:
    found = findings(FIRING[finding](branches.copy(tmp_path / "it")))
    print(found)
    assert finding in found
