"""The traps of recovery and the disagreements that were found once, each by its name.

Every one is restored by a real server. On other majors: make truth MAJOR=13,14,17
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agent.postgres.cluster import Cluster
from parsers.lsn import format_lsn, parse_lsn
from rules.goal import read_goal
from rules.outcome import Outcome
from rules.recovery import simulate
from rules.restore import PARAMETERS, Server
from rules.target import Target
from tests.fix_postgres import NewCluster
from tests.histories import (
    SETTINGS,
    Connection,
    Life,
    begin_life,
    commit,
    copy_cluster,
    fork,
    prepare,
)
from tests.restoring import Observed, disagreements, read_restore, restore

MAJORS = [int(major) for major in os.environ.get("TRUTH_MAJORS", "16,18").split(",")]
pytestmark = pytest.mark.parametrize("major", MAJORS)


class Story:
    """A primary with an archive and one backup; `check` predicts and restores."""

    def __init__(self, major: int, new_cluster: NewCluster, directory: Path) -> None:
        self.major, self._new_cluster = major, new_cluster
        cluster = new_cluster(major, name="primary", **SETTINGS)
        self.archive = cluster.home / "archive"
        self.life = begin_life(cluster, self.archive, 1)
        self.backup = directory / "backup"
        self._count = 0

    def take_backup(self) -> None:
        self.life.take_backup(self.backup, lambda connection: None)

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
        self, target: Target, *, archive: Path | None = None, **settings: str | int | bool
    ) -> tuple[Outcome, Observed]:
        """Predict, restore with these settings, and compare."""
        archive = archive or self.archive
        parameters = {name: int(settings[name]) for name in PARAMETERS if name in settings}
        server = Server(
            major=self.major,
            hot_standby=bool(settings.get("hot_standby", True)),
            parameters=parameters,
        )
        outcome = simulate(read_restore(self.backup, archive, server), read_goal(target))
        self._count += 1
        observed = restore(
            self.new_cluster(f"r{self._count}"), self.backup, archive, target,
            **settings, **outcome.needs,
        )  # fmt: skip
        found = disagreements(outcome, observed)
        assert not found, "\n".join([*found, outcome.reason, str(outcome), observed.log])
        return outcome, observed


@pytest.fixture
def story(major: int, new_cluster: NewCluster, short_directory: Path) -> Story:
    return Story(major, new_cluster, short_directory)


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
    reads_ahead = story.major >= 15
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
    story.take_backup_while_others_write(1, lambda start_lsn: start_lsn % (1 << 20) > 500)
    with story.life.connect() as connection:
        commit(story.life, connection)
    story.life.finish()
    given = read_restore(story.backup, story.archive, Server(major=story.major))
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


# -- consistency ----------------------------------------------------------------------------------


def test_a_backup_from_a_standby_is_consistent_at_its_minimum_recovery_point(story: Story) -> None:
    story.take_backup()
    with story.life.connect() as connection:
        for _ in range(3):
            commit(story.life, connection)
    story.archive_now()
    standby = story.standby()
    wait_for_replay(standby, story.life)
    with standby.connect() as session:
        standby.start_backup(session)
        with story.life.connect() as connection:
            for _ in range(3):
                commit(story.life, connection)
            connection.execute("SELECT pg_create_restore_point('too early')")
            connection.execute("CHECKPOINT")
        story.archive_now()
        wait_for_replay(standby, story.life)
        standby.cluster.sql("CHECKPOINT")  # writes its pages: the minimum recovery point moves
        shutil.rmtree(story.backup)
        copy_cluster(standby.cluster.data, story.backup)
        standby.stop_backup(session, story.backup)
    (story.backup / "standby.signal").unlink()
    standby.cluster.stop()
    with story.life.connect() as connection:
        for _ in range(3):
            commit(story.life, connection)
    story.life.finish()
    xids = list(story.life.rows.values())
    targets = [Target(), Target(type="immediate"), Target(type="name", value="too early")]
    targets += [Target(type="xid", value=str(xid)) for xid in (xids[4], xids[-3], xids[-1])]
    outcomes = [story.check(target)[0] for target in targets]
    assert [outcome.outcome for outcome in outcomes] == ["opens", "opens", *["fails"] * 2,
                                                         "opens", "opens"]  # fmt: skip


def wait_for_replay(standby: Life, primary: Life) -> None:
    """Wait until a standby has replayed what is archived, and cannot go on."""
    lsn = primary.cluster.sql("SELECT pg_current_wal_lsn()")[0][0]
    deadline = time.monotonic() + 30
    while not standby.cluster.sql(
        "SELECT coalesce(pg_last_wal_replay_lsn() >= %s::pg_lsn, false)", lsn
    )[0][0]:
        assert time.monotonic() < deadline, "the standby does not follow"
        time.sleep(0.05)


def test_a_promoted_standby_begins_its_timeline_without_a_checkpoint(story: Story) -> None:
    story.take_backup()
    with story.life.connect() as connection:
        commit(story.life, connection)
    story.archive_now()
    standby = story.standby()
    standby.cluster.configure(
        archive_mode="on",
        archive_command=f"test ! -f {story.archive}/%f && cp %p {story.archive}/%f",
    )
    standby.cluster.stop()
    standby.cluster.start()
    standby.cluster.sql("SELECT pg_promote()")
    child = replace(standby, rows={}, next_value=500)
    with child.connect() as connection:
        commit(child, connection)
        commit(child, connection)
    child.finish()
    story.life.cluster.stop("immediate")
    first, _ = child.rows.values()
    outcome, _ = story.check(Target(type="xid", value=str(first)))
    assert (outcome.timeline, outcome.new_timeline) == (2, 3)
    story.check(Target())


def test_wal_that_only_the_backup_carries(story: Story) -> None:
    """pg_basebackup brings the WAL of its own duration; the archive may have lost it."""
    story.take_backup()
    with story.life.connect() as connection:
        commit(story.life, connection)
        commit(story.life, connection)
    story.life.finish()
    needed = story.segments()[-2]
    for path in story.segments()[-2:]:
        shutil.move(path, story.backup / "pg_wal" / path.name)
        story.life.cluster.account.own(story.backup / "pg_wal" / path.name)
    outcome, _ = story.check(Target())
    assert needed.name in outcome.segments_needed
    story.check(Target(type="immediate"))


def test_the_checkpoint_is_there_and_its_redo_location_is_not(story: Story) -> None:
    """Much is written while the backup's checkpoint runs: the two lie in different segments."""
    story.take_backup_while_others_write(
        2_000_000, lambda start_lsn: start_lsn >> 20 != story.checkpoint_lsn() >> 20
    )
    story.archive_now()
    story.life.finish()
    given = read_restore(story.backup, story.archive, Server(major=story.major))
    (story.archive / given.backup.label.start_segment).unlink()
    outcome, _ = story.check(Target())
    assert (outcome.fatal or "").startswith("could not find redo location")


# -- settings -------------------------------------------------------------------------------------


def test_settings_lower_than_those_of_the_backup(story: Story) -> None:
    story.take_backup()
    story.life.finish()
    outcome, _ = story.check(Target(), max_connections=50)
    assert outcome.outcome == "fails" and "max_connections" in outcome.reason
    outcome, _ = story.check(Target(), max_connections=50, hot_standby=False)
    assert outcome.outcome == "opens"
    outcome, _ = story.check(Target(type="immediate", action="pause"), hot_standby=False)
    assert outcome.ending == "shut_down"


def test_settings_that_were_raised_behind_the_backup(story: Story) -> None:
    """The server pauses there, and dies when it is told to go on; before it, all is well."""
    story.take_backup()
    with story.life.connect() as connection:
        commit(story.life, connection)
    story.life.cluster.configure(max_connections=130)
    story.life.cluster.stop()
    story.life.cluster.start()
    with story.life.connect() as connection:
        commit(story.life, connection)
    story.life.finish()
    first, last = story.life.rows.values()
    story.check(Target(type="xid", value=str(first)), max_connections=100)
    story.check(Target(type="xid", value=str(last)), max_connections=100, hot_standby=False)
    server = Server(major=story.major, parameters={"max_connections": 100})
    given = read_restore(story.backup, story.archive, server)
    outcome = simulate(given, read_goal(Target(type="xid", value=str(last))))
    assert outcome.outcome == "fails" and "max_connections = 100" in outcome.reason
    if story.major == 13:
        story.check(Target(type="xid", value=str(last)), max_connections=100)


def test_more_prepared_transactions_than_the_server_has_room_for(story: Story) -> None:
    story.take_backup()
    with story.life.connect() as connection:
        for _ in range(3):
            prepare(story.life, connection)
    story.life.finish()
    outcome, _ = story.check(Target(), max_prepared_transactions=2, hot_standby=False)
    assert outcome.fatal == "maximum number of prepared transactions reached"
    outcome, _ = story.check(Target(), max_prepared_transactions=3, hot_standby=False)
    assert outcome.outcome == "opens"


def test_a_pause_that_promotes(story: Story) -> None:
    """With more than 64 subtransactions open when the backup began, nobody can be let in."""
    with story.life.connect() as other:
        other.execute("BEGIN")
        story.life.insert(other)
        for number in range(70):
            other.execute(f"SAVEPOINT s{number}")
            other.execute("INSERT INTO seen VALUES (0)")
        story.take_backup()
        with story.life.connect() as connection:
            commit(story.life, connection)
            connection.execute("CHECKPOINT")  # another snapshot, no better
            commit(story.life, connection)
        other.execute("ROLLBACK")
    with story.life.connect() as connection:
        commit(story.life, connection)
        connection.execute("CHECKPOINT")
        commit(story.life, connection)
    story.life.finish()
    _, first, second, third, last = story.life.rows.values()
    for xid, ending in ((first, "promoted"), (second, "promoted"), (third, "promoted"),
                        (last, "paused")):  # fmt: skip
        outcome, _ = story.check(Target(type="xid", value=str(xid), action="pause"))
        assert outcome.ending == ending
    outcome, _ = story.check(Target(type="immediate", action="pause"))
    assert outcome.ending == "promoted"


# -- stop points ----------------------------------------------------------------------------------


def test_an_lsn_target_on_a_commit_leaves_it_out_of_the_last_transaction(story: Story) -> None:
    story.take_backup()
    with story.life.connect() as connection:
        commit(story.life, connection)
        commit(story.life, connection)
    story.life.finish()
    first, last = story.life.rows.values()
    by_xid, _ = story.check(Target(type="xid", value=str(last)))
    assert by_xid.stop and by_xid.stop.lsn
    value = format_lsn(by_xid.stop.lsn)
    by_lsn, observed = story.check(Target(type="lsn", value=value))
    assert by_lsn.last_transaction and by_lsn.last_transaction.xid == first
    assert observed.rows == [1, 2]
    assert by_lsn.stop and by_lsn.stop.record == f"commit of transaction {last}"


def test_a_commit_that_runs_over_a_segment_boundary(story: Story) -> None:
    story.take_backup()
    with story.life.connect() as connection:
        xid = commit_over_a_boundary(story.life, connection)
        commit(story.life, connection)
    story.life.finish()
    for inclusive in (True, False):
        outcome, _ = story.check(Target(type="xid", value=str(xid), inclusive=inclusive))
        stop = outcome.stop
        assert stop and stop.lsn and stop.end_lsn
        assert stop.lsn >> 20 < stop.end_lsn >> 20, "it does not cross"
        assert stop.segment == outcome.segments_needed[-2]
        story.check(Target(type="lsn", value=format_lsn(stop.lsn - 8), inclusive=inclusive))
    broken = story.backup.parent / "broken"
    subprocess.run(["cp", "-a", str(story.archive), str(broken)], check=True)
    (broken / outcome.segments_needed[-1]).unlink()
    outcome, _ = story.check(Target(), archive=broken)
    assert outcome.last_transaction is None or outcome.last_transaction.xid != xid


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


# -- timelines ------------------------------------------------------------------------------------


def forked(story: Story) -> Life:
    """Timeline 2, left from timeline 1 inside a segment; both went on."""
    story.take_backup()
    with story.life.connect() as connection:
        for _ in range(4):
            commit(story.life, connection)
        connection.execute("SELECT pg_switch_wal()")
        commit(story.life, connection)
    story.life.finish()
    second = list(story.life.rows.values())[1]
    child = story.fork(story.life, Target(type="xid", value=str(second)))
    with child.connect() as connection:
        for _ in range(3):
            commit(child, connection)
        connection.execute("SELECT pg_switch_wal()")
        commit(child, connection)
    child.finish()
    return child


def test_the_old_branch_is_replayed_where_a_timeline_lacks_its_first_segment(story: Story) -> None:
    forked(story)
    first = min(path for path in story.segments() if path.name.startswith("00000002"))
    first.unlink()
    outcome, observed = story.check(Target())
    assert outcome.obstacle and outcome.obstacle.kind == "bad_prev_link"
    assert outcome.reachable is False
    assert observed.rows == [1, 2, 3, 4], "the old branch, past the fork"


def test_a_history_behind_a_hole_is_not_seen(story: Story) -> None:
    child = forked(story)
    third = story.fork(child, Target(timeline="2"))
    with third.connect() as connection:
        commit(third, connection)
    third.finish()
    (story.archive / "00000002.history").unlink()
    outcome, _ = story.check(Target())
    assert (outcome.timeline, outcome.new_timeline, outcome.reachable) == (1, 2, False)
    outcome, _ = story.check(Target(timeline="2"))
    assert outcome.fatal == "recovery target timeline 2 does not exist"
    outcome, _ = story.check(Target(timeline="3"))
    assert (outcome.timeline, outcome.new_timeline, outcome.reachable) == (3, 4, True)


def test_a_timeline_that_left_before_the_backup(story: Story) -> None:
    forked(story)
    with story.life.cluster.running():
        with story.life.connect() as connection:
            commit(story.life, connection)
        shutil.rmtree(story.backup)
        story.take_backup()
        with story.life.connect() as connection:
            commit(story.life, connection)
            story.life.archive_now(connection)
    outcome, _ = story.check(Target())
    assert outcome.fatal == "requested timeline 2 is not a child of this server's history"
    outcome, _ = story.check(Target(timeline="1"))
    assert outcome.reachable
    outcome, _ = story.check(Target(timeline="current"))
    assert outcome.new_timeline == 3


def test_a_timeline_that_began_in_the_middle_of_a_record(story: Story) -> None:
    """WAL ended inside a record: the new timeline overwrites what is missing of it."""
    story.take_backup()
    with story.life.connect() as connection:
        commit(story.life, connection)
        commit_over_a_boundary(story.life, connection)
    story.life.finish()
    story.segments()[-1].unlink()
    outcome, _ = story.check(Target())
    assert outcome.reachable, "nobody can know of what is missing"
    child = story.fork(story.life, Target())
    with child.connect() as connection:
        commit(child, connection)
        commit(child, connection)
    child.finish()
    first, _ = child.rows.values()
    outcome, observed = story.check(Target())
    assert outcome.timeline == 2 and outcome.commits == 3
    outcome, _ = story.check(Target(type="xid", value=str(first)))
    assert outcome.reachable
    assert observed.rows is not None and len(observed.rows) == 3, "the lost commit is not there"
