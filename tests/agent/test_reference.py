"""The pages made from the catalogue and the tables are up to date, and lead to each other."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from agent.reference import render_reference, write_reference

DOCS = Path(__file__).parents[2] / "docs"
RULES = DOCS.parent / "dashboards" / "prometheus" / "pitr-alerts.yml"
PAGES = render_reference()


@pytest.mark.parametrize("page", sorted(PAGES), ids=str)
def test_the_page_is_what_would_be_written(page: Path) -> None:
    assert (DOCS / page).read_text() == PAGES[page], "stale: type  make docs"


def test_no_runbook_is_left_over(tmp_path: Path) -> None:
    written = {page.name for page in PAGES if page.parent.name == "runbooks"}
    assert {found.name for found in (DOCS / "runbooks").iterdir()} == written
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "PitrOnceThere.md").touch()
    write_reference(tmp_path)
    assert {found.name for found in (tmp_path / "runbooks").iterdir()} == written


def test_each_alert_has_its_runbook_with_four_headings() -> None:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    for rule in (rule for group in groups for rule in group["rules"]):
        text = (DOCS.parent / rule["annotations"]["runbook_url"]).read_text()
        headings = [line for line in text.splitlines() if line.startswith("#")]
        assert headings == [
            f"# {rule['alert']}", "## Meaning", "## Impact", "## Diagnosis", "## Mitigation",
        ]  # fmt: skip
        assert all(len(part.split()) >= 5 for part in text.split("##")[1:]), rule["alert"]
