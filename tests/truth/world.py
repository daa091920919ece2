"""The servers of one history: the one that lives now, those that it left, and its archive."""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from agent.postgres.account import Account
from agent.postgres.cluster import Cluster, ServerFailed
from agent.postgres.installation import Installation
from parsers.files.timeline_history import parse_timeline_history
from parsers.lsn import parse_lsn
from tests.fix_tools import PATIENCE_SECONDS, faketime
from tests.histories import SETTINGS, Life, copy_cluster, forget_target, wait_for
from tests.truth.plan import Plan, Step

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Where a step was done, by the server's word."""

    timeline: int
    before_lsn: int
    after_lsn: int
    xid: int | None  # of the last row that it inserted


class Template:
    """A new cluster of a major, made once: each history begins with a copy of it."""

    def __init__(
        self, home: Path, account: Account, installation: Installation, pg_basebackup: Path | None
    ) -> None:
        self.account, self.installation = account, installation
        self.pg_basebackup = pg_basebackup  # of any release that knows this one
        home.chmod(0o755)
        cluster = Cluster(installation, home / "template", account)
        cluster.initdb(segment_mib=1)
        cluster.configure(fsync=False, **SETTINGS)
        with cluster.running():
            cluster.sql("CREATE TABLE seen (n int)")
            cluster.sql("CREATE TABLE filled (n int, t text)")
            cluster.sql("UPDATE pg_database SET datistemplate = false")
            cluster.sql("DROP DATABASE template1")  # a restore copies fewer files
            cluster.stop("fast")
        self.data = cluster.data


class World:
    """What a plan's steps act on. `close` ends its servers."""

    def __init__(self, plan: Plan, home: Path, template: Template) -> None:
        self.plan, self.home = plan, home
        self.installation, self.account = template.installation, template.account
        self.pg_basebackup = template.pg_basebackup
        self.archive = self.account.make_directory(home / "archive")
        self.spaces = self.account.make_directory(home / "spaces")  # tablespaces' locations
        self.lives: list[Life] = []
        self.backups: dict[int, Path] = {}  # by the step that took it
        self.marks: dict[int, Mark] = {}
        self.failed: dict[int, str] = {}  # steps that a server refused, with its word
        self.space_names: list[str] = []
        self.clock_steps: list[int] = []  # the dice of each
        self.prepared_rows: dict[str, int] = {}  # gid -> what it inserted into `seen`
        self.noted: list[tuple[int, int, set[int]]] = []  # timeline, LSN, rows
        has_clock = any(step.kind == "clock" for step in plan.steps) and faketime() is not None
        self.clock = home / "clock" if has_clock else None  # what its servers take for the time
        self._environment = clock_environment(self.clock) if self.clock else {}
        self._clusters: list[Cluster] = []
        self._connection: Connection | None = None
        cluster = self.new_cluster("t1")
        copy(template.data, cluster.data)
        self.configure(cluster)
        cluster.start()
        self._begin(cluster, begin_lsn=0)

    @property
    def life(self) -> Life:
        return self.lives[self.timeline - 1]

    @property
    def cluster(self) -> Cluster:
        return self.life.cluster

    @property
    def connection(self) -> Connection:
        """The session of the steps; a new one where the last was lost."""
        if self._connection is None or self._connection.closed:
            self._connection = self.cluster.connect()
        return self._connection

    def new_cluster(self, name: str) -> Cluster:
        home, environment = self.home / name, self._environment
        cluster = Cluster(self.installation, home, self.account, environment=environment)
        self._clusters.append(cluster)
        return cluster

    def configure(self, cluster: Cluster, **settings: str | int | bool) -> None:
        """As every server of a history is."""
        arriving = self.home / "arriving"
        cluster.configure(**{
            "unix_socket_directories": str(cluster.sockets), "listen_addresses": "",
            "archive_mode": "on", "wal_level": "replica", "logging_collector": False,
            "lock_timeout": "1s", "statement_timeout": "60s",
            **({"summarize_wal": True} if self.plan.major >= 17 else {}),
            # A server that crashed may archive a file again.
            "archive_command": f"cp %p {arriving} && mv {arriving} {self.archive}/%f",
            **settings,
        })  # fmt: skip

    def _begin(self, cluster: Cluster, begin_lsn: int) -> None:
        life = Life(
            cluster, self.archive, random.Random(len(self.lives)), begin_lsn=begin_lsn,
            next_value=1 + 100_000 * len(self.lives),
        )  # fmt: skip
        for gid, xid in cluster.sql("SELECT gid, transaction::text::bigint FROM pg_prepared_xacts"):
            life.rows[self.prepared_rows[gid]] = xid
        self.lives.append(life)
        self.timeline = len(self.lives)

    # -- living ------------------------------------------------------------------------------------

    def live(self, step: Step, act: Any) -> None:
        """Do one step; what a server refuses of it is noted, and life goes on."""
        before, known = self.lsn(), len(self.life.rows)
        timeline = self.timeline
        try:
            act(self, random.Random(step.dice), step)
        except (psycopg.Error, ServerFailed, AssertionError) as error:
            self.failed[step.id] = f"{step.kind}: {error}".strip()
            self.recover()
        rows = self.lives[timeline - 1].rows
        xid = list(rows.values())[-1] if len(rows) > known else None
        after = self.lsn() if timeline == self.timeline else before
        self.marks[step.id] = Mark(timeline=timeline, before_lsn=before, after_lsn=after, xid=xid)

    def recover(self) -> None:
        """Have a server that runs and a session outside of any transaction."""
        self.disconnect()
        if not self.cluster.is_running():
            self.cluster.configure(
                wal_level="replica", archive_mode="on", max_wal_senders=10,
                max_prepared_transactions=20,
            )  # fmt: skip
            self.cluster.start()
            self._forget_unlogged()

    def lsn(self) -> int:
        row = self.connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
        return parse_lsn(row[0])  # type: ignore[index]

    def disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def restart(self, mode: str = "fast", **settings: str | int | bool) -> None:
        self.disconnect()
        self.cluster.stop(mode)
        self.cluster.configure(**settings)
        self.cluster.start()
        self._forget_unlogged()

    def _forget_unlogged(self) -> None:
        """Transactions that a crash left without a trace: others will have their numbers."""
        row = self.connection.execute(
            "SELECT txid_snapshot_xmax(txid_current_snapshot())"
        ).fetchone()
        rows = self.life.rows
        for value in [value for value, xid in rows.items() if xid >= row[0]]:  # type: ignore[index]
            del rows[value]

    @contextlib.contextmanager
    def laid_down(self) -> Iterator[None]:
        """The living server archived and stopped; it lives on where nothing takes its place."""
        self.life.archive_now(self.connection)
        self.disconnect()
        self.cluster.stop("fast")
        living, kept = self.timeline, self.home / "laid_down"
        copy(self.spaces, spaces_of(kept))
        try:
            yield
        finally:
            if self.timeline == living:
                self.lay_out(kept)
                self.cluster.start()
            remove(spaces_of(kept))

    def succeed(
        self,
        cluster: Cluster,
        backup: Path,
        block: dict[str, str | int | bool],
        *,
        follows: bool = False,
    ) -> bool:
        """Restore a backup up to a target, and live on there. False where the server would not.

        `follows`: as a standby that is promoted where the archive ends.
        """
        self.lay_out(backup)
        copy(backup, cluster.data)
        forget_target(cluster.data)
        for name in ("standby.signal", "recovery.signal"):
            (cluster.data / name).unlink(missing_ok=True)
        restored = {
            "restore_command": f"cp {self.archive}/%f %p", "hot_standby": False,
            "recovery_target_action": "promote", **block,
        }  # fmt: skip
        self.configure(cluster, **restored)
        cluster.signal("standby.signal" if follows else "recovery.signal")
        try:
            cluster.start(timeout_seconds=20 if follows else PATIENCE_SECONDS)
            if follows:
                _promote(cluster)
            _wait_until_open(cluster)
        except ServerFailed:
            with contextlib.suppress(ServerFailed):
                cluster.stop("immediate")
            return False
        name = cluster.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")[0][0]
        history = self.archive / f"{name[:8]}.history"
        wait_for(history)
        entry = parse_timeline_history(history.read_bytes(), int(name[:8], 16)).entries[-1]
        self._connection = None
        forget_target(cluster.data)
        cluster.configure(hot_standby=True)
        self._begin(cluster, begin_lsn=entry.switch_lsn)
        return True

    def copy_data(self, target: Path) -> None:
        """A backup's copy of the living server, and beside it that of its tablespaces."""
        copy_cluster(self.cluster.data, target)
        copy(self.spaces, spaces_of(target))

    def lay_out(self, backup: Path, *, absent: bool = False) -> None:
        """Tablespaces' locations as the target's machine has them: a backup's files, or empty.

        `absent`: those that came after the backup are not there at all.
        """
        kept = spaces_of(backup)
        for name in self.space_names:
            remove(self.spaces / name)
            if (kept / name).is_dir():
                copy(kept / name, self.spaces / name)
            elif not absent:
                self.account.make_directory(self.spaces / name)

    def note_rows(self) -> None:
        """What `seen` holds now: its commits may be in WAL that is never archived."""
        rows = {row[0] for row in self.connection.execute("SELECT n FROM seen").fetchall()}
        self.noted.append((self.timeline, self.lsn(), rows))

    # -- the end -----------------------------------------------------------------------------------

    def finish(self) -> None:
        """Archive everything and stop: the history is over."""
        self.cluster.configure(archive_mode="on", wal_level="replica")
        self.restart()
        self.life.archive_now(self.connection)
        self.close()

    def close(self) -> None:
        self.disconnect()
        for cluster in self._clusters:
            with contextlib.suppress(ServerFailed):
                cluster.stop("immediate")


def _promote(cluster: Cluster) -> None:
    """Once it has replayed nothing more for a while."""
    replayed = None
    while (now := cluster.sql("SELECT pg_last_wal_replay_lsn()")[0][0]) != replayed:
        replayed = now
        time.sleep(0.5)
    cluster.sql("SELECT pg_promote(wait => false)")


def _wait_until_open(cluster: Cluster, seconds: float = 120) -> None:
    """To be ready for writing. Raises ServerFailed where it goes down instead."""
    deadline = time.monotonic() + seconds
    while cluster.is_running() and time.monotonic() < deadline:
        with contextlib.suppress(psycopg.OperationalError):  # no hot standby: it lets nobody in
            if not cluster.sql("SELECT pg_is_in_recovery()")[0][0]:
                return
        time.sleep(0.02)
    raise ServerFailed("recovery did not end in an open server")


def clock_environment(file: Path) -> dict[str, str]:
    """What a server's clock is asked of, each time anew; monotonic time and files keep theirs."""
    file.write_text("+0")
    return {
        "LD_PRELOAD": str(faketime()), "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }  # fmt: skip


def spaces_of(backup: Path) -> Path:
    """The copy of the tablespaces that belongs to a backup."""
    return backup.with_name(f"{backup.name}.spaces")


def copy(source: Path, target: Path) -> None:
    """A directory with its owners, into one that does not exist."""
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True)


def remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)


__all__ = ["Connection", "Mark", "Template", "World", "copy", "copy_cluster", "remove"]
