"""Backups that are taken in another way than with pg_basebackup from a primary."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.postgres.account import Account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from parsers.files.pg_control import parse_control_file
from tests.fix_branches import copy_lightly
from tests.fix_check import EXEMPLARY
from tests.fix_place import new_place
from tests.histories import copy_cluster
from tests.waiting import reload, wait_replayed


@dataclass(frozen=True)
class OddBackups:
    """Copies of a standby of 16, and a chain of 18 without checksums."""

    home: Path

    @property
    def archive(self) -> Path:
        """Of the standby's primary; the chain has none."""
        return self.home / "archive"

    def copy(self, target: Path) -> OddBackups:
        return OddBackups(copy_lightly(self.home, target))


@pytest.fixture(scope="session")
def odd_backups(
    account: Account,
    installations: dict[int, Installation],
    tmp_path_factory: pytest.TempPathFactory,
) -> OddBackups:
    home = new_place("po-")
    kept = tmp_path_factory.mktemp("odd") / "kept"
    kept.mkdir()
    try:
        _standby(Cluster(installations[16], home / "p", account), kept)
        _chain(Cluster(installations[18], home / "i", account), kept)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return OddBackups(kept)


def _standby(primary: Cluster, kept: Path) -> None:
    """`standby`, `early_control` (an older pg_control of it), `torn` (full pages were off)."""
    primary.initdb(segment_mib=1)
    archive = primary.account.make_directory(primary.home / "archive")
    primary.configure(
        fsync=False, archive_mode="on", archive_timeout="1h",
        archive_command=EXEMPLARY.format(archive), autovacuum=False,
    )  # fmt: skip
    standby = Cluster(primary.installation, primary.home.with_name("s"), primary.account)
    with primary.running():
        primary.sql("CREATE TABLE t (n int)")
        primary.base_backup(primary.home / "base")
        standby.restore_from(primary.home / "base", restore_command=f"cp {archive}/%f %p")
        (standby.data / "recovery.signal").rename(standby.data / "standby.signal")
        _advance(primary)
        with standby.running():
            _follow(primary, standby)
            shutil.copy(standby.data / "global/pg_control", kept / "early_control")
            _advance(primary)
            _follow(primary, standby)
            standby.base_backup(primary.home / "standby", "-X", "none")
            _full_pages_off(primary, standby, primary.home / "torn")
    for name in ("archive", "standby", "torn"):
        shutil.copytree(primary.home / name, kept / name)


def _advance(primary: Cluster) -> None:
    """WAL with a checkpoint in it, archived."""
    primary.sql("INSERT INTO t SELECT generate_series(1, 1000)")
    primary.sql("CHECKPOINT")
    primary.sql("INSERT INTO t VALUES (1)")
    primary.sql("SELECT pg_switch_wal()")


def _follow(primary: Cluster, standby: Cluster) -> None:
    """Wait until the standby has replayed what is archived, and have it write its pages."""
    wait_replayed(standby, primary)
    standby.sql("CHECKPOINT")


def _full_pages_off(primary: Cluster, standby: Cluster, target: Path) -> None:
    """A copy whose label a script wrote by itself, because pg_backup_stop() refuses to."""
    with standby.connect() as session:
        session.execute("SELECT pg_backup_start('b', true)")
        control = parse_control_file((standby.data / "global/pg_control").read_bytes())
        primary.configure(full_page_writes=False)
        reload(primary)
        _advance(primary)
        _follow(primary, standby)
        copy_cluster(standby.data, target)
        (target / "backup_manifest").unlink()  # of the backup that the standby was made from
        with pytest.raises(Exception, match="full_page_writes=off"):
            session.execute("SELECT pg_backup_stop(false)")
    lsn, redo = control.checkpoint_lsn, control.checkpoint.redo_lsn
    label = target / "backup_label"
    label.write_text(
        f"START WAL LOCATION: {redo >> 32:X}/{redo & 0xFFFFFFFF:X} (file {1:08X}{redo >> 32:08X}"
        f"{(redo & 0xFFFFFFFF) >> 20:08X})\nCHECKPOINT LOCATION: {lsn >> 32:X}/"
        f"{lsn & 0xFFFFFFFF:X}\nBACKUP METHOD: streamed\nBACKUP FROM: standby\n"
        "START TIME: 2026-01-01 00:00:00 UTC\nLABEL: b\nSTART TIMELINE: 1\n"
    )


def _chain(cluster: Cluster, kept: Path) -> None:
    """`full`, and `increment` on it; no checksums."""
    cluster.initdb(segment_mib=1, options=("--no-data-checksums",))
    cluster.configure(fsync=False, summarize_wal=True)
    full, increment = cluster.home / "full", cluster.home / "increment"
    with cluster.running():
        cluster.base_backup(full)
        cluster.sql("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
        cluster.base_backup(increment, f"--incremental={full}/backup_manifest")
    for path in (full, increment):
        shutil.copytree(path, kept / path.name)
