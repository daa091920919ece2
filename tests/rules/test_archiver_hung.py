"""An archiver that hangs, beside one that works off what an outage left behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rules.model.evidence import Evidence
from rules.model.facts import ArchiverFacts, ArchiveStatusFacts, Objectives
from rules.verdict.check import load_catalogue

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def is_hung(
    *,
    last_archived: timedelta | None,
    last_failed: timedelta | None = None,
    waits: timedelta = HOUR,
    ours: datetime = NOW,
) -> bool:
    """With a segment that has waited for so long, and an objective of five minutes."""
    archiver = ArchiverFacts(
        archived_count=1,
        last_archived_wal=None,
        last_archived_at=None if last_archived is None else NOW - last_archived,
        failed_count=0,
        last_failed_wal=None,
        last_failed_at=None if last_failed is None else NOW - last_failed,
        stats_reset_at=None,
    )
    status = ArchiveStatusFacts(
        ready=frozenset({f"{1:024X}"}),
        done=frozenset(),
        listed_at=NOW,
        oldest_ready_at=NOW - waits,
        oldest_ready=f"{1:024X}",
    )
    facts = {ArchiverFacts: archiver, ArchiveStatusFacts: status}
    evidence = Evidence(now=ours, objectives=Objectives(rpo_seconds=300), facts=facts)
    return bool(load_catalogue()["archiver_hung"].run(evidence))


def test_the_age_is_told_by_the_servers_clock_and_not_by_ours() -> None:
    assert not is_hung(last_archived=2 * HOUR, waits=timedelta(minutes=1), ours=NOW + HOUR)
    assert is_hung(last_archived=2 * HOUR, ours=NOW - HOUR)


def test_nothing_was_archived_since_it_waits() -> None:
    assert is_hung(last_archived=2 * HOUR)
    assert is_hung(last_archived=None)


def test_an_archiver_that_works_off_an_outage_is_not_hung() -> None:
    assert not is_hung(last_archived=timedelta(seconds=1), last_failed=timedelta(seconds=30))


def test_it_is_when_it_hangs_in_the_middle_of_that() -> None:
    assert is_hung(last_archived=timedelta(minutes=6), last_failed=timedelta(minutes=30))
