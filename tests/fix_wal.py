"""WAL with a story: every kind of record that the parsers decode, and what the server said of it.

One cluster a major, made once a session. Truth that the server reports while the story runs is
kept in `Story`; the rest of the truth is read from the WAL by pg_waldump or pg_walinspect.
"""

from __future__ import annotations

import fcntl
import functools
import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from agent.postgres.account import Account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from parsers.lsn import format_lsn, parse_lsn
from parsers.segment import NameKind, parse_wal_name
from tests.fix_place import new_place
from tests.read_wal import scan_file

MIB = 1 << 20


@dataclass
class Story:
    """A finished cluster: its archive, and what the server said while it ran."""

    archive: Path
    pg: Installation
    restore_points: dict[str, int] = field(default_factory=dict)  # name -> returned LSN
    committed: set[int] = field(default_factory=set)  # xids, some of many
    aborted: set[int] = field(default_factory=set)
    commit_times: dict[int, datetime] = field(default_factory=dict)  # by xid, all on timeline 1
    dropped: set[str] = field(default_factory=set)  # pg_relation_filepath of dropped tables
    inspected: list[tuple[Any, ...]] = field(default_factory=list)  # rows of pg_walinspect
    subxids: int = 0  # subtransactions of the commit that has many
    backup_stop_lsn: int = 0
    system_identifier: int = 0

    def segments(self, timeline: int) -> list[Path]:
        """The archived segments of a timeline, oldest first."""
        return [
            path
            for path in sorted(self.archive.iterdir())
            if (name := parse_wal_name(path.name))
            and name.kind is NameKind.SEGMENT
            and name.timeline == timeline
        ]


Stories = Callable[[Installation], Story]


@pytest.fixture(scope="session")
def stories(
    account: Account,
    installations: dict[int, Installation],
    tmp_path_factory: pytest.TempPathFactory,
) -> Stories:
    """Give the story of an installation, told once for all of xdist's workers."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    pgbench = next(pg.program("pgbench") for pg in installations.values() if pg.has("pgbench"))

    @functools.cache
    def tell(pg: Installation) -> Story:
        book = shared / f"story-{pg.major}.pickle"
        with (shared / f"story-{pg.major}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not book.exists():
                story = _tell(pg, account, pgbench, shared / f"story-{pg.major}")
                book.write_bytes(pickle.dumps(story))
        told = pickle.loads(book.read_bytes())
        assert isinstance(told, Story)
        return told

    return tell


def _tell(pg: Installation, account: Account, pgbench: Path, keep: Path) -> Story:
    """Run the cluster in a short directory of its own, and keep its archive."""
    home = new_place("pw-")
    cluster = Cluster(pg, home / "c", account)
    try:
        story = _run(cluster, pgbench)
    finally:
        cluster.stop("immediate")
    shutil.copytree(story.archive, keep)
    shutil.rmtree(home)
    story.archive = keep
    return story


def _run(cluster: Cluster, pgbench: Path) -> Story:
    archive = cluster.account.make_directory(cluster.home / "archive")
    story = Story(archive=archive, pg=cluster.installation)
    cluster.initdb(segment_mib=1)
    cluster.configure(
        fsync=False, archive_mode="on", archive_command=f"cp %p {archive}/%f",
        wal_level="logical", max_prepared_transactions=10, track_commit_timestamp=True,
        max_wal_size="256MB", wal_keep_size="256MB", autovacuum=False,
    )  # fmt: skip
    cluster.start()
    _run_pgbench(cluster, pgbench)
    with cluster.connect() as connection:
        row = connection.execute("SELECT system_identifier FROM pg_control_system()").fetchone()
        story.system_identifier = row[0]  # type: ignore[index]
        _transactions(connection, story)
        _relations(connection, story)
        _tablespaces(connection, cluster)
        _long_records(connection)
        _settings(connection)
        _backup(connection, story)
        _commit_over_a_boundary(connection, story)
        _ask_commit_times(connection, story)
        _inspect(connection, story)
    _fork(cluster, story)
    return story


def _run_pgbench(cluster: Cluster, pgbench: Path) -> None:
    common = [str(pgbench), "-h", str(cluster.sockets), "-U", "postgres", "postgres"]
    cluster.run(*common, "-i", "-q", "-s", "1")
    cluster.run(*common, "-c", "2", "-t", "300", "-n")


def _transactions(connection: psycopg.Connection[Any], story: Story) -> None:
    run = connection.execute
    run("CREATE TABLE t (n int, s text)")
    for name in ("plain", "niño «ñ»", "x" * 63):
        row = run("SELECT pg_create_restore_point(%s)", [name]).fetchone()
        story.restore_points[name] = parse_lsn(row[0])  # type: ignore[index]
    for ending in ("COMMIT", "ROLLBACK"):
        run("BEGIN")
        xid = _xid(connection)
        run("INSERT INTO t VALUES (1)")
        run("SAVEPOINT a")
        run("INSERT INTO t VALUES (2)")
        run(f"PREPARE TRANSACTION 'g{ending}'")
        run(f"{ending} PREPARED 'g{ending}'")
        _note(story, xid, ending)
    for ending in ("COMMIT", "ROLLBACK"):
        run("BEGIN")
        xid = _xid(connection)
        run(f"CREATE TABLE made_before_{ending} (n int)")
        for level in range(3):
            run(f"SAVEPOINT s{level}")
            run("INSERT INTO t VALUES (3)")
        run(ending)
        _note(story, xid, ending)
    run("SELECT pg_logical_emit_message(false, 'p', 'outside')")
    run("SELECT pg_logical_emit_message(true, 'p', 'inside')")


def _relations(connection: psycopg.Connection[Any], story: Story) -> None:
    run = connection.execute
    for table in ("dropped", "truncated", "rewritten"):
        run(f"CREATE TABLE {table} (n int PRIMARY KEY)")
        run(f"INSERT INTO {table} SELECT generate_series(1, 500)")
        for relation in (table, f"{table}_pkey"):
            row = run("SELECT pg_relation_filepath(%s::regclass)", [relation]).fetchone()
            story.dropped.add(row[0])  # type: ignore[index]
    run("DROP TABLE dropped")
    run("TRUNCATE truncated")
    run("ALTER TABLE rewritten ALTER n TYPE bigint")
    run("CREATE TABLE shrunk AS SELECT generate_series(1, 5000) AS n")
    run("DELETE FROM shrunk WHERE n > 100")
    run("VACUUM shrunk")
    run("CREATE DATABASE short_lived")
    run("DROP DATABASE short_lived")


def _tablespaces(connection: psycopg.Connection[Any], cluster: Cluster) -> None:
    place = cluster.account.make_directory(cluster.home / "espacio «ñ»")
    connection.execute(f"CREATE TABLESPACE short_lived LOCATION '{place}'")
    connection.execute("DROP TABLESPACE short_lived")


def _long_records(connection: psycopg.Connection[Any]) -> None:
    """Records longer than a page, than four, over one boundary, and over three and more."""
    for size in (10_000, 40_000, MIB, 3 * MIB + 500_000):
        connection.execute("SELECT pg_logical_emit_message(false, 'p', repeat('x', %s))", [size])
    connection.execute("SELECT pg_switch_wal()")


def _settings(connection: psycopg.Connection[Any]) -> None:
    run = connection.execute
    run("ALTER SYSTEM SET wal_compression = on")
    run("ALTER SYSTEM SET full_page_writes = off")
    run("SELECT pg_reload_conf()")
    run("CHECKPOINT")
    run("ALTER SYSTEM SET full_page_writes = on")
    run("SELECT pg_reload_conf()")
    run("CHECKPOINT")
    run("UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid % 50 = 0")


def _backup(connection: psycopg.Connection[Any], story: Story) -> None:
    old = connection.info.server_version < 150000
    start = "pg_start_backup('b', true, false)" if old else "pg_backup_start('b', true)"
    stop = "pg_stop_backup(false)" if old else "pg_backup_stop()"
    connection.execute(f"SELECT {start}")
    connection.execute("INSERT INTO t VALUES (4)")
    row = connection.execute(f"SELECT lsn FROM {stop}").fetchone()
    story.backup_stop_lsn = parse_lsn(row[0])  # type: ignore[index]


def _commit_over_a_boundary(connection: psycopg.Connection[Any], story: Story) -> None:
    """A commit with subtransactions, begun just before a segment's end."""
    story.subxids = 300
    run = connection.execute
    run("BEGIN")
    xid = _xid(connection)
    for number in range(story.subxids):
        run(f"SAVEPOINT s{number}")
        run("INSERT INTO t VALUES (5)")
    row = run("SELECT pg_current_wal_insert_lsn()").fetchone()
    left = MIB - parse_lsn(row[0]) % MIB  # type: ignore[index]
    payload = left - left // 8192 * 24 - 100
    run("SELECT pg_logical_emit_message(false, 'p', repeat('x', %s))", [max(payload - 300, 0)])
    run("COMMIT")
    _note(story, xid, "COMMIT")


def _fork(cluster: Cluster, story: Story) -> None:
    """Stop, raise a parameter, come back as a standby, and be promoted to timeline 2."""
    cluster.stop()
    cluster.configure(max_connections=110)
    cluster.signal("standby.signal")
    cluster.start()
    cluster.sql("SELECT pg_promote(wait_seconds => 300)")
    cluster.sql("CREATE TABLE on_timeline_2 AS SELECT 1 AS n")
    cluster.sql("SELECT pg_switch_wal()")
    cluster.sql("CHECKPOINT")
    row = cluster.sql("SELECT pg_create_restore_point('two')")
    story.restore_points["two"] = parse_lsn(row[0][0])
    cluster.sql("SELECT pg_switch_wal()")
    cluster.stop()


def _xid(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT txid_current() % (2 ^ 32)::bigint").fetchone()
    return int(row[0])  # type: ignore[index]


def _note(story: Story, xid: int, ending: str) -> None:
    (story.aborted if ending == "ROLLBACK" else story.committed).add(xid)


def _ask_commit_times(connection: psycopg.Connection[Any], story: Story) -> None:
    """Subtransactions have a commit timestamp too: their parent's."""
    rows = connection.execute(
        "SELECT x, t FROM generate_series(3, txid_current() - 1) AS x,"
        " pg_xact_commit_timestamp(x::text::xid) AS t WHERE t IS NOT NULL"
    )
    story.commit_times = dict(rows.fetchall())


def _inspect(connection: psycopg.Connection[Any], story: Story) -> None:
    """Have pg_walinspect list timeline 1, where this server has it."""
    available = connection.execute(
        "SELECT FROM pg_available_extensions WHERE name = 'pg_walinspect'"
    )
    if not available.fetchall():
        return
    start = scan_file(story.segments(1)[0], depth="headers").start_lsn
    connection.execute("CREATE EXTENSION pg_walinspect")
    story.inspected = connection.execute(
        "SELECT start_lsn, resource_manager, record_length, prev_lsn, xid::text::bigint, end_lsn"
        " FROM pg_get_wal_records_info(%s, pg_current_wal_flush_lsn())",
        [format_lsn(start)],
    ).fetchall()
