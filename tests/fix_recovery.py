"""A primary with an archive and one backup, whose restores are predicted and then really run.

pytestmark = every_major   # 18; 16 in make campaigns, others: make truth-stories MAJOR=13,14,17
def test_x(story): ...            # story.check(target) predicts, restores, compares
"""

from __future__ import annotations

import functools
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from agent.backups.tablespaces import find_location
from agent.postgres.cluster import Cluster
from parsers.lsn import parse_lsn
from rules.model.goal import read_goal
from rules.model.outcome import Outcome
from rules.model.restore_inputs import PARAMETERS, Server
from rules.model.target import Target
from rules.recovery.predictor import simulate
from tests.fix_postgres import BINDIR_OF_19, NewCluster, marks_of
from tests.histories import SETTINGS, Connection, Life, begin_life, copy_cluster, fork
from tests.restoring import Observed, disagreements, read_restore, restore

MAJORS = [int(major) for major in os.environ.get("TRUTH_MAJORS", "16,18").split(",")]
MAJORS += [19] if os.environ.get(BINDIR_OF_19) and 19 not in MAJORS else []
every_major = pytest.mark.parametrize(
    "major", [pytest.param(major, marks=marks_of(major, MAJORS[-1:])) for major in MAJORS]
)


class RecoveryStory:
    """A primary with an archive and one backup; `check` predicts and restores."""

    def __init__(self, major: int, new_cluster: NewCluster, directory: Path) -> None:
        self.major, self._new_cluster = major, new_cluster
        cluster = new_cluster(major, name="primary", **SETTINGS)
        self.archive = cluster.home / "archive"
        self.life = begin_life(cluster, self.archive, 1)
        self.backup = directory / "backup"
        self._count = 0

    def take_backup(self, meanwhile: Callable[[Connection], None] = lambda _: None) -> None:
        self.life.take_backup(self.backup, meanwhile)

    def checkpoint_lsn(self) -> int:
        row = self.life.cluster.sql("SELECT checkpoint_lsn FROM pg_control_checkpoint()")
        return parse_lsn(row[0][0])

    def take_backup_while_others_write(
        self, record_bytes: int, wanted: Callable[[int], bool]
    ) -> None:
        """Take one whose start LSN is as wanted: try until one is."""
        done = threading.Event()
        query = "SELECT pg_logical_emit_message(false, 'p', repeat('x', %s))"

        def write() -> None:
            with self.life.connect() as connection:
                while not done.is_set():
                    connection.execute(query, [record_bytes])

        writers = [threading.Thread(target=write) for _ in range(2)]
        for writer in writers:
            writer.start()
        try:
            with self.life.connect() as session:
                session.execute("CREATE TABLE filler AS SELECT generate_series(1, 50000) AS n")
                for _ in range(50):
                    session.execute("UPDATE filler SET n = n + 1")  # gives the checkpoint work
                    if wanted(self.life.start_backup(session)):
                        break
                    self.life.stop_backup(session)
                else:
                    raise AssertionError("no backup began as wanted")
                done.set()
                copy_cluster(self.life.cluster.data, self.backup)
                self.life.stop_backup(session, self.backup)
        finally:
            done.set()
            for writer in writers:
                writer.join()

    def new_cluster(self, name: str) -> Cluster:
        return self._new_cluster(self.major, name=name, initdb=False)

    def fork(self, parent: Life, target: Target) -> Life:
        self._count += 1
        cluster = self._new_cluster(self.major, name=f"f{self._count}", initdb=False)
        return fork(parent, cluster, self.backup, target, 1)

    def standby(self) -> Life:
        """A standby that follows the archive."""
        cluster = self.new_cluster("standby")
        subprocess.run(["cp", "-a", str(self.backup), str(cluster.data)], check=True)
        cluster.configure(
            unix_socket_directories=str(cluster.sockets), archive_mode="off",
            restore_command=f"cp {self.archive}/%f %p", wal_retrieve_retry_interval="50ms",
        )  # fmt: skip
        cluster.signal("standby.signal")
        cluster.start()
        return replace(self.life, cluster=cluster)

    def archive_now(self) -> None:
        """Switch, and wait until the segment is archived."""
        with self.life.connect() as connection:
            self.life.archive_now(connection)

    def segments(self) -> list[Path]:
        return sorted(path for path in self.archive.iterdir() if len(path.name) == 24)

    def check(
        self,
        target: Target,
        *,
        archive: Path | None = None,
        apply_needs: bool = True,
        signalled: bool = True,
        **settings: str | int | bool,
    ) -> tuple[Outcome, Observed]:
        """Predict, restore with these settings and those that it needs, and compare.

        Without those that it needs, nothing is compared.
        """
        archive = archive or self.archive
        server = replace(self._server(settings), signalled=signalled)
        given = read_restore(self.backup, archive, server)
        outcome = simulate(given, read_goal(target))
        needs = outcome.needs if apply_needs else {}
        self._count += 1
        cluster = self.new_cluster(f"r{self._count}")
        observed = restore(
            cluster, self.backup, archive, target, signalled=signalled, **settings, **needs
        )
        found = disagreements(outcome, observed) if apply_needs else []
        assert not found, "\n".join([*found, outcome.reason, str(outcome), observed.log])
        return outcome, observed

    def _server(self, settings: Mapping[str, str | int | bool]) -> Server:
        return Server(
            major=self.major,
            hot_standby=bool(settings.get("hot_standby", True)),
            parameters={name: int(settings[name]) for name in PARAMETERS if name in settings},
            locate=functools.partial(find_location, major=self.major),
        )


@pytest.fixture
def story(major: int, new_cluster: NewCluster, short_directory: Path) -> RecoveryStory:
    return RecoveryStory(major, new_cluster, short_directory)
