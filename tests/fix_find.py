"""A cluster in which things were dropped, and what the server said of each."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from agent.postgres.account import Account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from tests.fix_place import new_place
from tests.histories import SETTINGS, Life, begin_life
from tests.waiting import wait_logged

Connection = psycopg.Connection[Any]


@dataclass(kw_only=True)
class Deed:
    """One transaction, as the server told it while it was open."""

    xid: int
    action: str  # dropped, truncated, rewritten
    kind: str
    name: str  # schema.name
    oid: int


@dataclass(kw_only=True)
class DropStory:
    """The finished cluster."""

    pg: Installation
    archive: Path
    backup: Path
    log: Path  # server.log, server.csv and server.json are in it
    deeds: list[Deed] = field(default_factory=list)
    rolled_back_xid: int = 0  # a transaction that dropped a table and was rolled back
    database_oid: int = 0
    rows: dict[int, int] = field(default_factory=dict)  # value in table `seen` -> its xid
    answers: dict[tuple[Any, ...], str] = field(default_factory=dict)
    restores: int = 0

    @property
    def segments(self) -> list[Path]:
        return sorted(path for path in self.archive.iterdir() if len(path.name) == 24)

    def deed(self, action: str, name: str) -> Deed:
        (found,) = (deed for deed in self.deeds if (deed.action, deed.name) == (action, name))
        return found


DropStories = Callable[[Installation], DropStory]


@pytest.fixture(scope="session")
def drop_stories(account: Account, installations: dict[int, Installation]) -> Iterator[DropStories]:
    """One story a major, told when the first test asks for it."""
    told: dict[int, DropStory] = {}
    homes: list[Path] = []

    def story_of(pg: Installation) -> DropStory:
        if pg.major not in told:
            home = new_place("pf-")
            homes.append(home)
            told[pg.major] = _tell(Cluster(pg, home / "c", account))
        return told[pg.major]

    yield story_of
    for home in homes:
        shutil.rmtree(home, ignore_errors=True)


# Every compression that page images may have, one a major.
PREFIX = "%m [%p] %q%u@%d,%x "
_COMPRESSION = {15: "pglz", 16: "off", 18: "lz4"}


def _tell(cluster: Cluster) -> DropStory:
    archive = cluster.account.make_directory(cluster.home / "archive")
    cluster.initdb(segment_mib=1)
    formats = "stderr,csvlog" + (",jsonlog" if cluster.installation.major >= 15 else "")
    compression = _COMPRESSION.get(cluster.installation.major, "off")
    cluster.configure(
        fsync=False, archive_mode="on", archive_command=f"cp %p {archive}/%f",
        logging_collector=True, log_directory=str(cluster.home / "log"), log_filename="server.log",
        log_destination=formats, log_statement="all", log_line_prefix=PREFIX,
        log_timezone="America/Mazatlan", **SETTINGS,
    )  # fmt: skip
    cluster.start()
    try:
        # A build may lack that compression.
        with contextlib.suppress(psycopg.Error), cluster.connect() as connection:
            connection.execute(f"ALTER SYSTEM SET wal_compression = '{compression}'")  # type: ignore[arg-type]
            connection.execute("SELECT pg_reload_conf()")
        return _live(begin_life(cluster, archive, seed=7))
    finally:
        cluster.stop("immediate")


def _live(life: Life) -> DropStory:
    cluster = life.cluster
    with life.connect() as connection:
        _before_the_backup(connection)
    cluster.sql("CREATE DATABASE shop TEMPLATE postgres")
    with life.connect() as connection:
        life.live(connection, 5)
    story = DropStory(
        pg=cluster.installation,
        archive=life.archive,
        backup=cluster.home / "backup",
        log=cluster.home / "log",
    )
    # Life goes on while the files are copied: the catalogs in the backup are of no one instant.
    life.take_backup(story.backup, lambda connection: _meanwhile(life, connection))
    with life.connect() as connection:
        life.live(connection, 10)
        _after_the_backup(connection, story)
        life.live(connection, 15)
        _drop_database(connection, story)
        life.live(connection, 15)
    life.finish()
    wait_logged(list(story.log.iterdir()), "database system is shut down")
    story.rows = life.rows
    return story


def _before_the_backup(connection: Connection) -> None:
    run = connection.execute
    run("CREATE SCHEMA app")
    run("CREATE TABLE app.accounts (id int PRIMARY KEY, t text)")
    run("INSERT INTO app.accounts SELECT n, 'x' FROM generate_series(1, 1000) n")
    run("CREATE TABLE old_name (n int)")
    run('CREATE TABLE "Niño «ñ»" (n serial)')
    run("CREATE TABLE twice (n int)")
    run("VACUUM FULL pg_namespace")  # its file has another number than its OID


def _meanwhile(life: Life, connection: Connection) -> None:
    life.live(connection, 2)
    connection.execute(f"CREATE TABLE while_copied_{life.next_value} (n int)")  # type: ignore[arg-type]


def _after_the_backup(connection: Connection, story: DropStory) -> None:
    run = connection.execute
    run("CREATE TABLE app.later (id serial PRIMARY KEY, t text)")
    run("INSERT INTO app.later (t) SELECT 'y' FROM generate_series(1, 100)")
    run("ALTER TABLE old_name RENAME TO new_name")
    run("CREATE VIEW app.seen_twice AS SELECT n FROM seen")
    run("CREATE TABLE parts (n int) PARTITION BY RANGE (n)")
    run("CREATE TABLE part_one PARTITION OF parts FOR VALUES FROM (0) TO (9)")
    _do(connection, story, "TRUNCATE app.accounts", "truncated", "table", "app.accounts")
    run("CHECKPOINT")  # the next change of a page carries it whole
    rewrite = "ALTER TABLE app.later ADD COLUMN at timestamptz DEFAULT clock_timestamp()"
    _do(connection, story, rewrite, "rewritten", "table", "app.later")
    _do(connection, story, "DROP VIEW app.seen_twice", "dropped", "view", "app.seen_twice")
    _do(connection, story, "DROP TABLE new_name", "dropped", "table", "public.new_name")
    with contextlib.suppress(ZeroDivisionError), connection.transaction():
        story.rolled_back_xid = _xid(connection)
        run("DROP TABLE app.later")
        raise ZeroDivisionError
    run("ALTER SCHEMA app RENAME TO application")
    name = 'public."Niño «ñ»"'
    _do(connection, story, f"DROP TABLE {name}", "dropped", "table", name)
    with connection.transaction():
        run("INSERT INTO application.later (t) VALUES ('the last')")
        with connection.transaction():  # a subtransaction did it
            deed = _ask(connection, "dropped", "table", "application.later")
            run("DROP TABLE application.later")
        story.deeds.append(deed)
    run("BEGIN")
    story.deeds.append(_ask(connection, "dropped", "table", "public.twice"))
    run("DROP TABLE twice")
    run("PREPARE TRANSACTION 'drops'")
    run("COMMIT PREPARED 'drops'")
    run("CREATE TABLE twice (n int)")
    run("DROP TABLE twice")
    _do(connection, story, "DROP TABLE parts", "dropped", "partitioned table", "public.parts")


def _do(
    connection: Connection, story: DropStory, statement: str, action: str, kind: str, name: str
) -> None:
    """Run one statement in a transaction, and note what the server says that it is done to."""
    with connection.transaction():
        story.deeds.append(_ask(connection, action, kind, name))
        connection.execute(statement)  # type: ignore[arg-type]


def _ask(connection: Connection, action: str, kind: str, name: str) -> Deed:
    row = connection.execute("SELECT %s::regclass::oid::bigint", [name]).fetchone()
    assert row is not None
    return Deed(
        xid=_xid(connection), action=action, kind=kind, name=name.replace('"', ""), oid=row[0]
    )


def _xid(connection: Connection) -> int:
    row = connection.execute("SELECT txid_current() % (2 ^ 32)::bigint").fetchone()
    assert row is not None
    return int(row[0])


def _drop_database(connection: Connection, story: DropStory) -> None:
    row = connection.execute(
        "SELECT oid::bigint FROM pg_database WHERE datname = 'shop'"
    ).fetchone()
    assert row is not None
    story.database_oid = row[0]
    connection.execute("DROP DATABASE shop")
