"""A primary, two clones of it, and what they left in one archive: every way for timelines to go.

Made once by real servers; tests change copies of it. In the order of time:

    timeline 1   backup `first`, commits, restore point `fork`, commits, … backup `second`, restore
                 point `main only`, max_connections raised, wal_level minimal for a while
    timeline 2   a clone restored to `fork` that archives into the same archive, while 1 goes on
    other        another clone, restored further, that did not see 00000002.history: also 2
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.postgres.account import Account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from tests.fix_place import new_place
from tests.waiting import wait_until

MAJOR = 16


@dataclass(frozen=True)
class Branches:
    """Where it all is, and what the servers said."""

    home: Path
    times: dict[str, str] = field(default_factory=dict)  # name -> the primary's clock
    lsns: dict[str, str] = field(default_factory=dict)  # name -> its insert position
    segments: dict[str, str] = field(default_factory=dict)  # name -> its current segment

    @property
    def archive(self) -> Path:
        return self.home / "archive"

    @property
    def other(self) -> Path:
        """The archive of the other clone."""
        return self.home / "other"

    def backup(self, name: str) -> Path:
        return self.home / name

    def copy(self, target: Path) -> Branches:
        return Branches(copy_lightly(self.home, target), self.times, self.lsns, self.segments)


def copy_lightly(home: Path, target: Path) -> Path:
    """A copy in which the many data files of backups are links: to be removed, never changed."""

    def link(source: str, copy: str) -> None:
        if {"base", "global"} & set(Path(source).relative_to(home).parts):
            os.link(source, copy)
        else:
            shutil.copy2(source, copy)

    shutil.copytree(home, target, copy_function=link)
    return target


@pytest.fixture(scope="session")
def branches(
    account: Account,
    installations: dict[int, Installation],
    tmp_path_factory: pytest.TempPathFactory,
) -> Branches:
    home = new_place("pb-")
    kept = Branches(tmp_path_factory.mktemp("branches") / "kept")
    try:
        _tell(Cluster(installations[MAJOR], home / "p", account), kept)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return kept


def _tell(primary: Cluster, kept: Branches) -> None:
    archive = primary.account.make_directory(primary.home / "archive")
    primary.initdb(segment_mib=1)
    primary.configure(
        fsync=False, archive_mode="on", archive_command=f"cp %p {archive}/%f", autovacuum=False,
        wal_keep_size=0,
    )  # fmt: skip
    first, second = primary.home / "first", primary.home / "second"
    with primary.running():
        primary.sql("CREATE TABLE t (n int)")
        _note(primary, kept, "before first")
        primary.sql("INSERT INTO t VALUES (0)")  # or the backup holds what there was at that time
        primary.base_backup(first)
        _work(primary, archive, kept, "rounds")
        primary.sql("SELECT pg_create_restore_point('fork')")
        _work(primary, archive, kept, "behind fork")
        primary.sql("SELECT pg_create_restore_point('further')")
        _work(primary, archive, kept, "further")
        time.sleep(1.1)  # the checkpoint that begins a timeline has its time in whole seconds
        with _clone(primary, first, archive, "fork", archive) as clone:
            _work(clone, archive, kept, "clone")
            _work(primary, archive, kept, "both")
            _work(clone, archive, kept, "clone again")
        other = primary.account.make_directory(primary.home / "other")
        before = primary.account.make_directory(primary.home / "before")
        for path in archive.glob("00000001*"):
            shutil.copy(path, before)
            (before / path.name).chmod(0o644)
        before.chmod(0o755)
        with _clone(primary, first, before, "further", other) as clone:
            _work(clone, other, kept, "other")
        primary.sql("CREATE UNLOGGED TABLE u (n int PRIMARY KEY)")
        primary.base_backup(second)
        primary.sql("SELECT pg_create_restore_point('main only')")
        _work(primary, archive, kept, "end of main")
        primary.configure(max_connections=120)
        primary.stop()
        primary.start()
        _work(primary, archive, kept, "more connections")
        primary.configure(wal_level="minimal", archive_mode="off", max_wal_senders=0)
        primary.stop()
        primary.start()
        primary.sql("INSERT INTO t VALUES (2)")
        primary.configure(wal_level="replica", archive_mode="on", max_wal_senders=10)
        primary.stop()
        primary.start()
        _work(primary, archive, kept, "minimal")
    kept.home.mkdir()
    for name in ("archive", "other", "first", "second"):
        shutil.copytree(primary.home / name, kept.home / name)


@contextmanager
def _clone(
    primary: Cluster, backup: Path, wal: Path, point: str, archive: Path
) -> Iterator[Cluster]:
    """Restore a backup to a restore point, and let the clone archive."""
    clone = Cluster(primary.installation, primary.home.with_name(f"c-{point}"), primary.account)
    clone.restore_from(
        backup, restore_command=f"cp {wal}/%f %p", recovery_target_name=point,
        recovery_target_timeline="current", recovery_target_action="promote",
        archive_mode="on", archive_command=f"cp %p {archive}/%f",
    )  # fmt: skip
    with clone.running():
        wait_until(lambda: not clone.sql("SELECT pg_is_in_recovery()")[0][0])
        yield clone


def _work(cluster: Cluster, archive: Path, kept: Branches, name: str) -> None:
    """Commit, note where and when, commit again, fill up the segment, and see it archived."""
    cluster.sql("INSERT INTO t VALUES (1)")
    _note(cluster, kept, name)
    segment = kept.segments[name]
    cluster.sql("INSERT INTO t VALUES (1)")
    cluster.sql("SELECT pg_switch_wal()")
    wait_until(
        lambda: (archive / segment).is_file() and (archive / segment).stat().st_size == 1 << 20
    )


def _note(cluster: Cluster, kept: Branches, name: str) -> None:
    row = cluster.sql(
        "SELECT clock_timestamp()::text, pg_current_wal_insert_lsn()::text,"
        " pg_walfile_name(pg_current_wal_lsn())"
    )[0]
    kept.times[name], kept.lsns[name], kept.segments[name] = row
