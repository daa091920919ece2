"""Every fault of the laboratory, noticed by the real agent on a real server, and then mended.

A real Prometheus scrapes the agent meanwhile, with the rules made from the catalogue: both raise
the same alerts, and both resolve them. And a real browser shows the cluster's page, which says what
is wrong and what to do, and that it is over, without being loaded again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from agent.cli import agent as agent_command
from agent.lab.faults import FAULTS, Fault
from agent.lab.laboratory import Laboratory, open_laboratory
from agent.lab.metrics_page import MetricsPage
from agent.lab.service import LabService
from agent.lab.watching import CLUSTER, wait_for
from agent.postgres.account import Account
from agent.postgres.installation import Installation
from rules.alerting.state import alert_name
from tests.fix_browser import Browse
from tests.fix_prometheus import Prometheus, ask
from tests.fix_tools import PATIENCE_SECONDS
from tests.waiting import wait_until

_OBJECTIVES = {"rpo": "5s"}
_HOLD = "1s"
# Anybody who may create restore points can write into the page.
_HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\x1b[31m"

# The number that must move with the finding.
_DAMAGE_KINDS = {"truncated": "truncated", "bitflip": "bad_crc", "wrong-cluster": "foreign_system"}


def _shows_its_number(fault: Fault) -> Callable[[MetricsPage], bool]:
    def shows(page: MetricsPage) -> bool:
        if fault.name in _DAMAGE_KINDS:
            kind = _DAMAGE_KINDS[fault.name]
            return page.total("pitr_archive_damaged_segments", kind=kind) == 1
        if fault.name == "gap":
            labels = {"timeline": "1", "class": "lost"}
            return page.total("pitr_archive_missing_segments", **labels) == 1
        return (page.total("pitr_archive_ready_files") or 0) > 0 or fault.name == "silent-loss"

    return shows


@pytest.fixture
def rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The rules, with the same short patience as the agent's."""
    assert agent_command.main(["rules", "--hold", _HOLD]) == 0
    path = tmp_path / "pitr-alerts.yml"
    path.write_text(capsys.readouterr().out)
    return path


def _firing(lab: Laboratory) -> set[str]:
    alerts = ask(f"{lab.agent.url}/api/v1/alerts") or []
    return {alert["name"] for alert in alerts if alert["state"] == "firing"}


def _expect_shown(page: Page, finding: str) -> None:
    """The finding, what to do, and a runbook that can be opened where there is no network."""
    card = page.locator(f"#f-{finding}")
    expect(card.get_by_role("heading")).to_contain_text("critical")
    expect(card.locator(".remedy").first).to_contain_text("What to do.")
    expect(page.locator("#headline")).to_have_class(re.compile("critical"))
    runbook = card.get_by_role("link", name="runbook").evaluate("link => link.href")
    answer = page.request.get(runbook)
    assert answer.ok and alert_name(finding) in answer.text() and "Mitigation" in answer.text()


@pytest.mark.slow
@pytest.mark.pg("== 16")
@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.name)
def test_the_agent_notices(
    fault: Fault,
    pg: Installation,
    account: Account,
    short_directory: Path,
    prometheus: Prometheus,
    rules: Path,
    browse: Browse,
) -> None:
    with open_laboratory(pg, account, under=short_directory) as lab:
        service = LabService(lab)
        service.start(
            fault,
            archive_timeout_seconds=1,
            objectives=_OBJECTIVES,
            alerts={"hold": _HOLD},
        )
        prometheus.start(lab.agent.url.removeprefix("http://"), rules)
        page, healthy = service.wait_healthy(timeout_seconds=PATIENCE_SECONDS)
        assert healthy, page and page.findings()
        sight = browse(f"{lab.agent.url}/clusters/{CLUSTER}").page
        expect(sight.locator("#headline")).to_have_class(re.compile("ok"))
        sight.evaluate("window.sameDocument = true")
        lab.primary.sql("SELECT pg_create_restore_point(%s)", _HOSTILE)

        service.break_it(fault.name)
        page, noticed = service.wait_noticed(fault, timeout_seconds=PATIENCE_SECONDS)
        assert noticed, page and page.findings()
        page, shown = wait_for(
            lab.agent, _shows_its_number(fault), timeout_seconds=PATIENCE_SECONDS
        )
        assert shown, page
        expected = {alert_name(check) for check in fault.findings}
        wait_until(
            lambda: expected <= _firing(lab) == prometheus.alerts(),
            f"the agent fires {_firing(lab)}, Prometheus {prometheus.alerts()}",
        )
        for finding in fault.findings:
            _expect_shown(sight, finding)

        service.mend(fault.name)
        page, healthy = service.wait_healthy(timeout_seconds=PATIENCE_SECONDS)
        assert healthy, page and page.findings()
        wait_until(
            lambda: not _firing(lab) and not prometheus.alerts(),
            "both resolve them",
        )
        expect(sight.locator("article.critical")).to_have_count(0)
        expect(sight.locator("#headline")).to_have_class(re.compile("ok"))
        mark = sight.get_by_role("link", name=re.compile(re.escape("restore point <script>")))
        expect(mark.first).to_be_visible()
        expect(sight.get_by_role("img", name="Waiting for the archiver: last")).to_be_visible()
        assert sight.evaluate("window.sameDocument"), "it was loaded again"
        sight.close()  # before the agent ends
