"""The page over the real agent: what it says, to whom it links, what a browser may do with it."""

from __future__ import annotations

import gzip
import html
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from email.message import Message
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import pytest

from agent.html.addresses import path_segment
from rules.verdict.check import load_catalogue
from tests.fix_agent import WatchedAgent
from tests.fix_tools import PATIENCE_SECONDS, need_program
from tests.fix_watched import Watched
from tests.ports import free_port
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]

NAMES = ("lab", "orders / München", "..", "<b>&\"'{{ 7 * 7 }}", "100%2F")


class Answer(NamedTuple):
    status: int
    headers: Message
    body: str

    def rows(self) -> list[str]:
        """Names of the clusters, in the order of the list."""
        return [
            html.unescape(name) for name in re.findall(r'scope="row"><a [^>]*>([^<]*)', self.body)
        ]


def get(url: str, **headers: str) -> Answer:
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            content = answer.read()
            if answer.headers["Content-Encoding"] == "gzip":
                content = gzip.decompress(content)
            return Answer(answer.status, answer.headers, content.decode())
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


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """An agent over the same archive, a segment of it gone, under names that are hard to write."""
    watched = Watched(tmp_path_factory.mktemp("page"))
    archive = {"archives": [{"url": str(watched.archive)}]}
    watched.config["clusters"] = [{"name": name, **archive} for name in NAMES]
    whole = shutil.copytree(watched.archive, watched.archive.with_name("whole"))
    watched.config["clusters"] += [
        {"name": "away", "archives": [{"url": "/nowhere/at/all"}]},
        {"name": "a whole one", "archives": [{"url": str(whole)}]},
    ]
    # One reading each, however busy the machine is: nothing changes after it.
    watched.config["defaults"] |= {"scan": "1h", "timeout": "60s"}
    watched.break_it()
    watched.start()
    watched.agent.wait_for(
        lambda page: (
            page.total("pitr_finding", id="wal_gap") == len(NAMES)
            and page.total("pitr_finding", id="collector_failing") == 1
            and len(list(page.select("pitr_verdict_timestamp_seconds"))) == len(NAMES) + 2
        ),
    )
    yield watched
    watched.agent.stop()


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
    assert '<b>&"' not in fleet.body and "{{ 7 * 7 }}" in fleet.body
    assert get(f"{broken.agent.url}/clusters/none").status == 404


@pytest.fixture(scope="module")
def proxied(broken: Watched, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The agent below a prefix of a real nginx, set up as docs/page.md says."""
    block = (ROOT / "docs" / "page.md").read_text().partition("```nginx\n")[2].partition("```")[0]
    directory, port = tmp_path_factory.mktemp("nginx"), free_port()
    (directory / "nginx.conf").write_text(f"""
        daemon off; pid {directory}/pid; error_log stderr;
        events {{}}
        http {{
          access_log off; client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
          fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;
          scgi_temp_path {directory}/scgi;
          server {{
            listen 127.0.0.1:{port};
            {block.replace("http://127.0.0.1:9870", broken.agent.url)}
          }}
        }}
    """)
    program = need_program("nginx")
    nginx = subprocess.Popen([program, "-p", directory, "-c", directory / "nginx.conf"])
    wait_until(lambda: can_connect(port), "nginx listens")
    yield f"http://127.0.0.1:{port}/pitr"
    nginx.terminate()
    nginx.wait(PATIENCE_SECONDS)


def can_connect(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_it_works_below_a_prefix(proxied: str) -> None:
    fleet = get(proxied)
    assert fleet.rows()[: len(NAMES)] == sorted(NAMES)
    for link in Links(fleet.body).found:
        address = urllib.parse.urljoin(f"{proxied}/", link).partition("#")[0]
        page = get(address)
        assert page.status == 200, link
        for further in Links(page.body).found if "clusters/" in link else ():
            target = urllib.parse.urljoin(address, further)
            assert target.startswith(f"{proxied}/"), (link, further)
            assert get(target.partition("#")[0]).status == 200, (link, further)


def test_a_name_written_by_hand_leads_to_its_cluster(broken: Watched) -> None:
    for name in NAMES:
        if name != "..":  # no browser and no urllib would ask for it
            quoted = urllib.parse.quote(name, safe="")
            address = f"{broken.agent.url}/clusters/{quoted}"
            page = get(address)
            assert f"<h1>{name}</h1>" in html.unescape(page.body)
            for link in Links(page.body).found:
                target = urllib.parse.urljoin(address, link)
                assert get(target.partition("#")[0]).status == 200, (name, link)


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


def test_what_could_not_be_checked_stands_apart(broken: Watched) -> None:
    page = get(f"{broken.agent.url}/clusters/away").body
    wrong = page.partition('id="wrong-title"')[2].partition("</section>")[0]
    unsure = page.partition('id="unsure-title"')[2].partition("</section>")[0]
    assert "Nothing in what could be checked." in wrong
    assert "/nowhere/at/all: there is no such directory" in unsure
    assert "could not run: archive listing not read" in unsure and "wal_gap" in unsure
    assert "Could not be checked" in page and "Fine" not in page
    found = get(f"{broken.agent.url}/clusters/lab").body
    wrong = found.partition('id="wrong-title"')[2].partition("</section>")[0]
    assert "1 segment missing on timeline 1" in wrong
    assert "runbooks/PitrWalGap" in wrong and "firing" in wrong
    assert load_catalogue()["wal_gap"].remedy in html.unescape(wrong)


def test_words_are_served_without_a_network(broken: Watched) -> None:
    root = f"{broken.agent.url}/"
    for file in sorted((ROOT / "docs" / "runbooks").glob("Pitr*.md")):
        paragraphs = [p for p in file.read_text().split("\n\n")[1:] if not p.startswith("#")]
        shown = get(f"{root}runbooks/{file.name}")
        assert shown.status == 200, file.name
        text = " ".join(html.unescape(re.sub("<[^>]+>", "", shown.body)).split())
        for paragraph in paragraphs:
            assert " ".join(paragraph.replace("`", "").split()) in text, file.name
    listed = get(f"{root}findings/").body
    for check in load_catalogue().values():
        assert f'href="{check.id}"' in listed
    text = get(f"{root}findings/wal_gap").body
    assert load_catalogue()["wal_gap"].why in text
    assert f'href="../clusters/{path_segment("orders / München")}"' in text
    assert get(f"{root}runbooks/PitrWalGap").status == 200
    for path in ("findings/none", "runbooks/none", "runbooks/..%2f..%2fREADME.md", "static/none"):
        assert get(root + path).status == 404


def test_the_worst_come_first_and_a_word_finds_them(broken: Watched) -> None:
    root = f"{broken.agent.url}/"
    listed = get(root)
    assert listed.rows() == [*sorted(NAMES), "away", "a whole one"]
    for sign, count in (("✕", f"{len(NAMES)} critical"), ("?", "1 could not"), ("✓", "1 fine")):
        assert re.search(rf">{re.escape(sign)}</span> {count}", listed.body), count
    assert get(f"{root}?sort=name").rows() == sorted([*NAMES, "away", "a whole one"])
    assert get(f"{root}?sort=unheard-of").rows() == listed.rows()
    assert get(f"{root}?q=ORDERS").rows() == ["orders / München"]
    assert get(f"{root}?q=%2F&part=live").rows() == ["orders / München"]
    critical = next(link for link in Links(listed.body).found if "verdict=critical" in link)
    chosen = get(urllib.parse.urljoin(root, critical))
    assert chosen.rows() == sorted(NAMES) and 'value="critical"' in chosen.body
    assert get(f"{root}?verdict=critical&q=orders").rows() == ["orders / München"]
    assert get(f"{root}?verdict=unheard-of").rows() == listed.rows()
    stranger = '"><script>alert(1)</script>'
    nothing = get(f"{root}?q={urllib.parse.quote(stranger)}")
    assert nothing.rows() == [] and "alert(1)&lt;/script&gt;" in nothing.body
    assert "<script>" not in nothing.body
    whole = get(f"{root}clusters/a%20whole%20one").body
    assert "nothing wrong was found, by the names of files alone" in whole
    assert "No backups are configured" in whole


def test_what_is_refreshed_is_sent_once(broken: Watched) -> None:
    root = f"{broken.agent.url}/"
    part = get(f"{root}?part=live")
    assert part.body in get(root).body and "<html" not in part.body
    again = get(f"{root}?part=live", **{"If-None-Match": part.headers["ETag"]})
    assert (again.status, again.body) == (304, "")
    packed = get(root, **{"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and packed.rows() == part.rows()
    assert int(packed.headers["Content-Length"]) < len(packed.body) / 2
    for other in ("findings/", "findings/wal_gap", "clusters/none"):
        assert "<html" in get(f"{root}{other}?part=live").body


def test_a_directory_that_takes_too_long_is_named(
    tmp_path: Path, new_agent: Callable[..., WatchedAgent]
) -> None:
    """No server is configured, and none is blamed."""
    archive = tmp_path / "wal"
    archive.mkdir()
    for number in range(5000):
        (archive / f"{number:024X}").touch()
    agent = new_agent({"timeout": "0.001ms"}, archives=[{"url": str(archive)}])
    agent.wait_for(lambda page: page.total("pitr_finding", id="collector_failing"))
    with urllib.request.urlopen(f"{agent.url}/clusters/lab", timeout=60) as answer:
        assert "no answer within" in answer.read().decode()
