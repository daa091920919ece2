"""What to do about a target fits its kind: a transaction has no name, an LSN no last commit."""

import pytest

from rules.model.evidence import Evidence
from rules.model.outcome import Cause
from rules.model.target import Target, TargetFacts
from rules.verdict.check import judge, load_catalogue
from tests.rules.catalogue.facts import NOW, OBJECTIVES, target

CHECKS = load_catalogue()

KINDS = {"time": "2026-07-08 11:00:00+00", "lsn": "0/5000000", "xid": "732", "name": "before"}
# What is said of one kind is not said of another.
FOREIGN = {
    "time": ("name, letter by letter", "--xid", "WAL up to"),
    "lsn": ("name, letter by letter", "--xid", "last transaction"),
    "xid": ("name, letter by letter", "last transaction", "WAL up to"),
    "name": ("transaction that is meant", "last transaction", "WAL up to"),
}
CAUSES = {
    "target_after_last_commit": (Cause.AFTER_LAST_COMMIT, ("time", "lsn")),
    "target_not_in_wal": (Cause.NOT_IN_WAL, ("xid", "name")),
    "target_before_backup_end": (Cause.BEFORE_BACKUP_END, tuple(KINDS)),
    "target_behind_gap": (Cause.BEYOND_GAP, tuple(KINDS)),
    "target_on_other_timeline": (Cause.OTHER_TIMELINE, tuple(KINDS)),
    "target_unreachable": (Cause.OTHER, tuple(KINDS)),
}


def remedy_of(check: str, facts: TargetFacts) -> str:
    evidence = Evidence(now=NOW, objectives=OBJECTIVES, facts={TargetFacts: facts})
    (finding,) = judge(evidence, {check: CHECKS[check]}).findings
    return finding.remedy


@pytest.mark.parametrize(
    ("check", "kind"),
    [(check, kind) for check, (_, kinds) in CAUSES.items() for kind in kinds],
)
def test_a_remedy_fits_the_kind_of_target(check: str, kind: str) -> None:
    asked = Target(type=kind, value=KINDS[kind])
    facts = target(target=asked, cause=CAUSES[check][0], reachable=False)
    remedy = remedy_of(check, facts)
    assert not [words for words in FOREIGN[kind] if words in remedy]


def test_an_lsn_is_waited_for_by_its_number() -> None:
    asked = Target(type="lsn", value="0/5000000")
    facts = target(target=asked, cause=Cause.AFTER_LAST_COMMIT, reachable=False)
    remedy = remedy_of("target_after_last_commit", facts)
    assert "the WAL up to 0/5000000 is archived" in remedy


def test_every_cause_of_a_target_is_here() -> None:
    asked = {name for name in CHECKS if name.startswith("target_")}
    others = {"target_not_a_setting", "target_timeline_missing", "target_unproven"}
    assert asked == set(CAUSES) | others
