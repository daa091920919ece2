"""Disagreements between a prediction and a real restore that were found once, each by its name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.postgres.installation import Installation
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
        assert outcome.fatal is not None and "requested WAL segment pg_wal/00000001" in outcome.fatal
        story.check(replace(before_fork, action="pause"), hot_standby=hot_standby)
        outcome, _ = story.check(Target(), hot_standby=hot_standby)
        assert outcome.outcome == ("fails" if hot_standby else "opens")
    outcome, _ = story.check(replace(before_fork, timeline="1"))
    assert outcome.reachable
