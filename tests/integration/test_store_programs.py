"""Every program that reads archives, asked about one in a store; and a restore by a real server."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.lab.metrics_page import MetricsPage
from tests.fix_agent import WatchedAgent
from tests.fix_check import RESTORE_POINT, Archived, pitr_check
from tests.fix_layouts import FetchWal, promoted
from tests.fix_postgres import NewCluster
from tests.fix_stores import READER_KEY, READER_SECRET, Bucket, Proxy
from tests.fix_tools import PATIENCE_SECONDS
from tests.integration.test_store import placeless
from tests.integration.test_store_faults import answers, hangs_up
from tests.waiting import wait_until

NewAgent = Callable[..., WatchedAgent]


@pytest.fixture
def url(bucket: Bucket, archived: Archived) -> str:
    return bucket.put_tree(archived.archive, "programs")


@pytest.mark.parametrize(
    "words",
    [
        ("find", "--format", "json"),
        ("find", "--covers", "2000-01-01 00:00+00", "--format", "json"),
        ("retention", "--format", "json"),
        ("retention", "--keep", "1", "--format", "json"),
        ("retention", "--format", "list"),
        ("--depth", "headers", "--format", "nagios"),
        ("--depth", "names", "--format", "json"),
    ],
)
def test_every_question_has_the_directorys_answer(
    archived: Archived, url: str, words: tuple[str, ...]
) -> None:
    local = pitr_check(*words, "--archive", archived.archive, "--backup", archived.backup)
    remote = pitr_check(*words, "--archive", url, "--backup", archived.backup)
    assert remote.status == local.status
    assert _comparable(remote.out, url) == _comparable(local.out, archived.archive)
    assert remote.err == local.err


def _comparable(text: str, root: object) -> Any:
    if not text.startswith("{"):
        return text.replace(str(root), "<archive>")
    document = placeless(text, root)
    for key in ("command", "target"):  # pg_archivecleanup and cp know directories alone
        document.pop(key, None)
    return document


def test_the_configuration_names_endpoint_and_region(
    bucket: Bucket, archived: Archived, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    archive = {"url": url, "endpoint": endpoint, "region": "us-east-1"}
    config = tmp_path / "pitr.yaml"
    cluster = {"name": "a", "archives": [archive], "backups": {"url": str(archived.backup)}}
    config.write_text(yaml.safe_dump({"clusters": [cluster]}))
    asked = ("--target-name", RESTORE_POINT, "--format", "json", "--workers", 2)
    checked = pitr_check("--config", config, *asked)
    assert (checked.status, checked.json["archives"][0]["url"]) == (0, url)
    command = checked.json["target"]["settings"].replace("''", "'")
    assert f"--archive '{url}?endpoint={endpoint}&region=us-east-1'" in command
    whole = f"{url}?endpoint={endpoint}"
    named = pitr_check("--archive", whole, "--backup", archived.backup, "--format", "json")
    assert (named.status, named.json["archives"][0]["url"]) == (0, url)


def test_plain_http_is_for_loopback(
    archived: Archived, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://store.invalid:9000")
    checked = pitr_check("--archive", url, "--backup", archived.backup)
    assert checked.status == 3
    assert "its endpoint is not encrypted: use https, or set AWS_ALLOW_HTTP=true" in checked.err


def test_a_bucket_or_prefix_that_is_not_there_is_unknown(
    bucket: Bucket, archived: Archived
) -> None:
    for place, words in {
        "s3://no-such-bucket/wal": "cannot be listed: there is no such bucket",
        "s3://archives/no-such-prefix": "is empty: is this the directory",
    }.items():
        checked = pitr_check("--archive", place, "--backup", archived.backup)
        assert checked.status == 3
        assert words in checked.err


# -- the agent -------------------------------------------------------------------------------------


def test_the_agent_is_right_again_by_itself_and_tells_no_secret(
    proxy: Proxy, archived: Archived, url: str, new_agent: NewAgent
) -> None:
    agent = new_agent(
        archives=[{"url": url, "endpoint": proxy.endpoint}],
        backups={"url": str(archived.backup)},
        defaults={"timeout": "30s"},
    )
    agent.wait_for(sound)
    seen = [_everything(agent)]
    refused = "the store refuses access (HTTP 403, AccessDenied)"
    for fault, words in ((answers(403, b"AccessDenied"), refused), (hangs_up, "")):
        proxy.fault = fault
        page = agent.wait_for(agent.failed("archive"))
        seen.append(_saying(words, agent))
        assert not lost(page)
        proxy.fault = lambda asked, answer: None
        agent.wait_for(agent.succeeded("archive"))
        agent.wait_for(sound)
    for secret in (READER_SECRET, READER_KEY):
        assert secret not in "".join(seen) + agent.log.read_text()


def sound(page: MetricsPage) -> bool:
    """The backup is restorable, and every segment there is was read and is whole."""
    return page.total("pitr_backups", state="restorable") == 1 and not lost(page)


def lost(page: MetricsPage) -> float:
    missing = page.total("pitr_archive_missing_segments")
    return (missing or 0) + (page.total("pitr_archive_damaged_segments") or 0)


def _saying(words: str, agent: WatchedAgent) -> str:
    """Everything, once these words are in it."""
    said: str = wait_until(lambda: next((t for t in [_everything(agent)] if words in t), ""))
    return said


def _everything(agent: WatchedAgent) -> str:
    pages = ("/metrics", "/", "/clusters/lab", "/api/v1/clusters", "/api/v1/clusters/lab")
    texts = []
    for page in pages:
        try:
            with urllib.request.urlopen(f"{agent.url}{page}", timeout=PATIENCE_SECONDS) as answer:
                texts.append(answer.read().decode())
        except urllib.error.HTTPError as error:
            texts.append(error.read().decode())
    return "\n".join(texts)


# -- restores --------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--prefetch", "3")], ids=["plain", "prefetch"])
def test_a_server_restores_from_a_store(
    bucket: Bucket,
    archived: Archived,
    url: str,
    new_cluster: NewCluster,
    fetch_wal: FetchWal,
    options: tuple[str, ...],
) -> None:
    keys = {key: os.environ[key] for key in os.environ if key.startswith("AWS_")}
    environment = " ".join(f"{key}={value}" for key, value in keys.items())
    command = f"env {environment} {fetch_wal('--archive', url, *options)}"
    cluster = new_cluster(16, initdb=False)
    cluster.restore_from(archived.backup, restore_command=command)
    with promoted(cluster):
        assert cluster.sql("SELECT count(*) FROM t") == [(4 * 1500,)]
    restored = [line for line in cluster.log_lines() if "restored log file" in line]
    assert any(archived.segments[-1].name in line for line in restored)


def test_fetch_wal_of_a_directory_loads_nothing_of_stores(
    archived: Archived, tmp_path: Path
) -> None:
    code = (
        "import sys; from agent.cli.fetch_wal import main; status = main(sys.argv[1:]);"
        " print(status, *(name for name in sys.modules"
        " if name.startswith(('obstore', 'agent.store.', 'urllib', 'http'))))"
    )
    words = ("--archive", archived.archive, archived.segments[0].name, tmp_path / "RECOVERYXLOG")
    said = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    status, *loaded = said.stdout.split()
    local = {"agent.store.local", "agent.store.reading", "agent.store.urls"}
    assert (status, set(loaded) - local) == ("0", set()), said.stderr


def test_a_drill_from_a_store(archived: Archived, url: str) -> None:
    drilled = pitr_check("--archive", url, "--backup", archived.backup, "--drill")
    assert drilled.status == 0, drilled.out + drilled.err
    assert "it was restored and opened" in drilled.out
    assert "it matched the prediction" in " ".join(drilled.out.split())
