"""`pitr-check --format html` in a real Chromium, opened from disk as from a ticket."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.accessibility import grave_violations
from tests.fix_browser import DESK, PHONE, Browse
from tests.fix_check import pitr_check
from tests.integration.test_check_html import unpack


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file, of an archive with a gap in its middle."""
    home = tmp_path_factory.mktemp("report")
    archived = unpack("gap_middle", home)
    named = ("--archive", archived.archive, "--backup", archived.backup, "--backup-depth", "label")
    written = home / "verdict.html"
    written.write_text(pitr_check(*named, "--format", "html").out)
    return written


def test_a_file_from_disk_asks_nobody(browse: Browse, report: Path) -> None:
    page = browse(report.as_uri()).page
    expect(page.get_by_role("heading", level=1)).to_contain_text("CRITICAL")
    expect(page.get_by_role("img", name=re.compile("^gap: .*1 lost"))).to_be_visible()
    page.get_by_role("link", name=re.compile("^restore point antes")).focus()
    page.keyboard.press("Enter")
    expect(page.locator("tr:target")).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_by_everybody(browse: Browse, report: Path, scheme: str) -> None:
    page = browse(report.as_uri(), color_scheme=scheme, viewport=PHONE).page
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.set_viewport_size(DESK)
    assert grave_violations(page) == []
    page.emulate_media(media="print")
    expect(page.locator("#target")).to_be_visible()
