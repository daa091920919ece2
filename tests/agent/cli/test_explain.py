"""`pitr-check explain`: every finding has a page that a person can act on."""

import re
from pathlib import Path

import pytest

from agent.cli import check
from rules.alerting.prometheus_rules import AGENT_ALERTS, AgentAlert
from rules.alerting.state import alert_name, can_alert
from rules.model.outcome import Cause, Outcome
from rules.recovery import server_messages
from rules.recovery.target_cause import cause_of
from rules.verdict.check import load_catalogue

ROOT = Path(__file__).parents[3]
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
    of_the_agent = [alert.name for alert in AGENT_ALERTS]
    assert listed == [*sorted(load_catalogue()), *of_the_agent]


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]))
def test_pages_lead_to_findings_that_exist(page: Path) -> None:
    linked = set(re.findall(r"findings\.md#([a-z_]+)", page.read_text()))
    assert linked <= set(load_catalogue())


def test_the_servers_own_words_have_a_cause() -> None:
    """What recovery dies of by the predictor's table leads to a finding of its own."""
    texts = [
        value
        for name, value in vars(server_messages).items()
        if name.isupper() and name != "UNQUOTED" and not name.startswith("_")
    ]
    texts += [
        server_messages.checkpoint_missing(16, 1),
        server_messages.redo_missing(17, 1, 2),
        server_messages.timeline_missing(3),
        server_messages.timeline_not_child(3),
        server_messages.timeline_unknown(3),
        server_messages.timeline_lacks_minimum(17, 3, 1, 2),
        *(server_messages.wal_minimal(major) for major in (13, 14, 17)),
    ]
    unnamed = {
        text
        for text in texts
        if cause_of("time", Outcome(outcome="fails", reachable=False, reason="", fatal=text))
        is Cause.OTHER
    }
    # For these the verdict itself says what to do: which settings to raise, which timeline to ask.
    assert unnamed == {
        server_messages.BACKUP_CANCELED,
        server_messages.LABEL_INCONSISTENT,
        server_messages.PREPARED_FULL,
        server_messages.PARAMETERS_SHORT,
    }


def test_a_wrong_name_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["explain", "wal_gpa"]) == 64
    assert "did you mean wal_gap?" in capsys.readouterr().err


@pytest.mark.parametrize("finding", sorted(load_catalogue()))
def test_a_name_is_known_in_any_case_and_by_its_alert(
    finding: str, capsys: pytest.CaptureFixture[str]
) -> None:
    written = (
        finding, finding.upper(), finding.replace("_", "-"), finding.replace("_", " "),
        alert_name(finding), alert_name(finding).lower(),
    )  # fmt: skip
    pages = set()
    for name in written:
        assert check.main(["explain", *name.split()]) == 0, name
        pages.add(capsys.readouterr().out)
    assert len(pages) == 1 and pages.pop().startswith(f"{finding} (")


@pytest.mark.parametrize("alert", AGENT_ALERTS, ids=lambda alert: alert.name)
def test_the_alerts_about_the_agent_are_explained(
    alert: AgentAlert, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.main(["explain", alert.name.lower()]) == 0
    page = capsys.readouterr().out
    assert page.startswith(f"{alert.name} ({alert.severity})\n{alert.title}\n")
    assert "What to do" in page


def test_a_misspelt_alert_is_answered_with_the_finding(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["explain", "PitrWallGap"]) == 64
    assert "did you mean wal_gap?" in capsys.readouterr().err
