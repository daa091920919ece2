"""Predictions held against restores that really ran.

A history is made at random from a seed, targets of every type are picked from it, each is
predicted, and then PostgreSQL restores to it: its log, and the rows, must say the same. More than
the usual number, on other majors and other seeds:

    make truth MAJOR=13,17 SEEDS=1,2,3 RESTORES=40
"""

from __future__ import annotations

import os
import random
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from rules.goal import read_goal
from rules.recovery import simulate
from rules.restore import Restore, Server
from rules.target import Target
from tests.damaging import FAULTS, set_times
from tests.fix_postgres import NewCluster
from tests.histories import SETTINGS, Life, begin_life, fork
from tests.landmarks import Landmarks, choose_targets, expected_rows, read_landmarks
from tests.restoring import disagreements, read_restore, restore

MAJORS = [int(major) for major in os.environ.get("TRUTH_MAJORS", "16,18").split(",")]
SEEDS = [int(seed) for seed in os.environ.get("TRUTH_SEEDS", "1").split(",")]
RESTORES = int(os.environ.get("TRUTH_RESTORES", "12"))  # of each test

pytestmark = [
    pytest.mark.parametrize("major", MAJORS),
    pytest.mark.parametrize("seed", SEEDS),
    pytest.mark.slow,
    pytest.mark.timeout(1800),
]


class Truth:
    """Predicts and restores, and collects where the two differ."""

    def __init__(self, new_cluster: NewCluster, major: int, backup: Path) -> None:
        self._new_cluster, self._major, self._backup = new_cluster, major, backup
        self.wrong: list[str] = []
        self.restores = 0

    def compare(
        self,
        given: Restore,
        target: Target,
        archive: Path,
        landmarks: Landmarks,
        fault: str = "",
    ) -> None:
        outcome = simulate(given, read_goal(target))
        settings = {"hot_standby": given.server.hot_standby}
        cluster = self._new_cluster(self._major, name=f"r{self.restores}", initdb=False)
        observed = restore(cluster, self._backup, archive, target, **settings, **outcome.needs)
        self.restores += 1
        found = disagreements(outcome, observed)
        if observed.rows is not None:
            rows = expected_rows(given, outcome, landmarks)
            if rows != observed.rows:
                found.append(f"rows: predicted {rows}, were {observed.rows}")
        if found:
            said = "\n  ".join([*found, outcome.reason, str(outcome), observed.log])
            self.wrong.append(f"{target} {fault}\n  {said}")


def server(major: int, hot_standby: bool = True) -> Server:
    return Server(major=major, hot_standby=hot_standby)


@pytest.fixture
def life(new_cluster: NewCluster, major: int, seed: int) -> Life:
    cluster = new_cluster(major, name="primary", **SETTINGS)
    return begin_life(cluster, cluster.home / "archive", seed)


def test_one_timeline(
    life: Life, new_cluster: NewCluster, major: int, seed: int, short_directory: Path
) -> None:
    backup = short_directory / "backup"
    with life.connect() as connection:
        life.live(connection, 5)
    life.take_backup(backup, lambda connection: life.live(connection, 4))
    with life.connect() as connection:
        life.live(connection, 40)
    life.finish()
    landmarks = read_landmarks(life.archive, [life])
    set_times(life.archive, landmarks, life.rng)
    given = read_restore(backup, life.archive, server(major))
    landmarks = read_landmarks(life.archive, [life])
    truth = Truth(new_cluster, major, backup)
    for target in choose_targets(life.rng, given, landmarks, RESTORES):
        hot_standby = life.rng.random() < 0.7
        asked = replace(given, server=server(major, hot_standby))
        truth.compare(asked, target, life.archive, landmarks)
    assert not truth.wrong, "\n\n".join(truth.wrong)


def test_several_timelines(
    life: Life, new_cluster: NewCluster, major: int, seed: int, short_directory: Path
) -> None:
    backup, lives = branch(life, new_cluster, major, short_directory)
    landmarks = read_landmarks(life.archive, lives)
    given = read_restore(backup, life.archive, server(major))
    truth = Truth(new_cluster, major, backup)
    timelines = ("latest", "latest", "current", "1", "2", "3", "4")
    for target in choose_targets(life.rng, given, landmarks, RESTORES, timelines):
        truth.compare(given, target, life.archive, landmarks)
    assert not truth.wrong, "\n\n".join(truth.wrong)


def test_faults(
    life: Life, new_cluster: NewCluster, major: int, seed: int, short_directory: Path
) -> None:
    backup, lives = branch(life, new_cluster, major, short_directory)
    landmarks = read_landmarks(life.archive, lives)
    given = read_restore(backup, life.archive, server(major))
    truth = Truth(new_cluster, major, backup)
    targets = choose_targets(life.rng, given, landmarks, RESTORES, ("latest", "1", "2"))
    for number, target in enumerate(targets):
        broken = short_directory / f"broken{number}"
        fault = break_archive(life.archive, broken, backup, landmarks, life.rng)
        truth.compare(read_restore(backup, broken, server(major)), target, broken, landmarks, fault)
    assert not truth.wrong, "\n\n".join(truth.wrong)


def branch(
    life: Life, new_cluster: NewCluster, major: int, directory: Path
) -> tuple[Path, list[Life]]:
    """A backup on timeline 1, and two more behind it, the last from the first or the second."""
    backup = directory / "backup"
    life.take_backup(backup, lambda connection: life.live(connection, 2))
    with life.connect() as connection:
        life.live(connection, 25)
    life.finish()
    lives = [life]
    for timeline in (2, 3):
        parent = life.rng.choice(lives)
        target = fork_target(life, lives.index(parent) + 1, lives, backup, major)
        if target is None:  # a prepared transaction of before the fork is open on all of it
            parent, target = life, fork_target(life, 1, lives, backup, major)
        assert target is not None
        cluster = new_cluster(major, name=f"t{timeline}", initdb=False)
        child = fork(parent, cluster, backup, target, life.rng.randrange(1 << 30))
        with child.connect() as connection:
            child.live(connection, 12)
        child.finish()
        lives.append(child)
    return backup, lives


def fork_target(
    life: Life, timeline: int, lives: list[Life], backup: Path, major: int
) -> Target | None:
    """Some commit of the timeline's own, behind the backup; None where recovery reaches none."""
    landmarks = read_landmarks(life.archive, lives)
    given = read_restore(backup, life.archive, server(major))
    stop = given.backup.stop_lsn or 0
    some = [each for each in landmarks.transactions[timeline] if each.lsn > stop]
    while some:
        pick = life.rng.choice(some)
        inclusive = life.rng.random() < 0.5
        target = Target(
            type="xid", value=str(pick.xid), timeline=str(timeline), inclusive=inclusive
        )
        if simulate(given, read_goal(target)).reachable:
            return target
        some.remove(pick)
    return None


def break_archive(
    archive: Path, broken: Path, backup: Path, landmarks: Landmarks, rng: random.Random
) -> str:
    """Copy an archive and put one fault in it, in a segment that recovery may want."""
    subprocess.run(["cp", "-al", str(archive), str(broken)], check=True)
    redo = read_restore(backup, archive, server(16)).backup.label.start_segment[8:]
    wanted = [name for name in landmarks.segments if name[8:] >= redo]
    histories = [path.name for path in archive.glob("*.history")]
    if rng.random() < 0.15:
        name = rng.choice(histories)
        (broken / name).unlink()
        return f"{name} removed"
    name, fault = rng.choice(wanted), rng.choice(FAULTS)
    fault(broken / name, rng)
    return f"{name}: {fault.__name__}"
