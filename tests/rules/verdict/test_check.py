"""The mechanism of the catalogue: a check that raises ends no other, and is told of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from rules.model.evidence import Evidence
from rules.model.facts import ArchiverFacts, Objectives, OccupiedName
from rules.model.findings import Severity
from rules.verdict.check import Found, judge, load_catalogue

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHECKS = load_catalogue()


def boom(archiver: ArchiverFacts, occupied: OccupiedName | None) -> Iterator[Found]:
    raise KeyError(f"{archiver.last_failed_wal}\nof two lines")


def test_a_check_that_raises_is_unknown_and_the_others_are_asked() -> None:
    archiver = ArchiverFacts(
        archived_count=1,
        last_archived_wal="000000010000000000000001",
        last_archived_at=NOW,
        failed_count=1,
        last_failed_wal="x",
        last_failed_at=NOW.replace(year=2027),
        stats_reset_at=None,
    )
    evidence = Evidence(
        now=NOW, objectives=Objectives(rpo_seconds=1), facts={ArchiverFacts: archiver}
    )
    sound = judge(evidence, CHECKS)
    assert [finding.id for finding in sound.findings] == ["archiver_failing"]
    assert sound.known["check_raised"] is True
    broken = {**CHECKS, "broken": replace(CHECKS["archiver_failing"], id="broken", function=boom)}
    judged = judge(evidence, broken)
    assert judged.known["broken"] is False
    assert [finding.id for finding in judged.findings] == ["archiver_failing", "check_raised"]
    told = judged.findings[1]
    assert told.severity is Severity.UNKNOWN
    assert told.summary.startswith("check broken could not run: KeyError: ")
    assert f"({__name__}:" in told.summary
    assert told.summary.isprintable()
