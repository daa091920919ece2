"""Disagreements between a prediction and a real restore that were found once, each by its name."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from parsers.backup_label import parse_backup_label
from parsers.lsn import format_lsn
from rules.goal import read_goal
from rules.outcome import Outcome
from rules.recovery import simulate
from rules.restore import Server
from rules.target import Target
from tests.fix_postgres import NewCluster
from tests.histories import SETTINGS, Life, begin_life, commit, fork, prepare
from tests.restoring import Observed, disagreements, read_restore, restore

pytestmark = pytest.mark.pg(">= 13", npm=True)


class Story:
    """A primary with an archive and one backup; `check` predicts and restores."""

    def __init__(self, pg: Installation, new_cluster: NewCluster, directory: Path) -> None:
        self.pg, self._new_cluster = pg, new_cluster
        cluster = new_cluster(pg, name="primary", **SETTINGS)
        self.archive = cluster.home / "archive"
        self.life = begin_life(cluster, self.archive, 1)
        self.backup = directory / "backup"
        self._count = 0

    def take_backup(self) -> None:
        self.life.take_backup(self.backup, lambda connection: None)

    def take_backup_while_others_write(self) -> None:
        """Take one whose redo location lies inside a segment."""
        done = threading.Event()

        def write() -> None:
            with self.life.connect() as connection:
                while not done.is_set():
                    connection.execute("SELECT pg_logical_emit_message(false, 'p', 'x')")

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(10):
                shutil.rmtree(self.backup, ignore_errors=True)
                self.take_backup()
                text = (self.backup / "backup_label").read_bytes()
                if parse_backup_label(text).start_lsn % (1 << 20) > 500:
                    return
        finally:
            done.set()
            writer.join()
        raise AssertionError("every backup began with its segment")

    def new_cluster(self, name: str) -> Cluster:
        return self._new_cluster(self.pg, name=name, initdb=False)

    def fork(self, parent: Life, target: Target) -> Life:
        self._count += 1
        cluster = self._new_cluster(self.pg, name=f"f{self._count}", initdb=False)
        return fork(parent, cluster, self.backup, target, 1)

    def check(self, target: Target, *, hot_standby: bool = True) -> tuple[Outcome, Observed]:
        server = Server(major=self.pg.major, hot_standby=hot_standby)
        outcome = simulate(read_restore(self.backup, self.archive, server), read_goal(target))
        self._count += 1
        cluster = self._new_cluster(self.pg, name=f"r{self._count}", initdb=False)
        observed = restore(
            cluster, self.backup, self.archive, target, hot_standby=hot_standby, **outcome.needs
        )
        found = disagreements(outcome, observed)
        assert not found, "\n".join([*found, outcome.reason, observed.log])
        return outcome, observed


@pytest.fixture
def story(pg: Installation, new_cluster: NewCluster, short_directory: Path) -> Story:
    return Story(pg, new_cluster, short_directory)


def test_a_prepared_transaction_in_the_segment_of_a_fork(story: Story) -> None:
    """To promote before the fork, the server reads PREPARE from a file that it never fetched."""
    story.take_backup()
    with story.life.connect() as connection:
        connection.execute("SELECT pg_switch_wal()")
        prepare(story.life, connection)
        commit(story.life, connection)
        commit(story.life, connection)
    story.life.finish()
    early, late = list(story.life.rows.values())[-2:]
    child = story.fork(story.life, Target(type="xid", value=str(late)))
    with child.connect() as connection:
        commit(child, connection)
    child.finish()
    before_fork = Target(type="xid", value=str(early))
    for hot_standby in (True, False):
        outcome, _ = story.check(before_fork, hot_standby=hot_standby)
        assert (
            outcome.fatal is not None and "requested WAL segment pg_wal/00000001" in outcome.fatal
        )
        story.check(replace(before_fork, action="pause"), hot_standby=hot_standby)
        outcome, _ = story.check(Target(), hot_standby=hot_standby)
        assert outcome.outcome == ("fails" if hot_standby else "opens")
    outcome, _ = story.check(replace(before_fork, timeline="1"))
    assert outcome.reachable


def test_reading_ahead_meets_a_file_that_the_target_does_not_need(story: Story) -> None:
    """Segments that a switch left empty are no distance: the truncated third one is fetched."""
    story.take_backup()
    with story.life.connect() as connection:
        commit(story.life, connection)
        for _ in range(2):
            commit(story.life, connection)
            connection.execute("SELECT pg_switch_wal()")
    story.life.finish()
    first = next(iter(story.life.rows.values()))
    segments = sorted(path for path in story.archive.iterdir() if len(path.name) == 24)
    segments[-1].write_bytes(segments[-1].read_bytes()[:8192])
    reads_ahead = story.pg.major >= 15
    outcome, _ = story.check(Target(type="xid", value=str(first)))
    assert outcome.needs == ({"recovery_prefetch": "off"} if reads_ahead else {})
    outcome, observed = story.check(Target())
    assert "has wrong size" in (outcome.fatal or "")
    if reads_ahead:
        cluster = story.new_cluster(name="prefetch")
        observed = restore(
            cluster, story.backup, story.archive, Target(type="xid", value=str(first))
        )
        assert "has wrong size" in (observed.fatal or "")


def test_damage_before_the_redo_location_is_none_for_recovery(story: Story) -> None:
    story.take_backup_while_others_write()
    with story.life.connect() as connection:
        commit(story.life, connection)
    story.life.finish()
    given = read_restore(story.backup, story.archive, Server(major=story.pg.major))
    label = given.backup.label
    path = story.archive / label.start_segment
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(data)
    last = list(story.life.rows.values())[-1]
    for target in (Target(), Target(type="xid", value=str(last)), Target(type="immediate")):
        outcome, _ = story.check(target)
        assert outcome.reachable
    outcome, _ = story.check(Target(type="lsn", value=format_lsn(label.checkpoint_lsn + 1000)))
