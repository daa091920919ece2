"""A cause that hits ten thousand segments is one finding, with a count."""

from __future__ import annotations

import pytest

from rules.model.evidence import Evidence, SequenceFacts
from rules.model.facts import DamagedSegment, ScanFacts, SegmentCopy
from rules.model.findings import Finding
from rules.model.sequence import LOST, Gap
from rules.verdict.check import judge, load_catalogue
from tests.rules.catalogue.facts import NOW, OBJECTIVES, SIZE, name, scan

CHECKS = load_catalogue()
MANY = 10_000


def findings(check: str, facts: object) -> list[Finding]:
    evidence = Evidence(now=NOW, objectives=OBJECTIVES, facts={type(facts): facts})
    return list(judge(evidence, {check: CHECKS[check]}).findings)


def damaged(kind: str, count: int) -> ScanFacts:
    damages = [
        DamagedSegment(segment=name(n), kind=kind, lsn=n * SIZE, detail="because")
        for n in range(1, count + 1)
    ]
    return scan(damaged=tuple(damages))


@pytest.mark.parametrize(
    ("check", "kind"), [("foreign_system", "foreign_system"), ("wal_damaged", "bad_crc")]
)
def test_many_damaged_segments(check: str, kind: str) -> None:
    (finding,) = findings(check, damaged(kind, MANY))
    assert f"{MANY} segments from {name(1)} to {name(MANY)}" in finding.summary
    evidence = finding.evidence
    assert (evidence["first"], evidence["last"]) == (name(1), name(MANY))
    assert (evidence["segment"], evidence["segments"]) == (name(1), MANY)


def test_a_few_damaged_segments_are_named_one_by_one() -> None:
    each = findings("wal_damaged", damaged("bad_crc", 3))
    assert [finding.evidence["segment"] for finding in each] == [name(n) for n in (1, 2, 3)]
    assert "segments" not in each[0].evidence


def test_two_kinds_of_damage_are_two_causes() -> None:
    both = (*damaged("bad_crc", 9).damaged, *damaged("zeroed", 9).damaged)
    kinds = [finding.evidence["kind"] for finding in findings("wal_damaged", scan(damaged=both))]
    assert kinds == ["bad_crc", "zeroed"]


def test_two_other_clusters_are_two_findings() -> None:
    ours = damaged("foreign_system", 2).damaged
    theirs = DamagedSegment(
        segment=name(9), kind="foreign_system", lsn=None, detail="of another one"
    )
    assert len(findings("foreign_system", scan(damaged=(*ours, theirs)))) == 2


def test_every_second_segment_missing_is_one_finding() -> None:
    gaps = tuple(
        Gap(timeline=1, first=n, last=n, cause=LOST, segment_size_bytes=SIZE)
        for n in range(1, 2 * MANY, 2)
    )
    facts = SequenceFacts(gaps=gaps, segment_size_bytes=SIZE)
    (finding,) = findings("wal_gap", facts)
    assert f"{MANY} segments missing on timeline 1: in {MANY} places from" in finding.summary


def test_many_copies_that_differ_are_one_finding() -> None:
    copies = tuple(
        SegmentCopy(segment=name(n), url=f"/copy/{name(n)}", differs=True, kind=None)
        for n in range(1, 100)
    )
    (finding,) = findings("wal_copies_differ", scan(copies=copies))
    assert finding.summary.startswith("99 copies differ")
