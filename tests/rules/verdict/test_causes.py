"""The cause leads; what follows from it stands under it, and nothing else does."""

from __future__ import annotations

import pytest

from rules.model.findings import Finding, Severity
from rules.verdict import causes
from rules.verdict.causes import lead
from rules.verdict.check import load_catalogue

SEGMENT = "000000010000000000000007"
OTHER = "000000010000000000000009"
CHECKS = load_catalogue()


def found(check: str, severity: Severity | None = None, **evidence: str | int) -> Finding:
    return Finding(
        id=check,
        severity=severity or CHECKS[check].severity,
        summary=check,
        remedy="",
        evidence=evidence,
    )


def order(*findings: Finding) -> list[tuple[str, str | None]]:
    return [(each.id, each.because) for each in lead(findings)]


GAP = found("wal_gap", first=SEGMENT, last=SEGMENT)


def test_a_lost_segment_leads_and_the_rest_stands_under_it() -> None:
    exposure = found("exposure_over_objective", beyond=SEGMENT)
    absent = found("archived_but_absent", first=SEGMENT, last=SEGMENT)
    short = found("recovery_ends_short", segment=SEGMENT)
    assert order(exposure, absent, short, GAP) == [
        ("wal_gap", None),
        ("exposure_over_objective", "wal_gap"),
        ("archived_but_absent", "wal_gap"),
        ("recovery_ends_short", "wal_gap"),
    ]


def test_another_segment_is_another_cause() -> None:
    assert order(found("exposure_over_objective", beyond=OTHER), GAP) == [
        ("exposure_over_objective", None),
        ("wal_gap", None),
    ]
    assert order(found("exposure_over_objective"), GAP)[0][1] is None


def test_a_segment_inside_a_run_is_meant() -> None:
    run = found("wal_gap", first="000000010000000000000005", last=OTHER)
    assert order(found("target_behind_gap", segment=SEGMENT), run)[1] == (
        "target_behind_gap", "wal_gap",
    )  # fmt: skip


def test_causes_have_causes() -> None:
    missing = found("backup_wal_missing", first=SEGMENT, last=OTHER)
    assert order(found("no_restorable_backup"), missing, GAP) == [
        ("wal_gap", None),
        ("backup_wal_missing", "wal_gap"),
        ("no_restorable_backup", "backup_wal_missing"),
    ]


def test_what_is_less_bad_leads_nothing_worse() -> None:
    """The verdict's word is that of its first finding."""
    falling = found("archiver_falling_behind")
    exposure = found("exposure_over_objective")
    assert falling.severity is Severity.WARNING and exposure.severity is Severity.CRITICAL
    assert order(falling, exposure) == [
        ("exposure_over_objective", None),
        ("archiver_falling_behind", None),
    ]
    assert order(found("archiver_failing"), exposure)[1][1] == "archiver_failing"


def test_nothing_is_lost_and_the_worst_is_first() -> None:
    all_of_them = [found(check) for check in sorted(CHECKS)]
    led = lead(all_of_them)
    assert sorted(each.id for each in led) == sorted(CHECKS)
    roots = [each.severity for each in led if each.because is None]
    assert roots == sorted(roots, key=causes._WORST_FIRST.index)


@pytest.mark.parametrize("table", [causes._ALWAYS, causes._BY_SEGMENT])
def test_the_tables_name_checks_that_exist(table: dict[str, tuple[str, ...]]) -> None:
    for effect, several in table.items():
        assert {effect, *several} <= CHECKS.keys()
        assert effect not in several
