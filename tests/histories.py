"""A cluster's life at random, by a seed: what recovery may meet on its way.

Every step that writes notes the transaction that wrote it, by the server's word. Backups are taken
by hand (pg_backup_start to pg_backup_stop), so that life can go on while one is taken.
"""

from __future__ import annotations

import random
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from agent.postgres.cluster import Cluster
from parsers.files.timeline_history import parse_timeline_history
from parsers.lsn import parse_lsn
from rules.model.target import Target
from tests.restoring import recovery_settings
from tests.waiting import wait_archived, wait_until

Connection = psycopg.Connection[Any]
SEGMENT_BYTES = 1 << 20
SEGMENT_NAME = re.compile("[0-9A-F]{24}")
POINT_NAMES = ("alpha", "beta", "niño «ñ»")
SETTINGS: dict[str, str | int | bool] = {
    "max_prepared_transactions": 20,
    "autovacuum": False,
    "shared_buffers": "8MB",
    "wal_keep_size": 0,
    "bgwriter_lru_maxpages": 0,
    "max_wal_size": "1GB",
    "checkpoint_timeout": "1h",
}


@dataclass
class Life:
    """One server on one timeline, and what was done on it."""

    cluster: Cluster
    archive: Path
    rng: random.Random
    rows: dict[int, int] = field(default_factory=dict)  # value in table `seen` -> its top-level xid
    next_value: int = 1
    begin_lsn: int = 0  # where its timeline left its parent
    prepared: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    @property
    def major(self) -> int:
        return self.cluster.installation.major

    def connect(self) -> Connection:
        return self.cluster.connect()

    def live(self, connection: Connection, count: int) -> None:
        """Take steps, each of them as likely as its weight."""
        names, weights = zip(*_WEIGHTS.items(), strict=True)
        for step in self.rng.choices(names, weights, k=count):
            self.steps.append(step.__name__)
            step(self, connection)

    def insert(self, connection: Connection) -> None:
        """Put one row into `seen` within the open transaction."""
        value, self.next_value = self.next_value, self.next_value + 1
        row = connection.execute("SELECT txid_current() % (2 ^ 32)::bigint").fetchone()
        connection.execute("INSERT INTO seen VALUES (%s)", [value])
        self.rows[value] = int(row[0])  # type: ignore[index]

    def take_backup(self, target: Path, meanwhile: Callable[[Connection], None]) -> None:
        """Copy the data directory while `meanwhile` goes on, before and after the copy."""
        with self.connect() as session, self.connect() as other:
            self.start_backup(session)
            meanwhile(other)
            copy_cluster(self.cluster.data, target)
            meanwhile(other)
            self.stop_backup(session, target)

    def start_backup(self, session: Connection) -> int:
        """Begin one; give the LSN of its start."""
        old = self.major < 15
        start = "pg_start_backup('b', true, false)" if old else "pg_backup_start('b', true)"
        row = session.execute(f"SELECT {start}").fetchone()
        return parse_lsn(row[0])  # type: ignore[index]

    def stop_backup(self, session: Connection, target: Path | None = None) -> None:
        """End it, and give the copy its label."""
        stop = "pg_stop_backup(false, false)" if self.major < 15 else "pg_backup_stop(false)"
        row = session.execute(f"SELECT labelfile, spcmapfile FROM {stop}").fetchone()
        for name, text in zip(("backup_label", "tablespace_map"), row or (), strict=True):
            if target is not None and text:
                (target / name).write_text(text)
                self.cluster.account.own(target / name)

    def archive_now(self, connection: Connection) -> None:
        """Switch, and wait until the segment is archived."""
        connection.execute("SELECT pg_logical_emit_message(false, 'p', 'the end')")
        row = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
        wait_for(self.archive / row[0])  # type: ignore[index]

    def finish(self) -> None:
        """Stop; a server switches then, and ends once all is archived.

        A switch before it would leave the background writer room to begin one segment more.
        """
        with self.connect() as connection:
            connection.execute("SELECT pg_logical_emit_message(false, 'p', 'the end')")
        self.cluster.stop("fast")
        wait_archived(self.cluster)


def begin_life(cluster: Cluster, archive: Path, seed: int) -> Life:
    """The first timeline of a running cluster."""
    cluster.sql("CREATE TABLE seen (n int)")
    keep_one_database(cluster)
    return Life(cluster, archive, random.Random(seed))


def keep_one_database(cluster: Cluster) -> None:
    """Two of the three go: a restore copies a third of the files."""
    cluster.sql("UPDATE pg_database SET datistemplate = false")
    cluster.sql("DROP DATABASE template0")
    cluster.sql("DROP DATABASE template1")


def copy_cluster(data: Path, target: Path) -> None:
    """What a base backup takes of a running cluster's data directory."""
    subprocess.run(["cp", "-a", str(data), str(target)], check=False, stderr=subprocess.DEVNULL)
    for pattern in ("pg_wal/0*", "pg_wal/archive_status/*", "postmaster.*", "pg_replslot/*"):
        for path in target.glob(pattern):
            path.unlink(missing_ok=True)


def fork(parent: Life, cluster: Cluster, backup: Path, target: Target, seed: int) -> Life:
    """Restore `backup` up to a target and live on, archiving, on the new timeline."""
    subprocess.run(["cp", "-a", str(backup), str(cluster.data)], check=True)
    archive = parent.archive
    cluster.configure(
        unix_socket_directories=str(cluster.sockets), listen_addresses="",
        restore_command=f"cp {archive}/%f %p", archive_mode="on",
        archive_command=f"test ! -f {archive}/%f && cp %p {archive}/%f",
        **recovery_settings(target),
    )  # fmt: skip
    cluster.signal()
    cluster.start()
    wait_until(lambda: not cluster.sql("SELECT pg_is_in_recovery()")[0][0], "it is promoted")
    name = cluster.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")[0][0]
    history = archive / f"{name[:8]}.history"
    wait_for(history)
    entry = parse_timeline_history(history.read_bytes(), int(name[:8], 16)).entries[-1]
    return Life(
        cluster, archive, random.Random(seed), next_value=parent.next_value + 1000,
        begin_lsn=entry.switch_lsn,
    )  # fmt: skip


def forget_target(backup: Path) -> None:
    """Take the settings out of the backup with which its own server was restored."""
    settings = backup / "postgresql.auto.conf"
    lines = settings.read_text().splitlines(keepends=True)
    settings.write_text("".join(line for line in lines if not line.startswith("recovery_target")))


def wait_for(path: Path) -> None:
    """Wait until a file is archived: `cp` makes it, and fills it after that."""
    least = SEGMENT_BYTES if SEGMENT_NAME.fullmatch(path.name) else 1
    wait_until(lambda: path.exists() and path.stat().st_size >= least, f"{path} is archived")


# -- steps ----------------------------------------------------------------------------------------


def commit(life: Life, connection: Connection) -> None:
    with connection.transaction():
        life.insert(connection)


def abort(life: Life, connection: Connection) -> None:
    with connection.transaction():
        life.insert(connection)
        raise psycopg.Rollback


def nest(life: Life, connection: Connection) -> None:
    """Subtransactions, kept and rolled back."""
    with connection.transaction():
        life.insert(connection)
        for keep in (True, False):
            with connection.transaction():
                connection.execute("INSERT INTO seen VALUES (0)")
                connection.execute("DELETE FROM seen WHERE n = 0")
                if not keep:
                    raise psycopg.Rollback


def prepare(life: Life, connection: Connection) -> None:
    if len(life.prepared) >= 5:
        return
    gid = f"g{life.next_value}"
    connection.execute("BEGIN")
    life.insert(connection)
    connection.execute(f"PREPARE TRANSACTION '{gid}'")  # type: ignore[arg-type]
    life.prepared.append(gid)


def end_prepared(life: Life, connection: Connection) -> None:
    if not life.prepared:
        prepare(life, connection)
    gid = life.prepared.pop(life.rng.randrange(len(life.prepared)))
    ending = life.rng.choice(("COMMIT", "ROLLBACK"))
    connection.execute(f"{ending} PREPARED '{gid}'")  # type: ignore[arg-type]


def restore_point(life: Life, connection: Connection) -> None:
    connection.execute("SELECT pg_create_restore_point(%s)", [life.rng.choice(POINT_NAMES)])


def ddl(life: Life, connection: Connection) -> None:
    connection.execute("DROP TABLE IF EXISTS extra")
    connection.execute("CREATE TABLE extra AS SELECT generate_series(1, 50) AS n")


def switch(life: Life, connection: Connection) -> None:
    connection.execute("SELECT pg_switch_wal()")


def checkpoint(life: Life, connection: Connection) -> None:
    connection.execute("CHECKPOINT")


def fill_to(connection: Connection, gap: int) -> None:
    """Write until `gap` bytes are left in the segment."""
    for _ in range(100):
        row = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
        room = SEGMENT_BYTES - parse_lsn(row[0]) % SEGMENT_BYTES - gap  # type: ignore[index]
        if room == 0:
            return
        if room < 56:  # less than a message takes: on to the next segment
            size = 20_000
        elif room <= 280:
            size = room - 52
        else:
            size = max(room - room // 8192 * 24 - 500, 100)
        connection.execute("SELECT pg_logical_emit_message(false, 'p', repeat('x', %s))", [size])
    raise AssertionError("the gap was not met")


def switch_here(connection: Connection) -> int:
    """Switch, and write on in the same transaction; give the LSN of the switch.

    A transaction whose last record is a switch that ends a segment to the byte has the WAL writer
    write up to behind the next page's header. Where that is not begun yet, 15, 17 and 18 panic.
    """
    row = connection.execute(
        "SELECT pg_current_wal_insert_lsn(), pg_switch_wal(),"
        " pg_logical_emit_message(false, 'p', '')"
    ).fetchone()
    return parse_lsn(row[0])  # type: ignore[index]


def switch_at_the_edge(life: Life, connection: Connection) -> None:
    """A switch that ends in the next segment, or just before it."""
    fill_to(connection, life.rng.choice((8, 16, 24, 32, 40, 64)))
    switch_here(connection)


def idle(life: Life, connection: Connection) -> None:
    time.sleep(0.03)


def message(life: Life, connection: Connection) -> None:
    """A record of no transaction, now and then one that fills pages or crosses a segment."""
    size = life.rng.choice((10, 100, 9_000, 400_000))
    connection.execute("SELECT pg_logical_emit_message(false, 'p', repeat('x', %s))", [size])


def commit_over_a_boundary(life: Life, connection: Connection) -> int:
    """Commit with many subtransactions, begun just before a segment's end."""
    connection.execute("BEGIN")
    life.insert(connection)
    for number in range(200):
        connection.execute(f"SAVEPOINT s{number}")
        connection.execute("INSERT INTO seen VALUES (0)")
    connection.execute("DELETE FROM seen WHERE n = 0")
    row = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
    left = (1 << 20) - parse_lsn(row[0]) % (1 << 20)  # type: ignore[index]
    size = max(left - left // 8192 * 24 - 400, 0)
    connection.execute("SELECT pg_logical_emit_message(false, 'p', repeat('x', %s))", [size])
    connection.execute("COMMIT")
    return list(life.rows.values())[-1]


_WEIGHTS: dict[Callable[[Life, Connection], None], int] = {
    commit: 10, abort: 4, nest: 3, prepare: 3, end_prepared: 3, restore_point: 4, ddl: 2,
    switch: 3, switch_at_the_edge: 1, checkpoint: 1, idle: 3, message: 5,
}  # fmt: skip
