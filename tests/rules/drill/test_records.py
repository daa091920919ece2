"""What the checks say of a cluster's drills: a failure is over after a good drill, not before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rules.chart.drill_marks import mark_drills
from rules.drill.comparison import Inspection, Probe
from rules.drill.records import DrillRecord, DrillsFacts
from rules.model.evidence import Evidence
from rules.model.facts import Objectives
from rules.model.timelines import Timeline, TimelineTree
from rules.verdict.check import judge, load_catalogue

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CHECKS = {name: entry for name, entry in load_catalogue().items() if name.startswith("drill_")}

GOOD: dict[str, Any] = {"outcome": "promoted", "agrees": True}
NOT_RUN: dict[str, Any] = {"outcome": "not_run", "agrees": None, "reason": "no room"}
FAILED: dict[str, Any] = {
    "outcome": "failed",
    "agrees": True,
    "reason": "the WAL ends",
    "fatal": "f",
}
OTHERWISE: dict[str, Any] = {"outcome": "promoted", "agrees": False, "disagreements": ("x",)}
DAMAGED: dict[str, Any] = {
    **GOOD, "inspections": (Inspection(name="checksums", result="failed", detail="bad"),),
}  # fmt: skip
WRONG: dict[str, Any] = {**GOOD, "probes": (Probe(database="d", sql="s", expected="1", got="2"),)}


def found(*drills: dict[str, Any], days: float = 1, age: float | None = 8) -> set[str]:
    """One drill a day, and what is said so many days after the last."""
    records = tuple(
        DrillRecord(started_at=BEGIN + n * DAY, seconds=60.0, backup="/b", target="t", **drill)
        for n, drill in enumerate(drills)
    )
    objectives = Objectives(rpo_seconds=300, drill_age_seconds=age * 86400 if age else None)
    evidence = Evidence(
        now=BEGIN + (len(drills) - 1 + days) * DAY,
        objectives=objectives,
        facts={DrillsFacts: DrillsFacts(records=records, since=BEGIN)},
    )
    return {finding.id for finding in judge(evidence, CHECKS).findings}


@pytest.mark.parametrize(
    ("drills", "expected"),
    [
        ((), set()),
        ((GOOD,), set()),
        ((FAILED,), {"drill_failed"}),
        ((FAILED, NOT_RUN), {"drill_failed", "drill_not_run"}),
        ((FAILED, NOT_RUN, GOOD), set()),
        ((OTHERWISE,), {"drill_disagreed"}),
        ((OTHERWISE, FAILED), {"drill_failed"}),
        ((DAMAGED, NOT_RUN), {"drill_damage", "drill_not_run"}),
        ((WRONG,), {"drill_probe_failed"}),
        ((GOOD, NOT_RUN), {"drill_not_run"}),
    ],
)
def test_what_a_history_comes_to(drills: tuple[dict[str, Any], ...], expected: set[str]) -> None:
    assert found(*drills) == expected


@pytest.mark.parametrize("bad", [FAILED, NOT_RUN, OTHERWISE, DAMAGED, WRONG])
def test_only_a_good_drill_is_not_overdue(bad: dict[str, Any]) -> None:
    assert "drill_overdue" not in found(GOOD, bad, days=6)
    assert "drill_overdue" in found(GOOD, bad, days=8)
    assert "drill_overdue" in found(bad, days=9)
    assert "drill_overdue" not in found(bad, days=9, age=None)


def test_none_at_all_is_overdue_since_they_were_planned() -> None:
    assert "drill_overdue" not in found(days=8.5)
    assert "drill_overdue" in found(days=9.5)


@pytest.mark.parametrize(
    ("drill", "state"),
    [
        (GOOD, "agrees"), ({**GOOD, "agrees": None}, "unknown"), (NOT_RUN, "unknown"),
        ({**GOOD, "agrees": None, "timed_out": "copy"}, "unknown"), (FAILED, "disagrees"),
        (OTHERWISE, "disagrees"), (DAMAGED, "disagrees"), (WRONG, "disagrees"),
    ],
)  # fmt: skip
def test_on_the_axis_only_what_ran_speaks_for_a_restore_or_against_it(
    drill: dict[str, Any], state: str
) -> None:
    record = DrillRecord(
        started_at=BEGIN, seconds=60.0, backup="/b", target="t", instant=BEGIN, **drill
    )
    tree = TimelineTree(
        timelines={1: Timeline(id=1, parent=None, switch_lsn=None, has_history=False)}
    )
    assert [mark.state for mark in mark_drills([record], tree)] == [state]
