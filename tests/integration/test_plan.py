"""`pitr-check plan` and `windows`: what they promise is what is there, and what a restore needs."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.fix_check import RESTORE_POINT, Archived, Checked, pitr_check, timeless

_SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "schemas" / "pitr-plan.schema.json").read_text()
)


def named(archived: Archived) -> tuple[object, ...]:
    return ("--archive", archived.archive, "--backup", archived.backup)


def planned(*options: object) -> tuple[Checked, dict[str, Any]]:
    checked = pitr_check("plan", *options, "--format", "json")
    document: dict[str, Any] = json.loads(checked.out)
    jsonschema.validate(document, _SCHEMA)
    return checked, document


def test_a_plan_is_the_verdicts_own_target(archived: Archived) -> None:
    target = ("--target-name", RESTORE_POINT)
    checked, plan = planned(*named(archived), *target)
    verdict = archived.check(*target, "--other-machine").json
    assert checked.status == 0
    assert plan["target"] == verdict["target"]
    assert plan["settings"] == verdict["target"]["settings"]
    assert plan["wal"]["segments"] == len(plan_segments(archived, plan))
    assert plan["backup"]["url"] == str(archived.backup)


def plan_segments(archived: Archived, plan: dict[str, Any]) -> list[Path]:
    (place,) = plan["wal"]["places"]
    assert place["directory"] == str(archived.archive)
    return [path for path in archived.segments if place["first"] <= path.name <= place["last"]]


def test_room_is_for_the_backup_and_the_wal(archived: Archived, tmp_path: Path) -> None:
    _, plan = planned(*named(archived), "--destination", tmp_path / "to" / "be" / "made")
    size = sum(path.stat().st_size for path in archived.backup.rglob("*") if path.is_file())
    assert plan["backup"]["bytes"] == size
    assert size + plan["wal"]["bytes"] < plan["room"]["bytes"]
    free = shutil.disk_usage(tmp_path).free
    assert abs(plan["room"]["free_bytes"] - free) < free // 10
    assert plan["time"] is None  # nothing has measured it
    text = pitr_check("plan", *named(archived), "--destination", tmp_path).out
    assert "enough" in text and "time        not known: no drill" in text


def test_a_target_before_the_backup_is_answered_with_what_can_be_had(archived: Archived) -> None:
    checked, plan = planned(*named(archived), "--target-time", "2001-01-01 00:00:00+00")
    assert checked.status == 2
    assert (plan["backup"], plan["wal"], plan["settings"]) == (None, None, None)
    assert plan["proposal"].startswith("--target-time '")
    asked = plan["proposal"].split("'")[1]
    again, _ = planned(*named(archived), "--target-time", asked)
    assert again.status == 0


def test_where_only_the_backups_end_can_be_had_immediate_is_proposed(archived: Archived) -> None:
    """Of the archive only what the backup itself needs is left."""
    last = archived.check("--target-immediate").json["backups"][0]["stop_segment"]
    for segment in archived.segments:
        if segment.name > last:
            segment.unlink()
    checked, plan = planned(*named(archived), "--target-time", "2090-01-01 00:00:00+00")
    assert checked.status == 2
    assert plan["proposal"].startswith("--target-immediate: of ")
    again, _ = planned(*named(archived), "--target-immediate")
    assert again.status in (0, 1)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_plan_that_cannot_be_made_is_unknown(archived: Archived, form: str) -> None:
    checked = pitr_check(
        "plan", "--archive", "/nowhere", "--backup", archived.backup, "--format", form
    )
    assert checked.status == 3 and "there is no such directory" in checked.err
    if form == "json":
        document = json.loads(checked.out)
        jsonschema.validate(document, _SCHEMA)
        assert document["verdict"] == "unknown"
    assert pitr_check("plan", "--archive", archived.archive).status == 64


def test_windows_are_those_of_the_verdict(archived: Archived) -> None:
    verdict = archived.check("--other-machine").json
    checked = pitr_check("windows", *named(archived))
    (window,) = verdict["backups"][0]["windows"]
    assert checked.status == 0 and checked.out.startswith("OK: ")
    for end in ("from", "to"):
        at = datetime.fromisoformat(window[end]["time"])
        assert f"{window[end]['lsn']} ({at:%Y-%m-%d %H:%M:%S.%f} UTC)" in checked.out
    document = pitr_check("windows", *named(archived), "--format", "json").json
    assert timeless(document["backups"]) == timeless(verdict["backups"])


def test_a_gap_ends_a_window_and_is_named(archived: Archived) -> None:
    lost = archived.segments[-2]
    lost.unlink()
    checked = pitr_check("windows", *named(archived))
    assert checked.status == 2
    assert f"ended by {lost.name}, which cannot be used" in checked.out
