"""Segments read by the workers of a real Dask cluster: what is said is what is said without it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import forked
from tests.fix_agent import UNHURRIED
from tests.fix_check import pitr_check, timeless
from tests.fix_dask import DaskCluster, running_cluster, waiting_for
from tests.fix_stores import READER_KEY, READER_SECRET, Bucket, Store
from tests.fix_tools import PATIENCE_SECONDS
from tests.fix_watched import Watched
from tests.unpack import unpack_tar

ARCHIVES = Path(__file__).parent.parent / "data" / "archives"
CONNECT = "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"
TICK_SECONDS = 2.5  # what came in the two seconds before a listing may not be the last of it


@pytest.fixture(scope="module")
def unhurried() -> Iterator[None]:
    """Nobody gives up a scheduler that is there: neither this process, nor those that it starts."""
    with waiting_for(PATIENCE_SECONDS), pytest.MonkeyPatch.context() as environment:
        for name in (CONNECT, "DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT"):
            environment.setenv(name, f"{PATIENCE_SECONDS}s")
        yield


@pytest.fixture(scope="module")
def dask(
    tmp_path_factory: pytest.TempPathFactory, object_store: Store, unhurried: None
) -> Iterator[DaskCluster]:
    """Two workers, who may read the store."""
    environment = {
        "AWS_ACCESS_KEY_ID": READER_KEY,
        "AWS_SECRET_ACCESS_KEY": READER_SECRET,
        "AWS_ENDPOINT_URL": object_store.endpoint,
        "NO_PROXY": "127.0.0.1",
    }
    with running_cluster(tmp_path_factory.mktemp("dask"), 2, environment) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Archives with a backup each, settled."""
    found = {}
    for case in ("good_15", "gap_middle", "timelines_good"):
        found[case] = tmp_path_factory.mktemp(case)
        unpack_tar(ARCHIVES / f"{case}.tar.xz", found[case])
        damaged = sorted((found[case] / "archive").rglob("0000000100000000????????"))[-2]
        damaged.write_bytes(damaged.read_bytes()[:-100])
        an_hour_ago = time.time() - 3600
        os.utime(damaged, (an_hour_ago, an_hour_ago))  # so that it cannot be one in flight
    time.sleep(TICK_SECONDS)
    return found


@pytest.mark.parametrize("case", ["good_15", "gap_middle", "timelines_good"])
def test_the_verdict_is_that_of_threads(
    dask: DaskCluster, homes: dict[str, Path], case: str
) -> None:
    home = homes[case]
    options = (
        "--archive", home / "archive", "--backup", home / "backup", "--backup-depth", "label",
        "--format", "json",
    )  # fmt: skip
    local, there = pitr_check(*options), pitr_check(*options, "--scheduler", dask.url)
    assert timeless(there.json) == timeless(local.json)
    assert (there.status, there.err) == (local.status, local.err)
    assert there.json["archives"][0]["damaged"]


def test_a_bucket_is_read_by_the_workers_alone(
    dask: DaskCluster, bucket: Bucket, tmp_path: Path
) -> None:
    """And what they said is in the ledger of whoever asked."""
    home = tmp_path / "home"
    unpack_tar(ARCHIVES / "timelines_good.tar.xz", home)
    url = bucket.put_tree(home / "archive", "dask")
    ledger = tmp_path / "ledger.sqlite"
    options = (
        "--archive", url, "--backup", home / "backup", "--backup-depth", "label",
        "--format", "json",
    )  # fmt: skip
    local = pitr_check(*options)
    there = pitr_check(*options, "--scheduler", dask.url, "--ledger", ledger)
    assert timeless(there.json) == timeless(local.json)
    nowhere = "tcp://127.0.0.1:9"
    warm = pitr_check(*options, "--scheduler", nowhere, "--ledger", ledger)
    assert timeless(warm.json) == timeless(local.json)
    assert warm.err == ""


@pytest.mark.parametrize("subcommand", ["find", "retention", "windows"])
def test_subcommands_take_it_too(
    dask: DaskCluster, homes: dict[str, Path], subcommand: str
) -> None:
    home = homes["gap_middle"]
    options = (subcommand, "--archive", home / "archive")
    options += ("--backup", home / "backup") if subcommand != "retention" else (
        "--backups", home / "backup"
    )  # fmt: skip
    local = pitr_check(*options)
    there = pitr_check(*options, "--scheduler", dask.url)
    assert (there.status, there.err) == (local.status, local.err)
    assert there.out == local.out


def test_the_agent_scans_there(dask: DaskCluster, watched: Watched) -> None:
    patience = watched.agent._environment[CONNECT]
    watched.agent._environment[CONNECT] = "1s"
    unread = {"cluster": "lab", "id": "wal_unread"}
    watched.config["defaults"] |= {"depth": "records", "scan_on": "tcp://127.0.0.1:9"}
    watched.start()
    watched.agent.wait_for(lambda page: page.total("pitr_finding", **unread))
    watched.agent.stop()
    watched.agent._environment[CONNECT] = patience
    watched.config["defaults"] |= {"scan_on": dask.url, **UNHURRIED}
    watched.start()
    watched.agent.wait_for(
        lambda page: (
            page.total("pitr_check_known", **unread) and not page.total("pitr_finding", **unread)
        )
    )
    assert "Traceback" not in watched.agent.log.read_text()


def test_a_person_sees_by_how_many_it_is_read(dask: DaskCluster, homes: dict[str, Path]) -> None:
    import asyncio

    from agent.archive.directory import list_archive
    from agent.archive.scanner import SegmentReader
    from agent.dask_scan.workers import DaskWorkers

    archive, told = list_archive(str(homes["good_15"] / "archive")), []
    reader = SegmentReader(on=DaskWorkers(dask.url, pytest.fail))
    readings = asyncio.run(
        reader.read(
            archive, archive.segments, 1 << 24, "records",
            on_progress=lambda *now: told.append(now),
        )
    )  # fmt: skip
    assert not readings.unread and not readings.unreadable
    done, total, read_bytes, _ = told[-1]
    assert done == total
    assert "2 workers" in {by for *_, by in told}
    assert read_bytes == sum(file.size_bytes for file in archive.segments.values())


@pytest.mark.parametrize("said", ["tcp://host", "http://host:8786", "host:8786", "tcp://h:99999"])
def test_what_is_no_scheduler_is_refused(said: str, tmp_path: Path) -> None:
    checked = pitr_check("--archive", tmp_path, "--scheduler", said)
    assert checked.status == 64
    assert f"--scheduler {said!r} is no scheduler: write tcp://host:8786" in checked.err
    config = tmp_path / "pitr.yaml"
    config.write_text(f"clusters: [{{name: x, archives: [{{url: /x}}], scan_on: '{said}'}}]\n")
    asked = forked.run("pitr-agent", "check-config", "--config", config)
    assert "is no scheduler" in asked.stderr + asked.stdout


def test_without_distributed_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agent.cli.check import read_arguments
    from agent.dask_scan import address
    from agent.errors import UsageError

    monkeypatch.setattr(address, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'distributed>=2026\.8'$"):
        read_arguments(["--archive", str(tmp_path), "--scheduler", "tcp://127.0.0.1:8786"])
