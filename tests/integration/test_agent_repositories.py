"""The agent over repositories of other tools: one cluster, and a cluster for each stanza."""

from __future__ import annotations

import html
import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fix_agent import FAST, UNHURRIED, WatchedAgent
from tests.fix_repositories import Sample, Samples, look_of
from tests.fix_tools import PATIENCE_SECONDS
from tests.integration.test_repositories import PROGRAM
from tests.waiting import wait_until

# As long as a reading may take, on a machine that does other things.
SLOW = {"scan": "10s", **UNHURRIED}


def copied(sample: Sample, folder: Path) -> Sample:
    shutil.copytree(sample.root, folder / sample.case, symlinks=True)
    return Sample(sample.case, folder / sample.case, sample.truth)


def repositories_of(sample: Sample, folder: Path) -> list[dict[str, str]]:
    """As a configuration names them, with the passphrase in a file of its own."""
    found = []
    for number in sample.numbers:
        entry = {"url": sample.url(number), "stanza": "main"}
        if (secret := sample.passphrase(number)) is not None:
            path = folder / f"passphrase{number}"
            path.write_bytes(secret + b"\n")
            entry["passphrase_file"] = str(path)
        found.append(entry)
    return found


def shown(agent: WatchedAgent, name: str) -> dict[str, Any]:
    url = f"{agent.url}/api/v1/clusters/{urllib.parse.quote(name, safe='')}"
    with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
        document: dict[str, Any] = json.loads(answer.read())
    return document


def test_two_repositories_are_watched_as_one_cluster(
    samples: Samples, tmp_path: Path, new_agent: Callable[..., WatchedAgent]
) -> None:
    sample = copied(samples("br_two_repos_15"), tmp_path)
    repositories, before = repositories_of(sample, tmp_path), look_of(sample.root)
    agent = new_agent(SLOW, repositories=repositories)
    agent.wait_for(lambda page: page.total("pitr_restorable_windows") is not None)
    told = shown(agent, "lab")
    config = tmp_path / "agent0" / "pitr.yaml"
    asked = json.loads(subprocess.run(
        [PROGRAM, "--config", config, "--workers", "1", "--format", "json"],
        capture_output=True, text=True, check=False,
    ).stdout)  # fmt: skip
    for key in ("restorable", "server_major", "system_identifier"):
        assert told[key] == asked[key], key
    for ours, theirs in zip(told["backups"], asked["backups"], strict=True):
        assert [ours[key] for key in ("label", "repository", "kind", "parents", "restorable")] == [
            theirs[key] for key in ("label", "repository", "kind", "parents", "restorable")
        ]
    assert [each["gaps"] for each in told["archives"]] == [
        each["gaps"] for each in asked["archives"]
    ]
    assert told["target"]["reachable"] is asked["target"]["reachable"] is True
    assert told["target"]["via"] == asked["target"]["via"] == "tool"
    assert look_of(sample.root) == before
    mark = next(each["value"] for each in sample.truth["marks"] if each["type"] == "name")
    page = ""
    while "settings" not in page or "ask again in a moment" in page:
        url = f"{agent.url}/clusters/lab?point={mark}"
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
            page = html.unescape(answer.read().decode())
    assert "Have its tool restore the backup" in page
    assert "restore_command = 'pgbackrest --stanza=main archive-get %f" in page
    assert f"--repository {sample.url(1)} --repository {sample.url(2)} --stanza main" in page


def test_what_is_lost_meanwhile_is_found(
    samples: Samples, tmp_path: Path, new_agent: Callable[..., WatchedAgent]
) -> None:
    sample = copied(samples("br_damaged_16"), tmp_path)
    agent = new_agent(SLOW, repositories=[{"url": sample.url(), "depth": "checksums"}])
    agent.wait_for(lambda page: page.total("pitr_backups", state="restorable"))
    label = sample.open().labels()[0]
    backup = Path(sample.url()) / "backup/main" / label
    shutil.rmtree(backup)
    agent.wait_for(lambda page: page.total("pitr_backups", state="restorable") == 0)
    shutil.rmtree(sample.root)
    # A reading that was going on meanwhile may have failed of a file.
    wait_until(lambda: "there is no such directory" in agent.log.read_text())
    agent.wait_for(agent.failed("backups"))


def test_a_wrong_passphrase_is_unknown_and_nothing_critical(
    samples: Samples, tmp_path: Path, new_agent: Callable[..., WatchedAgent]
) -> None:
    sample = samples("br_two_repos_15")
    (tmp_path / "wrong").write_text("wrong\n")
    entry = {"url": sample.url(2), "passphrase_file": str(tmp_path / "wrong")}
    agent = new_agent(SLOW, repositories=[entry])
    page = agent.wait_for(lambda page: page.total("pitr_archive_missing_segments") is not None)
    assert not page.total("pitr_finding", severity="critical")
    assert shown(agent, "lab")["verdict"] == "unknown"


def test_a_star_is_a_cluster_for_each_stanza(
    samples: Samples, tmp_path: Path, new_agent: Callable[..., WatchedAgent]
) -> None:
    sample = copied(samples("br_damaged_16"), tmp_path)
    for kind in ("archive", "backup"):
        root = Path(sample.url()) / kind
        shutil.copytree(root / "main", root / "other", symlinks=True)
    agent = new_agent(SLOW, repositories=[{"url": sample.url(), "stanza": "*"}])
    names = {"lab/main", "lab/other"}
    page = agent.wait_for(
        lambda page: all(
            page.total("pitr_backups", cluster=name, state="restorable") for name in names
        )
    )
    assert {s.labels["cluster"] for s in page.samples if "cluster" in s.labels} == names
    config = tmp_path / "agent0" / "pitr.yaml"
    for name in sorted(names):
        done = subprocess.run(
            [PROGRAM, "--config", config, "--cluster", name, "--depth", "names",
             "--workers", "1", "--format", "json"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert json.loads(done.stdout)["archives"][0]["url"].endswith(f"archive/{name[4:]}")


def test_a_star_over_what_cannot_be_read_stays_and_is_unknown(tmp_path: Path) -> None:
    config = tmp_path / "pitr.yaml"
    cluster = {"name": "fleet", "repositories": [{"url": str(tmp_path / "no"), "stanza": "*"}]}
    config.write_text(yaml.safe_dump({"clusters": [cluster], "defaults": FAST}))
    done = subprocess.run(
        [PROGRAM, "--config", config, "--cluster", "fleet"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3 and "there is no such directory" in done.stderr


@pytest.mark.parametrize("tool", ["pgbackrest", "walg"])
def test_a_tools_own_configuration_is_read_at_every_scan(
    samples: Samples, tmp_path: Path, new_agent: Callable[..., WatchedAgent], tool: str
) -> None:
    if tool == "pgbackrest":
        sample = samples("br_two_repos_15")
        text = f"[global]\nrepo1-path={sample.url(1)}\n[main]\npg1-path=/pg\n"
    else:
        sample = samples("wg_zstd_sodium_gap_18")
        text = json.dumps({
            "WALG_FILE_PREFIX": str(sample.root / "storage"),
            "WALG_LIBSODIUM_KEY": sample.truth["key_hex"], "WALG_LIBSODIUM_KEY_TRANSFORM": "hex",
        })  # fmt: skip
    path = tmp_path / "tool.json"
    agent = new_agent(SLOW, repositories=[{tool: str(path)}])
    agent.wait_for(agent.failed("backups"))
    path.write_text(text)
    agent.wait_for(lambda page: page.total("pitr_backups", state="restorable"))
