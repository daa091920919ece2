"""All around a scan on Dask goes wrong: no verdict is wrong, nothing hangs, all is cancelled.

Real processes are killed and stopped. What is waited for is an event; no time is asserted.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.archive.directory import list_archive
from agent.archive.scanner import SegmentReader, SegmentReadings
from agent.dask_scan.workers import DaskWorkers
from parsers.segment import segment_name
from rules.model.facts import ArchiveFacts
from tests.fix_dask import (
    SCHEDULER,
    WORKERS,
    DaskCluster,
    resume,
    running_cluster,
    stop,
    waiting_for,
)
from tests.fix_stores import READER_KEY, Bucket
from tests.fix_tools import PATIENCE_SECONDS
from tests.ports import free_ports
from tests.waiting import wait_until
from tests.wal_writer import MIB, WalWriter

ROOT = Path(__file__).parent.parent.parent
COUNT = 12
NAMES = [segment_name(1, number, MIB) for number in range(1, COUNT + 1)]
TICK_SECONDS = 2.5
HASTY_SECONDS = 5.0  # for what will not come


@pytest.fixture(scope="module", autouse=True)
def unhurried() -> Iterator[None]:
    with waiting_for(PATIENCE_SECONDS):
        yield


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A scheduler to which each test brings its workers."""
    with running_cluster(tmp_path_factory.mktemp("bare"), 0) as cluster:
        yield cluster


@pytest.fixture
def alone(bare: DaskCluster) -> Iterator[DaskCluster]:
    yield bare
    for address in list(bare.workers):
        bare.kill_worker(address)
    wait_until(lambda: not bare.tasks())


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> ArchiveFacts:
    directory, wal = tmp_path_factory.mktemp("wal"), WalWriter()
    for number in range(COUNT):
        wal.commit(700 + number, number)
        wal.fill_to(0)
    for name, data in zip(NAMES, wal.segments(), strict=True):
        (directory / name).write_bytes(data)
    time.sleep(TICK_SECONDS)
    return list_archive(str(directory))


@pytest.fixture(scope="module")
def sound(archive: ArchiveFacts) -> dict[str, Any]:
    """What threads read."""
    readings = asyncio.run(SegmentReader(2).read(archive, archive.segments, MIB, "records"))
    return {name: scanned.scan for name, scanned in readings.scans.items()}


class Reading(threading.Thread):
    """A round of reading, while the test does what it does."""

    def __init__(self, url: str, archive: ArchiveFacts, budget: float | None = None) -> None:
        super().__init__(daemon=True)
        self.complaints: list[str] = []
        self.done = 0
        self._archive, self._budget = archive, budget
        self._reader = SegmentReader(on=DaskWorkers(url, self.complaints.append))
        self._readings: SegmentReadings | None = None
        self.start()

    def run(self) -> None:
        reading = self._reader.read(
            self._archive, self._archive.segments, MIB, "records",
            budget_seconds=self._budget, on_progress=self._tell,
        )  # fmt: skip
        self._readings = asyncio.run(reading)

    def _tell(self, done: int, *_: object) -> None:
        self.done = done

    def end(self) -> SegmentReadings:
        self.join(PATIENCE_SECONDS)
        assert self._readings is not None, "it hangs"
        return self._readings


def scans(readings: SegmentReadings) -> dict[str, Any]:
    return {name: scanned.scan for name, scanned in readings.scans.items()}


def is_left_to(cluster: DaskCluster, address: str) -> bool:
    """Whether the others have read all that was theirs."""
    tasks = cluster.tasks()
    return bool(tasks.get(address)) and not any(
        count for name, count in tasks.items() if name != address
    )


def test_a_slow_worker_costs_a_round_its_segments_and_a_killed_one_nothing(
    alone: DaskCluster, archive: ArchiveFacts, sound: dict[str, Any]
) -> None:
    victim, _ = alone.start_worker(), alone.start_worker()
    alone.wait_for_workers()
    stop(alone.workers[victim])
    bounded = Reading(alone.url, archive, budget=1.0).end()
    late = set(NAMES) - set(bounded.scans)
    assert late
    assert set(bounded.unread) == late
    assert {*bounded.unread.values()} <= {
        "reading it takes too long",
        "not read yet: the time for this round was used up",
    }
    wait_until(lambda: alone.known_tasks() == 0)
    unbounded = Reading(alone.url, archive)
    wait_until(lambda: is_left_to(alone, victim))
    resume(alone.workers[victim])
    assert scans(unbounded.end()) == sound
    stop(alone.workers[victim])
    unbounded = Reading(alone.url, archive)
    wait_until(lambda: is_left_to(alone, victim))
    alone.kill_worker(victim)
    assert scans(unbounded.end()) == sound
    assert unbounded.complaints == []


def test_other_code_and_no_code_is_refused_and_named(
    alone: DaskCluster, archive: ArchiveFacts, sound: dict[str, Any], tmp_path: Path
) -> None:
    for package in ("agent", "rules", "parsers"):
        shutil.copytree(ROOT / package, tmp_path / "other" / package)
    with (tmp_path / "other" / "parsers" / "lsn.py").open("a") as source:
        source.write("# another release\n")
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "agent.py").write_text('"""Somebody else\'s."""\n')
    other = alone.start_worker({"PYTHONPATH": str(tmp_path / "other")})
    none = alone.start_worker({"PYTHONPATH": str(tmp_path / "none")})
    alone.wait_for_workers()
    with waiting_for(HASTY_SECONDS, WORKERS):
        alone_with_them = Reading(alone.url, archive)
        readings = alone_with_them.end()
    assert not readings.scans
    (why,) = {*readings.unread.values()}
    assert why.startswith(f"the scheduler {alone.url} has no workers that run this code (tcp://")
    ours = alone.start_worker()
    alone.wait_for_workers()
    reading = Reading(alone.url, archive)
    assert scans(reading.end()) == sound
    for complaints in (alone_with_them.complaints, reading.complaints):
        (of_other,) = [line for line in complaints if f"worker {other} is not asked: " in line]
        assert "it runs pitr-agent " in of_other
        (of_none,) = [line for line in complaints if f"worker {none} is not asked: " in line]
        assert "'agent' is not a package" in of_none
        assert not [line for line in complaints if ours in line]


@pytest.mark.needs("mount namespaces")
def test_a_worker_without_the_archive_is_believed_nothing(
    alone: DaskCluster, archive: ArchiveFacts, tmp_path: Path
) -> None:
    """What it does not see is unknown, not gone; what it sees there is not ours."""
    place = Path(archive.url)
    twin = shutil.copytree(place, tmp_path / "twin")
    mounts = {"does not see it": "mount -t tmpfs none", "sees another file": f"mount --bind {twin}"}
    for said, mount in mounts.items():
        prefix = ("unshare", "-m", "sh", "-c", f'{mount} {place} && exec "$@"', "sh")
        worker = alone.start_worker(prefix=prefix)
        alone.wait_for_workers()
        readings = Reading(alone.url, archive).end()
        assert not readings.scans
        assert set(readings.unreadable) == set(NAMES)
        (why,) = {*readings.unreadable.values()}
        assert why.startswith(f"worker {worker} {said}")
        assert why.endswith("has it the same archive, at the same place?")
        alone.kill_worker(worker)


def test_what_changed_since_it_was_listed_is_read_here_or_gone(
    alone: DaskCluster, archive: ArchiveFacts, tmp_path: Path
) -> None:
    place = shutil.copytree(archive.url, tmp_path / "wal")
    listed = list_archive(str(place))
    (place / NAMES[3]).unlink()
    (place / NAMES[4]).touch()
    alone.start_worker()
    alone.wait_for_workers()
    readings = Reading(alone.url, listed).end()
    assert set(readings.scans) == set(NAMES) - {NAMES[3]}
    assert not readings.unread
    assert not readings.unreadable


def test_a_worker_that_may_not_read_the_store_says_so(
    alone: DaskCluster, archive: ArchiveFacts, bucket: Bucket
) -> None:
    listed = list_archive(bucket.put_tree(Path(archive.url), "closed"))
    wrong = {"AWS_ACCESS_KEY_ID": READER_KEY, "AWS_SECRET_ACCESS_KEY": "planted-wrong-secret"}
    worker = alone.start_worker(wrong)
    alone.wait_for_workers()
    readings = Reading(alone.url, listed).end()
    assert not readings.scans
    assert set(readings.unreadable) == set(NAMES)
    for why in readings.unreadable.values():
        assert why.startswith(f"worker {worker}: cannot be read: ")
        assert "planted" not in why


def test_a_scheduler_that_goes_away_and_comes_back(
    tmp_path: Path, archive: ArchiveFacts, sound: dict[str, Any]
) -> None:
    with running_cluster(tmp_path / "dask", 1) as cluster:
        (worker,) = cluster.workers
        stop(cluster.workers[worker])
        reading = Reading(cluster.url, archive)
        wait_until(lambda: cluster.tasks().get(worker))
        cluster.kill_scheduler()
        cluster.kill_worker(worker)
        cluster.start_scheduler()
        cluster.start_worker()
        assert scans(reading.end()) == sound
        (worker,) = cluster.workers
        cluster.wait_for_workers()

        stop(cluster.workers[worker])
        with waiting_for(2 * HASTY_SECONDS, SCHEDULER):  # for one that says nothing any more
            reading = Reading(cluster.url, archive)
            wait_until(lambda: cluster.tasks().get(worker))
            stop(cluster.scheduler)
            silent = reading.end()
            cluster.kill_scheduler()
            gone = Reading(cluster.url, archive).end()
        for readings in (silent, gone):
            assert not readings.scans
            assert set(readings.unread) == set(NAMES)
            (why,) = {*readings.unread.values()}
            assert why.startswith(f"no scheduler answers at {cluster.url}: ")


def test_tls_is_asked_for_by_the_address(
    tmp_path: Path, archive: ArchiveFacts, sound: dict[str, Any]
) -> None:
    """Dask's own settings hold the certificate: without one nothing is asked."""
    from dask import config
    from distributed.security import Security

    made = Security.temporary()
    settings = {}
    for name, pem in (
        ("CA_FILE", made.tls_ca_file),
        *(
            (f"{who}__{what}", getattr(made, f"tls_{who.lower()}_{what.lower()}"))
            for who in ("SCHEDULER", "WORKER", "CLIENT")
            for what in ("CERT", "KEY")
        ),
    ):
        file = tmp_path / f"{name}.pem"
        file.write_text(pem)
        settings[f"DASK_DISTRIBUTED__COMM__TLS__{name}"] = str(file)
    with running_cluster(tmp_path / "dask", 1, settings, scheme="tls") as cluster:
        with waiting_for(HASTY_SECONDS, SCHEDULER):
            bare = Reading(cluster.url, archive).end()
            plain = Reading(cluster.url.replace("tls:", "tcp:"), archive).end()
        (why,) = {*bare.unread.values()}
        assert not bare.scans
        assert cluster.url in why
        assert not plain.scans
        tls = "distributed.comm.tls"
        with config.set(
            {
                f"{tls}.ca-file": settings["DASK_DISTRIBUTED__COMM__TLS__CA_FILE"],
                f"{tls}.client.cert": settings["DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT"],
                f"{tls}.client.key": settings["DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY"],
            }
        ):
            assert scans(Reading(cluster.url, archive).end()) == sound


def test_a_segment_that_ends_its_workers_is_unknown_and_no_workers_are_missed(
    tmp_path: Path, archive: ArchiveFacts
) -> None:
    patience = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    with running_cluster(tmp_path / "dask", 2, patience) as cluster:
        victim, other = cluster.workers
        stop(cluster.workers[victim])
        reading = Reading(cluster.url, archive)
        wait_until(lambda: is_left_to(cluster, victim))
        cluster.kill_worker(victim)
        readings = reading.end()
        assert set(readings.scans) | set(readings.unreadable) == set(NAMES)
        (why,) = {*readings.unreadable.values()}
        assert (
            why == f"several workers of {cluster.url} ended while they read it, {victim} the last"
        )
        cluster.kill_worker(other)
        with waiting_for(HASTY_SECONDS, WORKERS):
            none = Reading(cluster.url, archive).end()
        assert {*none.unread.values()} == {f"the scheduler {cluster.url} has no workers"}


def test_what_an_interrupted_client_asked_is_cancelled(
    alone: DaskCluster, archive: ArchiveFacts
) -> None:
    worker = alone.start_worker()
    alone.wait_for_workers()
    stop(alone.workers[worker])
    for number in (signal.SIGINT, signal.SIGKILL):
        client = subprocess.Popen(
            [Path(sys.executable).with_name("pitr-check"), "--archive", archive.url,
             "--scheduler", alone.url, "--format", "json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        wait_until(lambda: alone.tasks().get(worker))
        client.send_signal(number)
        out, err = client.communicate(timeout=PATIENCE_SECONDS)
        assert b"Traceback" not in err
        if number != signal.SIGKILL:
            assert (client.returncode, b'"verdict": "unknown"' in out) == (3, True)
        wait_until(lambda: alone.known_tasks() == 0)


def test_a_check_without_a_scheduler_has_its_document(archive: ArchiveFacts) -> None:
    from tests import forked

    (port,) = free_ports(1)
    url = f"tcp://127.0.0.1:{port}"
    checked = forked.run(
        "pitr-check", "--archive", archive.url, "--scheduler", url, "--format", "json",
        environment=os.environ | {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"},
    )  # fmt: skip
    assert checked.returncode == 3
    assert f"no scheduler answers at {url}: " in checked.stdout
    assert checked.stderr == ""
