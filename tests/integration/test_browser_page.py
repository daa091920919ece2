"""The page in a real Chromium: two hundred clusters, names that are out to hurt, every way to look.

One agent for all: most of its clusters watch one whole archive, a few another that lacks a segment.
"""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from agent.language import say, speaking
from parsers.sentences import tr
from tests.accessibility import grave_violations
from tests.fix_browser import PHONE, Browse
from tests.fix_watched import Watched

CLUSTERS_COUNT: Final = 200
BROKEN: Final = "zz broken"
DRAWN: Final = "aa drawn"  # with a backup, its WAL read
HOSTILE: Final = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}"
# A directory can be named so; of one that is not there the page says that.
HOSTILE_DIRECTORY: Final = "wal<script>alert(3)<\\script>\x1b[31m'\""

_FOCUSED: Final = """() => {
  const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
  return {
    name: (e.getAttribute("aria-label") || e.labels?.[0]?.textContent || e.textContent).trim(),
    tag: e.tagName.toLowerCase(),
    ringed: style.outlineStyle !== "none" && style.outlineWidth !== "0px",
    seen: box.width > 0 && box.right > 0 && box.bottom > 0 && box.left < innerWidth,
  };
}"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    watched = Watched(tmp_path_factory.mktemp("fleet"))
    whole = [{"url": str(watched.archive)}]
    backups = {"url": str(watched.archive.parent)}
    short = Path(shutil.copytree(watched.archive, watched.archive.parent / HOSTILE_DIRECTORY))
    sorted(short.glob("0000000100000000????????"))[3].unlink()
    lacking: dict[str, Any] = {"archives": [{"url": str(short)}], "scan": "1s"}
    watched.config["clusters"] = [
        *({"name": f"db{n:03}", "archives": whole} for n in range(CLUSTERS_COUNT - 3)),
        {"name": BROKEN, **lacking},
        {"name": HOSTILE, **lacking, "backups": {"url": str(short / HOSTILE_DIRECTORY)}},
        {"name": DRAWN, "archives": whole, "backups": backups, "depth": "records"},
    ]
    # First scans are spread over `scan`; nothing is called late because the machine is busy.
    watched.config["defaults"] = {"scan": "6s", "timeout": "60s", "depth": "names"}
    watched.start()
    watched.agent.wait_for(
        lambda page: (
            page.total("pitr_finding", id="wal_gap") == 2
            and page.total("pitr_check_known", id="wal_gap") == CLUSTERS_COUNT
            and page.total("pitr_restorable_windows", cluster=DRAWN) == 1
        ),
    )
    yield watched
    watched.agent.stop()


@pytest.fixture
def url(fleet: Watched) -> str:
    return fleet.agent.url


def focused(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(_FOCUSED)
    return found


def rows(page: Page) -> Any:
    return page.locator("table.fleet tbody tr")


def test_two_hundred_clusters_stay_readable(browse: Browse, url: str) -> None:
    page = browse(url).page
    expect(rows(page)).to_have_count(CLUSTERS_COUNT)
    names = rows(page).get_by_role("link").all_inner_texts()
    assert set(names[:2]) == {BROKEN, HOSTILE}, "the worst come first"
    assert names[2:] == sorted(names[2:])
    page.evaluate("window.sameDocument = true")
    page.get_by_role("searchbox").fill("db01")
    expect(rows(page)).to_have_count(10)
    assert page.url.endswith("?q=db01"), "the address can be kept"
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.get_by_role("searchbox").fill("no such")
    expect(page.locator(".nothing")).to_contain_text("no such")
    page.get_by_role("searchbox").fill("")
    expect(rows(page)).to_have_count(CLUSTERS_COUNT)
    page.get_by_role("combobox").select_option("name")
    expect(rows(page).first).to_contain_text(HOSTILE)
    assert page.evaluate("window.sameDocument"), "nothing was loaded again"


def test_names_that_are_out_to_hurt_are_only_shown(browse: Browse, url: str) -> None:
    page = browse(url).page
    page.get_by_role("link", name=HOSTILE, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    expect(page.locator("main")).to_contain_text("wal<script>alert(3)<\\script>")
    assert "\x1b" not in page.content()
    assert page.locator("main script, main img").count() == 0
    tab = browse(f"{url}/?q=%3Cscript%3Ealert(4)%3C%2Fscript%3E%22")
    expect(tab.page.get_by_role("searchbox")).to_have_value('<script>alert(4)</script>"')


def test_a_keyboard_is_enough(browse: Browse, url: str) -> None:
    page = browse(f"{url}/?q=zz").page
    page.keyboard.press("Tab")
    assert focused(page)["name"] == "Skip to the content" and focused(page)["seen"]
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    seen = []
    while BROKEN not in seen:
        page.keyboard.press("Tab")
        here = focused(page)
        assert here["ringed"] and here["seen"], here
        seen.append(here["name"] if here["tag"] == "a" else here["tag"])
        assert len(seen) < 12, seen
    assert seen[:3] == ["input", "select", "button"]
    assert any("critical" in name for name in seen), "only those of a verdict"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(BROKEN)
    page.wait_for_load_state()
    walked = []
    for _ in range(60):
        page.keyboard.press("Tab")
        here = focused(page)
        if here["tag"] == "body":
            break
        assert here["ringed"] and here["seen"], here
        walked.append(here["name"])
    assert here["tag"] == "body", f"the walk does not end: {walked}"
    assert walked[0] == "Skip to the content" and any("runbook" in name for name in walked)


def test_an_instant_is_picked_with_the_keyboard_and_proven(browse: Browse, url: str) -> None:
    page = browse(f"{url}/clusters/aa%20drawn").page
    point = page.get_by_role("link", name=re.compile("^restore point antes_del_cambio"))
    point.focus()
    assert focused(page)["ringed"]
    page.keyboard.press("Enter")
    settings = page.locator("#settings")
    expect(settings).to_contain_text("recovery_target_name = 'antes_del_cambio'")
    expect(page.locator("#instant")).to_contain_text("can be restored")
    page.get_by_role("textbox", name="Instant").fill("2020-01-01 00:00:00+00")
    page.keyboard.press("Enter")
    expect(page.locator("#instant")).to_contain_text("No settings to paste")
    expect(settings).to_have_count(0)
    assert "at=2020-01-01" in page.url, "the instant can be kept as an address"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_grave_for_a_screen_reader(browse: Browse, url: str, scheme: str) -> None:
    """Contrast among it, in both schemes."""
    page = browse(f"{url}/?q=db01", color_scheme=scheme).page
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = sum(map(int, re.findall(r"\d+", paper)[:3])) > 3 * 128
    assert light == (scheme == "light")
    assert grave_violations(page) == []
    page.goto(f"{url}/clusters/zz%20broken")
    for summary in page.locator("summary").all():
        summary.click()
    assert grave_violations(page) == []
    page.get_by_role("link", name="runbook").first.click()
    expect(page.get_by_role("heading", name="Mitigation")).to_be_visible()
    assert grave_violations(page) == []
    page.goto(f"{url}/clusters/aa%20drawn?point=antes_del_cambio")
    expect(page.locator("#settings")).to_be_visible()
    assert grave_violations(page) == []


def test_a_phone_needs_no_sideways_scrolling(browse: Browse, url: str) -> None:
    page = browse(url, viewport=PHONE, has_touch=True, is_mobile=True).page
    drawn = "/clusters/aa%20drawn?point=antes_del_cambio"
    for path in ("", "/clusters/zz%20broken", drawn, "/findings/", "/findings/wal_gap"):
        page.goto(f"{url}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path


def test_an_agent_that_does_not_answer_is_said_to_be_old(browse: Browse, watched: Watched) -> None:
    watched.start()
    watched.agent.wait_for(lambda page: page.total("pitr_check_known", id="wal_gap") == 1)
    tab = browse(f"{watched.agent.url}/clusters/lab")
    old = tab.page.get_by_role("alert")
    expect(old).to_be_hidden()
    tab.expect_outage()
    watched.signal(signal.SIGSTOP)
    try:
        expect(old).to_contain_text("is not answering")
    finally:
        watched.signal(signal.SIGCONT)
    expect(old).to_be_hidden()


def test_the_script_speaks_the_language_of_the_page(browse: Browse, fleet: Watched) -> None:
    with speaking("es_MX"):
        ago, ahead = (re.escape(say(tr(t, time="#"))) for t in ("{time} ago", "in {time}"))
        clock = re.escape(say(tr("As of {clock}", clock="#")))
    page = browse(f"{fleet.agent.url}/?q=db00", locale="es-MX").page
    assert page.locator("html").get_attribute("lang") == "es-MX"
    expect(page.locator("#pulse")).to_have_text(
        re.compile(clock.replace("\\#", r"\d\d:\d\d:\d\d UTC"))
    )
    age = page.locator("time[data-age]").first
    words = f"{ago}|{ahead}".replace("\\#", r"\d+ (s|min)")
    expect(age).to_have_attribute("data-age", re.compile(words))
    with page.expect_response(re.compile("part=live")) as part:
        page.get_by_role("searchbox").fill("db001")
    assert part.value.headers["content-language"] == "es-MX"
