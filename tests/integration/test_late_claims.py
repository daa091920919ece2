"""What was claimed after the archive's listing had begun is not missing from it."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import agent.backups.find
import agent.monitor.file_scan
from agent.archive.directory import list_archive
from agent.backups.describe import BackupDepth
from agent.backups.find import ReadBackup, read_backups
from agent.config.model import ArchiveConfig, BackupsConfig, ClusterConfig, Config
from agent.monitor.watched import WatchedCluster
from agent.pollers.registry import Lane
from agent.postgres.cluster import SUPERUSER, Cluster
from agent.postgres.installation import Installation
from rules.backup.completeness import BackupState
from rules.case.context import Context
from rules.case.derived.restores import BackupStates
from rules.model.evidence import SequenceFacts
from rules.model.facts import ArchiveFacts, BackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import load_catalogue
from tests.fix_agent import UNHURRIED
from tests.fix_check import pitr_check
from tests.fix_postgres import NewCluster
from tests.fix_tools import PATIENCE_SECONDS

pytestmark = pytest.mark.pg("== 16")


class Scene:
    """A primary that archives, one base backup with WAL after it, and the agent over both."""

    def __init__(self, primary: Cluster) -> None:
        self.primary = primary
        self.archive = primary.home / "archive"
        self.backups = primary.account.make_directory(primary.home / "backups")
        primary.sql("CREATE TABLE t (n int)")
        primary.base_backup(self.backups / "b0")
        self.write()
        self._clusters: list[WatchedCluster] = []

    def write(self) -> None:
        self.primary.sql("INSERT INTO t VALUES (1)")
        self.primary.sql("SELECT pg_switch_wal()")
        self.wait_archived()

    def wait_archived(self) -> None:
        """Until all of every segment that was ended is in the archive."""
        waiting = self.primary.data / "pg_wal" / "archive_status"
        self.wait(lambda: not list(waiting.glob("*.ready")))

    def wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def hold_the_archiver(self) -> Path:
        """Nothing is archived until the file given is removed."""
        hold = self.primary.home / "hold"
        hold.touch()
        wait, arriving = f"while test -f {hold}; do sleep 0.1; done", self.primary.home / "arriving"
        store = f"cp %p {arriving} && mv {arriving} {self.archive}/%f"
        self.primary.configure(archive_command=f"{wait}; {store}")
        self.primary.reload()
        self.wait(lambda: "hold" in self.primary.sql("SHOW archive_command")[0][0])
        return hold

    def watch(self, *, server: bool) -> WatchedCluster:
        config = ClusterConfig(
            name="primary",
            dsn=self.primary.dsn if server else None,
            archives=(ArchiveConfig(url=str(self.archive)),),
            backups=BackupsConfig(url=str(self.backups)),
            timeout=UNHURRIED["timeout"],
        )
        (resolved,) = Config(clusters=(config,)).resolved()
        self._clusters.append(WatchedCluster(resolved, load_catalogue()))
        return self._clusters[-1]

    def close(self) -> None:
        for cluster in self._clusters:
            cluster.close()


@pytest.fixture
def scene(pg: Installation, new_cluster: NewCluster) -> Iterator[Scene]:
    scene = Scene(new_cluster(pg, autovacuum=False))
    yield scene
    scene.close()


def look(cluster: WatchedCluster, *, poll: bool = False) -> set[str]:
    """Scan, after asking the server if told to; the checks that found something critical."""

    async def all_of_it() -> None:
        if poll:
            await cluster.poll_server(Lane.STATE)
            await cluster.poll_server(Lane.DIRECTORIES)
        await cluster.scan()

    asyncio.run(all_of_it())
    return critical(cluster)


def critical(cluster: WatchedCluster) -> set[str]:
    return found_of(cluster, Severity.CRITICAL)


def found_of(cluster: WatchedCluster, *severities: Severity) -> set[str]:
    return {
        finding.id
        for found in cluster.findings.values()
        for finding in found
        if finding.severity in severities
    }


def gaps(cluster: WatchedCluster) -> list[str]:
    sequence = cluster.fact(SequenceFacts)
    assert sequence is not None
    return [gap.cause for gap in sequence.gaps]


def test_a_backup_that_ends_while_backups_and_archive_are_read(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = scene.watch(server=False)
    assert look(cluster) == set()

    def one_more(url: str, depth: BackupDepth, read: ReadBackup | None = None) -> BackupsFacts:
        time.sleep(0.5)  # what is listed at the same time is listed before
        scene.primary.base_backup(scene.backups / "b1")
        scene.write()
        return read_backups(url, depth)

    monkeypatch.setattr(agent.monitor.file_scan, "read_backups", one_more)
    assert look(cluster) == set()
    assert gaps(cluster) == []
    states = cluster.fact(BackupStates)
    assert states is not None and states.count()[BackupState.RESTORABLE] == 2


def test_nothing_new_is_held_against_the_old_listing_while_the_next_is_made(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The polls judge at any time, also between the reading of the backups and the listing."""
    cluster = scene.watch(server=False)
    look(cluster)
    scene.primary.base_backup(scene.backups / "b1", "-X", "none")  # waits until all is archived
    listing, judged = threading.Event(), threading.Event()

    def slow(*asked: Any) -> ArchiveFacts:
        listing.set()
        assert judged.wait(PATIENCE_SECONDS)
        return list_archive(*asked)

    monkeypatch.setattr(agent.monitor.file_scan, "list_archive", slow)

    async def scan_and_judge() -> set[str]:
        before = cluster.readings["backups"]
        scan = asyncio.create_task(cluster.scan())
        await asyncio.to_thread(listing.wait, PATIENCE_SECONDS)
        for _ in range(int(PATIENCE_SECONDS / 0.01)):
            if cluster.readings["backups"] is not before:
                break
            await asyncio.sleep(0.01)
        cluster.judge()
        said = critical(cluster)
        judged.set()
        await scan
        return said

    assert asyncio.run(scan_and_judge()) == set()
    assert critical(cluster) == set()
    states = cluster.fact(BackupStates)
    assert states is not None and states.count()[BackupState.RESTORABLE] == 2


@pytest.mark.parametrize("server", [True, False], ids=["server", "files alone"])
def test_the_last_segment_of_a_new_backup_may_be_on_its_way(scene: Scene, server: bool) -> None:
    cluster = scene.watch(server=server)
    assert look(cluster, poll=server) == set()
    hold = scene.hold_the_archiver()
    scene.primary.base_backup(scene.backups / "b1")  # brings its WAL along, and waits for nothing
    assert "wal_gap" not in look(cluster)  # the server was last asked before
    assert "delayed" in gaps(cluster) and "lost" not in gaps(cluster)
    if server:
        assert "wal_gap" not in look(cluster, poll=True)
        assert "delayed" in gaps(cluster) and "lost" not in gaps(cluster)
    hold.unlink()
    scene.write()
    assert "wal_gap" not in look(cluster, poll=server)
    assert gaps(cluster) == []


def test_what_the_server_does_not_hold_any_more_is_lost(scene: Scene) -> None:
    scene.primary.base_backup(scene.backups / "b1")
    scene.wait_archived()
    cluster = scene.watch(server=True)
    assert "wal_gap" not in look(cluster, poll=True)
    newest = max(path for path in scene.archive.iterdir() if len(path.name) == 24)
    newest.unlink()
    assert "wal_gap" in look(cluster, poll=True)
    assert gaps(cluster) == ["lost"]


def test_a_backup_that_is_being_made_claims_no_segment(scene: Scene) -> None:
    new = scene.backups / "b1"
    account = scene.primary.account
    making = subprocess.Popen(
        [
            scene.primary.installation.program("pg_basebackup"), "-D", new, "-c", "fast",
            "-h", scene.primary.sockets, "-U", SUPERUSER, "--max-rate", "100k",
        ],
        **account.popen_options(),
    )  # fmt: skip
    try:
        scene.wait((new / "backup_label").exists)
        scene.wait(lambda: bool((new / "backup_label").read_bytes()))
        checked = pitr_check(
            "--archive", scene.archive, "--backups", scene.backups,
            "--depth", "names", "--format", "json",
        )  # fmt: skip
        assert making.poll() is None and not (new / "backup_manifest").exists()
        assert not {"wal_gap", "backup_wal_missing", "backup_stop_not_archived"} & checked.findings
        assert all(not archive["gaps"] for archive in checked.json["archives"])
        cluster = scene.watch(server=False)
        assert "wal_gap" not in look(cluster) and gaps(cluster) == []
    finally:
        making.kill()
        making.wait()
        shutil.rmtree(new)


def test_pitr_check_waits_for_the_last_segment_that_older_backups_need(scene: Scene) -> None:
    hold = scene.hold_the_archiver()
    scene.primary.base_backup(scene.backups / "b1")
    asked = ("--archive", scene.archive, "--backups", scene.backups, "--format", "json")
    assert "wal_gap" in pitr_check(*asked).findings
    release = threading.Timer(2, hold.unlink)
    release.start()
    checked = pitr_check(*asked, "--wait", "10m")
    release.join()
    assert "wal_gap" not in checked.findings and checked.json["restorable"] is True


def test_pitr_check_reads_the_backups_before_it_lists_the_archive(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agent.inputs import gather as room

    def one_more(url: str, depth: BackupDepth, read: ReadBackup | None = None) -> BackupsFacts:
        scene.primary.base_backup(scene.backups / "b1")
        scene.write()
        return read_backups(url, depth)

    monkeypatch.setattr(room, "read_backups", one_more)
    case = room.gather(
        [str(scene.archive)], [], str(scene.backups), context=Context(depth="names"),
        backup_depth="files", reading=room.ReadingOptions(workers=1),
    )  # fmt: skip
    backups, archive = case.get(BackupsFacts), case.get(ArchiveFacts)
    assert backups is not None and archive is not None
    stops = [each.stop_lsn for each in backups.backups]
    assert archive.segment_size_bytes is not None
    newest = max(archive.segments)
    assert all(stop is not None and stop <= end_of(newest, archive) for stop in stops)


def end_of(name: str, archive: ArchiveFacts) -> int:
    assert archive.segment_size_bytes is not None
    return (int(name[8:16], 16) << 32) + (int(name[16:], 16) + 1) * archive.segment_size_bytes


@pytest.mark.parametrize("form", ["plain", "tar"])
def test_a_backup_that_is_being_made_is_not_judged_until_it_is_left_alone(
    scene: Scene, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The night's pg_basebackup pages nobody, while it runs and in what it leaves when it ends."""
    cluster, primary = scene.watch(server=True), scene.primary
    assert look(cluster, poll=True) == set()
    program = str(primary.installation.program("pg_basebackup"))
    target = scene.backups / "b1"
    running = subprocess.Popen(
        [program, "-D", target, "-h", primary.sockets, "-U", SUPERUSER, "-c", "fast", "-F", form,
         "--no-sync", "--max-rate=100k"],
        **primary.account.popen_options(),
    )  # fmt: skip
    looks = 0
    try:
        scene.wait(lambda: target.is_dir() and any(target.iterdir()))
        while running.poll() is None:
            found = look(cluster, poll=True)
            looks += "backup_in_progress" in found_of(cluster, Severity.INFO)
            assert found == set()
            assert found_of(cluster, Severity.UNKNOWN) == set()
            if looks == 3:
                running.kill()
    finally:
        running.kill()
        running.wait()
    assert looks >= 3
    monkeypatch.setattr(agent.backups.find, "_QUIET_SECONDS", 0.0)
    look(cluster, poll=True)
    assert "backup_in_progress" not in found_of(cluster, Severity.INFO)
    assert found_of(cluster, Severity.UNKNOWN, Severity.CRITICAL) & {
        "backup_files_bad", "backup_unreadable", "backup_stop_unknown",
    }  # fmt: skip
    shutil.rmtree(target)
    primary.base_backup(target, "-F", form)
    scene.write()
    assert look(cluster, poll=True) == set()
