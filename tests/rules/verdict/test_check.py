"""The mechanism of the catalogue: a check that raises ends no other, and is told of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from rules.live.facts import LiveRestore
from rules.model.evidence import Evidence, OccupiedName
from rules.model.facts import ArchiverFacts, Objectives
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


def test_a_check_is_asked_again_only_when_what_it_is_asked_with_is_another() -> None:
    asked: list[object] = []

    def counting(archiver: ArchiverFacts, objectives: Objectives) -> Iterator[Found]:
        asked.append(archiver)
        yield Found("found")

    def timed(archiver: ArchiverFacts, now: datetime) -> Iterator[Found]:
        asked.append(now)
        yield Found("found")

    def failing(archiver: ArchiverFacts) -> Iterator[Found]:
        asked.append("failing")
        yield Found("found")
        raise KeyError

    checks = {
        name: replace(CHECKS["archiver_failing"], id=name, wants={}, function=function)
        for name, function in {"counting": counting, "timed": timed, "failing": failing}.items()
    }
    archiver = ArchiverFacts(
        archived_count=1, last_archived_wal=None, last_archived_at=None, failed_count=0,
        last_failed_wal=None, last_failed_at=None, stats_reset_at=None,
    )  # fmt: skip
    goals, answers = Objectives(rpo_seconds=1), {}  # type: ignore[var-annotated]

    def judged(archiver: ArchiverFacts | None, now: datetime, goals: Objectives) -> list[str]:
        asked.clear()
        facts: dict[type, object] = {ArchiverFacts: archiver} if archiver else {}
        evidence = Evidence(now=now, objectives=goals, facts=facts)
        return [finding.id for finding in judge(evidence, checks, answers).findings]

    later, other = NOW.replace(year=2027), replace(archiver, archived_count=2)
    assert judged(archiver, NOW, goals) == ["counting", "timed"]
    assert asked == [archiver, NOW, "failing"]
    assert judged(archiver, later, goals) == ["counting", "timed"]
    assert asked == [later, "failing"], "its clock is another; what raised is no answer"
    assert judged(archiver, later, Objectives(rpo_seconds=2)) == ["counting", "timed"]
    assert asked == [archiver, "failing"]
    assert judged(other, later, goals) == ["counting", "timed"]
    assert asked == [other, later, "failing"]
    assert judged(None, later, goals) == []
    assert asked == []


def test_a_check_of_files_leaves_out_what_asks_of_a_running_restore() -> None:
    checks = load_catalogue()
    of_running = {name for name, each in checks.items() if LiveRestore in each.needs.values()}
    assert checks.keys() - load_catalogue(watching=False).keys() == of_running
