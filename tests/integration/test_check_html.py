"""pitr-check --format html: one file that says what the JSON says, whatever the names in it are."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from agent.check.render_html import ROWS_MAX, render_html
from agent.check.run import report_failure
from parsers.wal.facts import RestorePoint
from rules.archive.dated_wal import DatedWalFacts
from rules.archive.restore_points import PlacedRestorePoint
from rules.case.context import Context
from tests.fix_check import Archived, pitr_check
from tests.fix_tools import PATIENCE_SECONDS
from tests.html_page import Page, read_page
from tests.unpack import unpack_tar

ARCHIVES = Path(__file__).parent.parent / "data" / "archives"
HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(2)>'\"&{{7*7}}\x1b[31m"


def unpack(case: str, home: Path) -> Archived:
    unpack_tar(ARCHIVES / f"{case}.tar.xz", home)
    return Archived(home / "backup", home / "archive")


def check_html(
    archived: Archived, *options: object, status: int, prefix: tuple[str, ...] = ()
) -> tuple[Page, str]:
    named = ("--archive", archived.archive, "--backup", archived.backup, "--backup-depth", "label")
    checked = pitr_check(*named, "--format", "html", *options, prefix=prefix)
    assert checked.status == status, checked.err
    return read_page(checked.out), checked.out


def is_alone(page: Page, html: str) -> None:
    """It asks nothing of anybody, runs nothing, and has the browser hold it to that."""
    assert all(link.startswith("#") for link in page.links)
    assert {link[1:] for link in page.links} <= page.ids.keys()
    assert not page.having("script") and not page.having("link") and not page.having("img")
    assert "@import" not in html and not re.search(r"url\((?!#)", html)
    (policy,) = [each["content"] for each in page.having("meta") if "http-equiv" in each]
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'") and f"'sha256-{digest}'" in policy


def test_a_gap_is_drawn_said_and_explained(tmp_path: Path) -> None:
    archived = unpack("gap_middle", tmp_path)
    page, html = check_html(archived, "--now", "2026-11-22T12:47:00+00:00", status=2)
    is_alone(page, html)
    for kind in ("window", "gap", "wal"):
        assert page.having("rect", class_=kind)
    assert "CRITICAL" in page.text and "recovery_ends_short" in page.text
    assert "00000001000000000000000E (1 lost); between 2026-11-22 12:46:48 UTC" in page.text
    assert "No settings to paste: this target is proven not to be reached" in page.text
    assert "every record, its checksum" in page.text
    assert page.having("g", class_="now") and "later" not in page.text
    assert f"pitr-check --archive {archived.archive}" in page.text
    assert page.having("a", class_="restore_point")[0]["aria-label"].startswith("restore point ")


def test_a_target_has_its_stop_and_the_settings_of_the_json(tmp_path: Path) -> None:
    archived = unpack("timelines_good", tmp_path)
    target = ("--target-name", "tras_conmutar", "--timeline", "2")
    page, _ = check_html(archived, *target, status=0)
    told = archived.check("--backup-depth", "label", *target).json["target"]
    assert told["reachable"] is True
    stop = told["stop"]
    shown = f"{stop['position']} restore point “{stop['name']}” at {stop['lsn']}"
    assert shown in page.text
    assert " ".join(told["settings"].split()) in page.text
    assert page.having("a", class_="target") and len(page.having("line", class_="fork")) == 4


def test_names_of_others_stay_text(tmp_path: Path) -> None:
    archived = unpack("gap_middle", tmp_path / "archive <script>alert(0)</script>\x1b[2J")
    label = archived.backup / "backup_label"
    label.write_text(re.sub("LABEL: .*", lambda _: f"LABEL: {HOSTILE}", label.read_text()))
    latin = ("env", "PYTHONIOENCODING=latin-1")  # whatever the terminal has, the file is UTF-8
    page, html = check_html(archived, status=2, prefix=latin)
    is_alone(page, html)
    assert "✕" in page.text and "\x1b" not in html
    assert "<script>alert(0)</script>\\x1b[2J" in page.text
    assert "onerror=alert(2)>'\"&{{7*7}}\\x1b[31m" in page.text


def test_very_many_restore_points_with_hostile_names_stay_a_light_page() -> None:
    points = tuple(
        PlacedRestorePoint(1, RestorePoint(n * 100, n * 100 + 50, n * 1_000_000, f"{HOSTILE}{n}"))
        for n in range(50_000)
    )
    report = report_failure(Context(depth="records"), HOSTILE, datetime(2026, 11, 22, tzinfo=UTC))
    report = replace(report, dated=DatedWalFacts(places={}, restore_points=points))
    html = render_html(report, ["--archive", HOSTILE])
    is_alone(read_page(html), html)
    assert f"and {50_000 - ROWS_MAX} more" in html
    assert len(html) < 1_000_000


def test_what_could_not_be_checked_is_said_and_is_no_ok(tmp_path: Path) -> None:
    checked = pitr_check(
        "--archive", tmp_path / "nowhere", "--backup", tmp_path, "--format", "html"
    )
    assert checked.status == 3
    page = read_page(checked.out)
    is_alone(page, checked.out)
    assert "UNKNOWN" in page.text and "nowhere" in page.text
    assert "there is nothing to draw" in page.text and not page.having("rect")


def test_what_was_not_read_is_not_drawn_as_restorable(tmp_path: Path) -> None:
    archived = unpack("gap_middle", tmp_path)
    page, _ = check_html(archived, "--depth", "names", status=2)
    assert page.having("rect", class_="unproven") and not page.having("rect", class_="window")
    assert "its records were not read" in page.text and "file names only" in page.text
    (mark,) = page.whole_axis.having("a", class_="backup")
    assert "by_names" in mark["class"]
    assert "restorable, by the names of files alone" in mark["aria-label"]
    assert "restorable by the names of files alone" in page.text


def test_who_does_not_ask_for_it_does_not_pay_for_it(tmp_path: Path) -> None:
    program = (
        "import sys, contextlib\n"
        "from agent.cli.check import main\n"
        "with contextlib.suppress(SystemExit): main(sys.argv[1:])\n"
        "print({'jinja2', 'starlette', 'markupsafe'} & set(sys.modules), file=sys.stderr)\n"
    )
    archived = unpack("gap_middle", tmp_path)
    named = ("--archive", str(archived.archive), "--backup", str(archived.backup))
    for arguments in (["--help"], [*named, "--depth", "names", "--format", "json"]):
        command = [sys.executable, "-c", program, *arguments]
        result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
        assert result.stderr.splitlines()[-1] == "set()"
