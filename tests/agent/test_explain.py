"""`pitr-check explain`: every finding has a page that a person can act on."""

import re
from pathlib import Path

import pytest

from agent.cli import check
from rules import server_messages
from rules.alert_state import can_alert
from rules.check import load_catalogue
from rules.outcome import Cause, Outcome
from rules.target_cause import cause_of

ROOT = Path(__file__).parents[2]
FINDINGS = ROOT / "docs" / "findings.md"


@pytest.mark.parametrize("finding", sorted(load_catalogue()))
def test_every_finding_has_a_page(finding: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["explain", finding]) == 0
    page = capsys.readouterr().out
    why, _, remedy = page.partition("Why it matters\n")[2].partition("What to do\n")
    why, _, look = why.partition("How to look\n")
    if can_alert(load_catalogue()[finding]):
        assert len(look.split()) >= 8, "says too little of how to look"
    assert len(why.split()) >= 8, "says too little of why it matters"
    assert len(remedy.split()) >= 5, "says too little of what to do"
    assert max(map(len, page.splitlines())) <= 100


def test_without_a_name_it_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["explain"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == sorted(load_catalogue())


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]))
def test_pages_lead_to_findings_that_exist(page: Path) -> None:
    linked = set(re.findall(r"findings\.md#([a-z_]+)", page.read_text()))
    assert linked <= set(load_catalogue())


def test_the_servers_own_words_have_a_cause() -> None:
    """What recovery dies of by the predictor's table leads to a finding of its own."""
    texts = [value for name, value in vars(server_messages).items() if name.isupper()]
    texts += [
        server_messages.checkpoint_missing(16, 1),
        server_messages.redo_missing(17, 1, 2),
        server_messages.timeline_missing(3),
        server_messages.timeline_not_child(3),
        server_messages.timeline_unknown(3),
        server_messages.timeline_lacks_minimum(3, 1, 2),
        *(server_messages.wal_minimal(major) for major in (13, 14, 17)),
    ]
    unnamed = {
        text
        for text in texts
        if cause_of("time", Outcome(outcome="fails", reachable=False, reason="", fatal=text))
        is Cause.OTHER
    }
    # Settings that are too low are no cause: the verdict says which to raise.
    assert unnamed == {
        server_messages.LABEL_INCONSISTENT,
        server_messages.PREPARED_FULL,
        server_messages.PARAMETERS_SHORT,
    }


def test_a_wrong_name_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["explain", "walgap"]) == 64
    assert "did you mean wal_gap?" in capsys.readouterr().err
