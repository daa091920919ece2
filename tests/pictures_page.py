"""Draw docs/pictures/page-*.png: the agent's page over real servers (make pictures).

A primary archives under light traffic, is backed up twice, and is watched under several names:
whole, with a segment taken from a copy of its archive, and where nobody answers. Then a restore
runs, slowly.

    python -m tests.pictures_page [DIRECTORY]
"""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, expect, sync_playwright

from agent.lab.agent_process import AgentProcess
from agent.lab.history import CREATE_TABLE
from agent.lab.laboratory import Laboratory, open_laboratory
from agent.lab.narrator import Narrator
from agent.lab.primary import make_agent_role, make_primary
from agent.lab.traffic import Traffic
from agent.lab.watching import agent_dsn
from agent.postgres.account import server_account
from agent.postgres.installation import InstallationFor, find_installation
from tests.fix_browser import DESK, PHONE, launch
from tests.pictures import MAJOR, Story

_PICTURES: Final = Path(__file__).parent.parent / "docs" / "pictures"
_HOME: Final = Path("/tmp/pitr")  # its name is in the pictures
_RESTORE_POINT: Final = "before_the_release"
_BEFORE_SECONDS, _AFTER_SECONDS = 70, 50  # of traffic, around the restore point and second backup
_MAX_BYTES: Final = 150_000
_PATIENCE_MS: Final = 120_000
_MARGIN: Final = 20  # pixels around a part
_BOX: Final = """(part, margin) => {
  const box = part.getBoundingClientRect();
  return {
    x: box.x + scrollX - margin, y: box.y + scrollY - margin,
    width: box.width + 2 * margin, height: box.height + 2 * margin,
  };
}"""


class Pictures:
    """Opens pages, waits until they show what the picture is about, and keeps them."""

    def __init__(self, browser: Browser, directory: Path) -> None:
        self._browser, self._directory = browser, directory

    @contextmanager
    def opened(self, url: str, **options: Any) -> Iterator[Page]:
        context = self._browser.new_context(**{"viewport": DESK, **options})
        context.set_default_timeout(_PATIENCE_MS)
        page = context.new_page()
        page.goto(url)
        yield page
        context.close()

    def keep(self, page: Page, name: str, part: str | None = None) -> None:
        """What is to be seen of a page, or a part of it with its margin."""
        path = self._directory / f"page-{name}.png"
        options: dict[str, Any] = {}
        if part is not None:
            box = page.locator(part).evaluate(_BOX, _MARGIN)
            options = {"full_page": True, "clip": box}
        path.write_bytes(page.screenshot(animations="disabled", **options))
        size = path.stat().st_size
        print(f"{path} {size}")
        assert size <= _MAX_BYTES, f"{path} has {size} bytes: show less"


def make_history(lab: Laboratory) -> None:
    """Two backups, a restore point between them, and commits all along."""
    make_primary(lab, Narrator(), segment_mib=1, archive_timeout=4, autovacuum=True)
    make_agent_role(lab, Narrator())
    lab.primary.sql(CREATE_TABLE)
    traffic = Traffic(lab.primary)
    lab.at_end(traffic.stop)
    backups = lab.account.make_directory(lab.directory / "backups")
    lab.primary.base_backup(backups / "monday", "-F", "p", "-Xs")
    traffic.start()
    time.sleep(_BEFORE_SECONDS)
    lab.primary.sql(f"SELECT pg_create_restore_point('{_RESTORE_POINT}')")
    time.sleep(5)
    lab.primary.base_backup(backups / "tuesday", "-F", "p", "-Xs")
    time.sleep(_AFTER_SECONDS)


def configuration(lab: Laboratory) -> dict[str, Any]:
    """The same server under four names; of the second's archive a segment is gone."""
    lacking = lab.directory / "archive_of_billing"
    shutil.copytree(lab.archive, lacking)
    segments = sorted(path for path in lacking.iterdir() if len(path.name) == 24)
    segments[4 * len(segments) // 5].unlink()
    whole = {
        "dsn": agent_dsn(lab),
        "archives": [{"url": str(lab.archive)}],
        "backups": {"url": str(lab.directory / "backups")},
        "objectives": {"rpo": "5m"},
    }
    return {
        "clusters": [
            {"name": "orders", **whole},
            {"name": "billing", **whole, "archives": [{"url": str(lacking)}], "dsn": None},
            {"name": "warehouse", **whole, "objectives": {"rpo": "5m", "window": "7d"}},
            {"name": "crm", **whole, "dsn": "host=127.0.0.1 port=9 dbname=crm"},
        ],
        "defaults": {"poll": "2s", "scan": "5s", "depth": "records", "timeout": "5s"},
    }


def draw_clusters(pictures: Pictures, lab: Laboratory) -> None:
    """The fleet, a cluster that is well, one that is not, and both on other screens."""
    config = configuration(lab)
    for cluster in config["clusters"]:
        if cluster["dsn"] is None:
            del cluster["dsn"]
    lab.agent.start(config)
    url = lab.agent.url
    with pictures.opened(url) as page:
        expect(page.locator("table.fleet tr.ok")).to_have_count(1)
        expect(page.locator("table.fleet tr.critical")).to_have_count(1)
        time.sleep(45)  # something for the plots
        pictures.keep(page, "fleet")
    with pictures.opened(f"{url}/clusters/orders") as page:
        expect(page.locator("#headline.ok")).to_be_visible()
        point = page.get_by_role("link", name=re.compile(f"^restore point {_RESTORE_POINT}"))
        expect(point).to_be_visible()
        pictures.keep(page, "cluster")
        pictures.keep(page, "archiving", "section.archiving")
        point.focus()
        page.keyboard.press("Enter")
        expect(page.locator("#settings")).to_be_visible()
        pictures.keep(page, "instant", "#instant")
    tall = {"width": DESK["width"], "height": 1150}
    with pictures.opened(f"{url}/clusters/billing", color_scheme="dark", viewport=tall) as page:
        expect(page.locator("#f-wal_gap")).to_be_visible()
        pictures.keep(page, "gap")
    phone = {"viewport": PHONE, "is_mobile": True, "has_touch": True}
    with pictures.opened(url, **phone) as page:
        pictures.keep(page, "phone")


def draw_restore(pictures: Pictures, story: Story) -> None:
    """A restore to the end of its archive, halfway."""
    with story.restored(seconds_a_segment=2) as cluster:
        cluster.run("pg_ctl", "start", "-W", "-D", str(cluster.data), "-l", str(cluster.log), "-s")
        agent = AgentProcess(story.home)
        agent.start({
            "clusters": [
                {
                    "name": "orders",
                    "dsn": cluster.dsn,
                    "log": str(cluster.log),
                    "archives": [{"url": str(story.archive)}],
                }
            ],
            "defaults": {"poll": "1s", "scan": "5s", "depth": "names"},
        })  # fmt: skip
        try:
            low = {"width": DESK["width"], "height": 530}
            with pictures.opened(f"{agent.url}/clusters/orders", viewport=low) as page:
                bar = page.get_by_role("progressbar")
                expect(bar).to_have_attribute("value", re.compile("^[3-9].$"))
                expect(page.locator(".bar")).to_contain_text("to go")
                pictures.keep(page, "restore")
        finally:
            agent.stop()


def main() -> None:
    to = Path(sys.argv[1]) if len(sys.argv) > 1 else _PICTURES
    to.mkdir(parents=True, exist_ok=True)
    account = server_account()
    with (
        InstallationFor(find_installation(MAJOR), account) as installation,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright)
        pictures = Pictures(browser, to)
        try:
            with open_laboratory(installation, account, keep=_HOME) as lab:
                make_history(lab)
                draw_clusters(pictures, lab)
            shutil.rmtree(_HOME)
            _HOME.mkdir(mode=0o755)
            draw_restore(pictures, Story(installation, _HOME, account))
        finally:
            browser.close()
            shutil.rmtree(_HOME, ignore_errors=True)


if __name__ == "__main__":
    main()
