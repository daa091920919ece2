"""The page in the language that a browser asks for, else in the agent's, else in English."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from agent.config.model import ArchiveConfig, ClusterConfig, Config
from agent.language import say, speak, speaking
from agent.monitor.watched import WatchedCluster
from agent.page.fleet import Fleet
from agent.page.visit import Visit
from agent.web.application import make_application
from agent.web.exposition import Exposition
from rules.verdict.check import load_catalogue
from tests.fix_watched import Watched

PAGES = (
    "/", "/clusters/lab", "/clusters/none", "/findings/", "/findings/wal_gap",
    "/runbooks/PitrWalGap", "/?part=live", "/clusters/lab?part=live&at=2025-01-01",
)  # fmt: skip
# Of /metrics what does not count what was asked.
NO_PAGES = ("/api/v1/clusters", "/api/v1/clusters/lab", "/api/v1/alerts", "/healthz", "/readyz")
WHY = load_catalogue()["wal_gap"].why


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedCluster]:
    """One with a gap, judged once."""
    watched = Watched(tmp_path_factory.mktemp("spoken"))
    watched.break_it()
    archives = (ArchiveConfig(url=str(watched.archive)),)
    configured = ClusterConfig(name="lab", archives=archives, depth="names")
    made = WatchedCluster(*Config(clusters=(configured,)).resolved(), load_catalogue())
    asyncio.run(made.scan())
    yield made
    made.close()


@pytest.fixture
def client(cluster: WatchedCluster) -> Iterator[TestClient]:
    exposition = Exposition([cluster], CollectorRegistry())
    yield TestClient(make_application([cluster], "/metrics", exposition))
    speak(None)


def asked(language: str | None) -> dict[str, str]:
    return {} if language is None else {"Accept-Language": language}


@pytest.mark.parametrize(
    ("header", "lang", "spoken"),
    [
        (None, None, "en"),
        ("es", None, "es"),
        ("es-MX,es;q=0.9,en;q=0.8", None, "es-MX"),
        ("de;q=0.9,es;q=0.1", None, "es"),
        ("de, fr;q=0.5", None, "en"),
        (None, "es", "es"),
        (None, "es_MX", "es-MX"),
        ("de", "es", "es"),
        ("", "es", "es"),
        ("en-US,en;q=0.9,es;q=0.8", "es", "en"),
        ("de,en;q=0.1", "es", "en"),
    ],
)
def test_the_browser_decides_then_the_agent(
    client: TestClient, header: str | None, lang: str | None, spoken: str
) -> None:
    speak(lang)
    for path in PAGES:
        page = client.get(path, headers=asked(header))
        assert page.headers["Content-Language"] == spoken, path
        assert page.headers["Vary"] == "Accept-Encoding, Accept-Language", path
        assert f'<html lang="{spoken}">' in page.text or "part=live" in path, path
    with speaking(spoken.replace("-", "_") if spoken != "en" else None):
        why = say(WHY)
    assert (why != WHY) is spoken.startswith("es")
    for path in ("/findings/wal_gap", "/runbooks/PitrWalGap"):
        assert why in client.get(path, headers=asked(header)).text, path


def test_what_one_has_in_a_language_is_not_what_another_asks_for(client: TestClient) -> None:
    path = "/clusters/lab?part=live"
    spanish = client.get(path, headers=asked("es"))
    tag = {"If-None-Match": spanish.headers["ETag"]}
    again = client.get(path, headers={**asked("es"), **tag})
    assert (again.status_code, again.headers["Vary"]) == (304, spanish.headers["Vary"])
    assert client.get(path, headers={**asked("en"), **tag}).status_code == 200


def test_rows_are_kept_of_the_languages_that_are_read(cluster: WatchedCluster) -> None:
    fleet, look = Fleet([cluster]), Visit(now=datetime.now(UTC), query={})

    def row(locale: str | None) -> object:
        with speaking(locale):
            return fleet.context(look)["rows"][0]

    english, spanish = row(None), row("es")
    assert english is not spanish
    assert (row(None), row("es")) == (english, spanish)
    assert row(None) is english and row("es") is spanish
    for region in ("AR", "BO", "CL", "CO", "MX"):
        row(f"es_{region}")
    assert row(None) is not english, "of very many languages none is kept for long"


def test_programs_read_the_same_whatever_is_spoken(client: TestClient) -> None:
    before = {path: client.get(path).content for path in NO_PAGES}
    speak("es")
    for path in NO_PAGES:
        answer = client.get(path, headers=asked("es"))
        assert answer.content == before[path], path
        assert "Content-Language" not in answer.headers, path
    helps = re.findall(r"^# HELP pitr_finding .*", client.get("/metrics").text, re.MULTILINE)
    speak(None)
    assert helps == re.findall(
        r"^# HELP pitr_finding .*", client.get("/metrics").text, re.MULTILINE
    )


@pytest.mark.parametrize("header", ['es-"><b>,de', "es;q=x", "es-ÿÿ", "-;q=1", "e" * 5000, ",;,"])
def test_a_header_of_any_kind_is_answered(client: TestClient, header: str) -> None:
    page = client.get("/", headers={"Accept-Language": header.encode("latin-1")})
    assert page.status_code == 200
    assert re.search(r'<html lang="[a-zA-Z-]+">', page.text)


def test_every_word_of_the_script_is_there(client: TestClient) -> None:
    page = client.get("/").text
    words = dict(re.findall(r'data-([a-z-]+)="([^"]*)"', page.partition("<body")[2]))
    script = (Path(__file__).parents[3] / "agent" / "html" / "static" / "page.js").read_text()
    named = set(re.findall(r'(?:say\(|[?:] |: )"([a-z]+(?:[A-Z][a-z]+)*)"', script))
    for word in ("justNow", "ago", "ahead", "asOf", "silent", "refused", "gone", "failed"):
        assert word in named
        assert words[re.sub("([A-Z])", r"-\1", word).lower()]
