"""The page over the real agent: what it says, to whom it links, what a browser may do with it."""

from __future__ import annotations

import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from email.message import Message
from html.parser import HTMLParser
from typing import NamedTuple

import pytest

from agent.page.addresses import path_segment
from tests.fix_watched import Watched

NAMES = ("lab", "orders / München", "..", "<b>&\"'{{ 7 * 7 }}", "100%2F")


class Answer(NamedTuple):
    status: int
    headers: Message
    body: str


def get(url: str, **headers: str) -> Answer:
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return Answer(answer.status, answer.headers, answer.read().decode())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers, error.read().decode())


class Links(HTMLParser):
    """Every address that a document names."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("href", "src") and value]


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, f"not seen in 60 s: {what}"
        time.sleep(0.2)


@pytest.fixture
def broken(watched: Watched) -> Watched:
    """An agent over the same archive, a segment of it gone, under names that are hard to write."""
    archive = {"archives": [{"url": str(watched.archive)}]}
    watched.config["clusters"] = [{"name": name, **archive} for name in NAMES]
    watched.break_it()
    watched.start()
    watched.agent.wait_for(lambda page: page.total("pitr_finding", id="wal_gap") == len(NAMES))
    return watched


def test_the_page_of_every_name(broken: Watched) -> None:
    fleet = get(f"{broken.agent.url}/")
    assert fleet.status == 200
    for name in NAMES:
        assert f'href="clusters/{path_segment(name)}"' in fleet.body
    links = Links(fleet.body).found
    for name in NAMES:
        link = next(each for each in links if each == f"clusters/{path_segment(name)}")
        shown = get(urllib.parse.urljoin(f"{broken.agent.url}/", link))
        assert shown.status == 200, name
        assert "missing on timeline 1" in shown.body
        for further in Links(shown.body).found:
            target = urllib.parse.urljoin(f"{broken.agent.url}/{link}", further)
            assert target.startswith(f"{broken.agent.url}/"), further
            assert get(target.partition("#")[0]).status == 200, further
    assert '<b>&"' not in fleet.body and "49" not in fleet.body.partition("<main")[2]
    assert get(f"{broken.agent.url}/clusters/none").status == 404


def test_what_a_browser_may_do(broken: Watched) -> None:
    root = f"{broken.agent.url}/"
    style = next(each for each in Links(get(root).body).found if ".css" in each)
    for path in ("", "clusters/lab", "clusters/none", style, "api/v1/clusters"):
        headers = get(urllib.parse.urljoin(root, path)).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none';") and "unsafe" not in policy, path
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
    style = urllib.parse.urljoin(root, style)
    assert "immutable" in get(style).headers["Cache-Control"]
    plain = style.partition("?")[0]
    tag = get(plain).headers["ETag"]
    assert get(plain, **{"If-None-Match": tag}).status == 304
