"""Restores onto a machine, or of files, that are not what the WAL takes for granted."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from agent.postgres.account import Account
from agent.postgres.cluster import Cluster, ServerFailed
from agent.postgres.installation import Installation
from tests.fix_postgres import NewCluster, need_part
from tests.integration.restores import down, watch
from tests.waiting import wait_until

pytestmark = pytest.mark.pg("== 16")


def restored(primary: Cluster, backup: Path, home: Path) -> Cluster:
    """A restore that is prepared, towards more than the archive has."""
    cluster = Cluster(primary.installation, home, primary.account)
    cluster.restore_from(
        backup, restore_command=f"cp {primary.home}/archive/%f %p", fsync=False,
        recovery_target_xid="999999",
    )  # fmt: skip
    return cluster


def judged(cluster: Cluster) -> dict[str, Any]:
    """What is said of it, once it has failed."""
    with contextlib.suppress(ServerFailed):
        cluster.start()
    wait_until(lambda: down(cluster))
    lines, status = watch("--log", str(cluster.log), "--once")
    assert status == 2
    return lines[-1]


@pytest.fixture
def primary(pg: Installation, new_cluster: NewCluster) -> Cluster:
    need_part(pg, "pg_basebackup")
    return new_cluster(pg, full_page_writes=False, autovacuum=False)


def test_a_tablespace_s_directory_that_is_not_there(
    primary: Cluster, account: Account, short_directory: Path
) -> None:
    place = account.make_directory(short_directory / "fast disk")
    primary.base_backup(primary.home / "b")
    primary.sql(f"CREATE TABLESPACE fast LOCATION '{place}'")  # type: ignore[arg-type]
    primary.sql("SELECT pg_switch_wal()")
    primary.stop()
    shutil.rmtree(place)
    summary = judged(restored(primary, primary.home / "b", short_directory / "r"))
    assert summary["cause"] == f"the directory {place} of a tablespace is not there"
    assert summary["next_command"].startswith(f"install -d -m 700 -o postgres '{place}'")


def test_one_database_restored_alone(primary: Cluster, short_directory: Path) -> None:
    primary.sql("CREATE DATABASE other")
    dsn = primary.dsn.replace("dbname=postgres", "dbname=other")
    with contextlib.closing(_connect(dsn)) as connection:
        connection.execute("CREATE TABLE t AS SELECT generate_series(1, 5000) AS n")
        primary.sql("CHECKPOINT")
        primary.base_backup(primary.home / "b")
        connection.execute("UPDATE t SET n = -n WHERE n < 100")
    ((oid,),) = primary.sql("SELECT oid FROM pg_database WHERE datname = 'other'")
    primary.sql("SELECT pg_switch_wal()")
    primary.stop()
    cluster = restored(primary, primary.home / "b", short_directory / "r")
    shutil.rmtree(cluster.data / "base" / str(oid))
    summary = judged(cluster)
    assert f"base/{oid}" in summary["cause"] and "not restored" in summary["cause"]
    assert "every database" in summary["next_command"]


def _connect(dsn: str) -> Any:
    import psycopg

    return psycopg.connect(dsn, autocommit=True)


@pytest.mark.parametrize("lost", [True, False], ids=["absent", "noise"])
def test_a_crash_whose_wal_is_gone_is_no_restore(primary: Cluster, lost: bool) -> None:
    primary.sql("CREATE TABLE t AS SELECT generate_series(1, 100) AS n")
    primary.stop("immediate")
    for segment in (primary.data / "pg_wal").glob("0*"):
        if lost:
            segment.unlink()
        else:
            segment.write_bytes(bytes(range(1, 256)) * 4112 + b"\1" * 16)
    primary.log.unlink()
    summary = judged(primary)
    told = f"{summary['cause']} {summary['next_command']}"
    assert "pg_wal" in summary["cause"]
    assert not any(word in told for word in ("backup", "recovery.signal", "restore_command"))
