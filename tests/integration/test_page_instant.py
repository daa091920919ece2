"""The drawing on a cluster's page, and the instants picked on it, over the real agent.

What each target does was tried with a real restore once: the truth of the archive says it.
"""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.fix_agent import FAST, UNHURRIED
from tests.fix_check import pitr_check
from tests.fix_tools import PATIENCE_SECONDS
from tests.fix_watched import ARCHIVE, Watched
from tests.html_page import Page, read_page

TRUTH = json.loads(Path(str(ARCHIVE).replace(".tar.xz", ".truth.json")).read_text())
TARGETS = [each for each in TRUTH["restorable"]["targets"] if each["type"] in ("time", "name")]
LATEST = datetime.fromisoformat(TRUTH["restorable"]["latest_time"]).timestamp()
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """An archive read record by record, with its backup; and one that has none, listed only."""
    watched = Watched(tmp_path_factory.mktemp("instants"))
    archives = [{"url": str(watched.archive)}]
    backups = {"url": str(watched.archive.parent)}
    watched.config["clusters"] = [
        {"name": "lab", "archives": archives, "backups": backups},
        {"name": "alone", "archives": archives},
        {"name": "listed", "archives": archives, "backups": backups, "depth": "names"},
    ]
    watched.config["defaults"] = {**FAST, **UNHURRIED, "scan": "5s", "depth": "records"}
    watched.start()
    watched.agent.wait_for(
        lambda page: (
            page.total("pitr_latest_restorable_timestamp_seconds", cluster="lab") == LATEST
            and page.total("pitr_collector_success", cluster="alone", collector="segments") == 1
            and page.total("pitr_collector_success", cluster="listed", collector="backups") == 1
        ),
    )
    yield watched
    watched.agent.stop()


def look(lab: Watched, name: str = "lab", **query: str) -> Page:
    """As a person does: where the answer takes long, ask again."""
    url = f"{lab.agent.url}/clusters/{name}?{urllib.parse.urlencode(query)}"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
            page = read_page(answer.read().decode())
        if "ask again in a moment" not in page.text:
            break
    return page


def ask(target: dict[str, Any]) -> dict[str, str]:
    key = "at" if target["type"] == "time" else "point"
    return {key: target["value"], "inclusive": "on" if target["inclusive"] else "off"}


def reachable(page: Page) -> str:
    cards = [each for _, each in page.elements if "data-reachable" in each]
    assert len(cards) == 1, page.text
    return cards[0]["data-reachable"]


@pytest.mark.parametrize("target", TARGETS, ids=lambda each: f"{each['type']} {each['at']}")
def test_an_instant_goes_as_it_went(lab: Watched, target: dict[str, Any]) -> None:
    page = look(lab, **ask(target))
    assert reachable(page) == str(target["restorable"]).lower()
    assert bool(page.having("pre", id="settings")) is target["restorable"]
    assert ("No settings to paste" in page.text) is not target["restorable"]


def test_the_settings_are_those_that_pitr_check_proves(lab: Watched) -> None:
    page = look(lab, at="2026-11-22 12:46:48.806105", timeline="1", action="pause")
    named = ("--archive", lab.archive, "--backup", lab.archive.parent / "backup")
    asked = ("--target-time", "2026-11-22 12:46:48.806105+00", "--timeline", 1, "--action", "pause")
    told = pitr_check(*named, *asked, "--format", "json").json["target"]
    assert told["reachable"] is True
    assert "written without a zone and is read as UTC" in page.text
    assert " ".join(told["settings"].split()) in page.text
    assert f"of transaction {told['stop']['xid']} at {told['stop']['lsn']}" in page.text
    assert f"{told['last_transaction']['xid']} at {told['last_transaction']['lsn']}" in page.text
    assert f"{told['segments_needed']} segments" in page.text


def test_one_transaction_more_and_one_less_lead_to_each_other(lab: Watched) -> None:
    start = {"at": "2026-11-22T12:46:48.806105Z", "timeline": "1"}

    def kept(page: Page) -> str:
        return page.text.partition("last transaction kept ")[2].split(" ")[0]

    def follow(page: Page, words: str) -> Page:
        query = page.leads[words].lstrip("?").partition("#")[0]
        return look(lab, **dict(urllib.parse.parse_qsl(query)))

    here = look(lab, **start)
    more = follow(here, "one transaction more")
    assert int(kept(more)) == int(kept(here)) + 1
    assert kept(follow(more, "one transaction less")) == kept(here)


def test_what_cannot_be_proven_gives_no_settings(lab: Watched) -> None:
    for name, words in (
        ("alone", "no backups are configured"),
        ("listed", "only names are read"),
    ):
        page = look(lab, name, at="2026-11-22T12:46:49Z")
        assert words in page.text and not page.having("pre", id="settings")
        assert "not known" in page.text.partition("Restore to an instant")[2]


@pytest.mark.parametrize(
    "query",
    [
        {"at": HOSTILE},
        {"point": HOSTILE},
        {"at": "9999-12-31 23:59:59.999999"},
        {"at": "0001-01-01"},
    ],
)
def test_what_nobody_can_read_is_shown_as_it_is(lab: Watched, query: dict[str, str]) -> None:
    page = look(lab, **query, zoom=HOSTILE, end=HOSTILE)
    assert next(iter(query.values())) in page.text or "cannot be restored" in page.text
    assert not [each for each in page.having("script") if "src" not in each]


def test_the_drawing_has_what_the_truth_has(lab: Watched) -> None:
    page = look(lab)
    for point in TRUTH["restore_points"]:
        (mark,) = [
            each
            for each in page.having("a", class_="restore_point")
            if f" {point['name']}," in each["aria-label"]
        ]
        query = dict(urllib.parse.parse_qsl(mark["href"].lstrip("?").partition("#")[0]))
        assert query == {"point": point["name"], "timeline": "1"}
    assert page.having("rect", class_="window") and page.having("a", class_="backup")
    earliest, latest = (
        datetime.fromisoformat(TRUTH["restorable"][key]) for key in ("earliest_time", "latest_time")
    )
    assert (
        f"restorable from {earliest:%Y-%m-%d %H:%M:%S} UTC to {latest:%Y-%m-%d %H:%M:%S} UTC"
        in page.text
    )
    picks = page.having("a", class_="pick")
    assert 20 < len(picks) <= 96 and all(each["tabindex"] == "-1" for each in picks)
    assert "not read" in look(lab, "listed").text
    assert not look(lab, "listed").having("rect", class_="window")
