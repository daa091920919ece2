"""A restore that really ran, as it is signed, and how much of the window it covers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.fix_check import Archived, pitr_check
from tests.fix_drill import DrillGround
from tests.signing import Signed, new_signed, statements

_SCHEMA = Path(__file__).parents[2] / "docs/schemas/pitr-evidence-report.schema.json"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def signed(tmp_path: Path) -> Signed:
    return new_signed(tmp_path / "signed")


def needed(archived: Archived, document: dict[str, Any]) -> int:
    """How many segments its backup needs: what is older is not read."""
    first = document["backups"][0]["start_segment"]
    return sum(1 for path in archived.segments if path.name >= first)


def test_a_drill_is_signed_beside_what_was_predicted(
    archived: Archived, ground: DrillGround, signed: Signed
) -> None:
    """Of the window, which is shorter than a day, the drill shows all."""
    drilled = archived.check(
        "--drill", "--drill-directory", ground.directory, "--workers", 1,
        "--evidence", signed.directory, "--evidence-key", signed.key,
    )  # fmt: skip
    assert drilled.status == 0, drilled.err
    (statement,) = statements(signed)
    predicate = statement["predicate"]
    assert predicate["kind"] == "drill"
    assert predicate["comparison"]["agrees"] is True
    assert predicate["comparison"]["outcome"] == "promoted"
    assert predicate["prediction"]["outcome"] == "opens"
    stop = predicate["prediction"]["stop"]
    assert predicate["comparison"]["stop"]["kind"] == stop["kind"] == "end_of_wal"
    covered = predicate["verdict"]["coverage"]
    assert covered == drilled.json["coverage"]
    assert covered["segments"] == len(archived.segments)
    assert covered["segments_read"] == needed(archived, drilled.json)
    assert (covered["drills"]["days"], covered["drills"]["days_drilled"]) == (1, 1)
    named = ("--evidence", signed.directory, "--key", signed.public)
    period = ("--from", "2026-01-01", "--to", "2999-01-01")
    verified = pitr_check(
        "verify-evidence", signed.directory, "--key", signed.public, "--archive", archived.archive
    )
    assert verified.status == 0, verified.out
    report = pitr_check("report", *named, *period, "--format", "json")
    document = json.loads(report.out)
    jsonschema.validate(document, json.loads(_SCHEMA.read_text()))
    (cluster,) = document["clusters"]
    assert (report.status, cluster["drills_agreed"], cluster["coverage"]) == (0, 1, covered)
    assert "1 drill: 1 ended as it was predicted" in pitr_check("report", *named, *period).out


def test_what_was_read_long_ago_does_not_count(archived: Archived, tmp_path: Path) -> None:
    ledger = ("--ledger", tmp_path / "ledger.sqlite", "--workers", 1)
    today = archived.check(*ledger).json["coverage"]
    read = needed(archived, archived.check("--depth", "names").json)
    assert today["segments_read"] == read == today["segments"] - today["segments_never_read"]
    assert today["read_share"] == round(read / len(archived.segments), 4)
    assert today["drills"] is None
    later = archived.check(*ledger, "--reverify", "3650d", "--now", "2036-01-01T00:00Z")
    assert later.json["coverage"]["read_share"] == 0
    assert later.json["coverage"]["oldest_read_at"] >= today["oldest_read_at"]
    names = archived.check("--depth", "names").json["coverage"]
    assert (names["segments"], names["read_share"]) == (None, None)
