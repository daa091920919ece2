"""Restores that do not move: why, from the processes, SQL and the archive, on real servers."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agent.postgres.cluster import Cluster
from agent.watch.prober import Prober
from rules.live.observation import Observation
from tests.integration.restores import (
    Story,
    copy_archive,
    segment_of_the_fourth_commit,
)
from tests.waiting import wait_until
from tests.watching import PATIENT, Job, Screen, held_until, prepared

ONE_RELEASE = pytest.mark.pg("== 16")


def start(cluster: Cluster) -> None:
    """Start the server and do not wait until it answers."""
    cluster.run("pg_ctl", "start", "-W", "-D", str(cluster.data), "-l", str(cluster.log), "-s")


def reading_of(cluster: Cluster) -> Observation:
    return Prober(cluster.data, cluster.dsn).look().reading


@ONE_RELEASE
def test_a_restore_command_that_hangs_is_named_with_its_process(restore_story: Story) -> None:
    story = restore_story
    segment = segment_of_the_fourth_commit(story)
    command = f"test %f = {segment} && sleep 600; cp {story.archive}/%f %p"
    with prepared(story, restore_command=command) as cluster:
        screen = Screen("--pgdata", str(cluster.data), columns=120)
        screen.wait_for("the server has not started yet")
        start(cluster)
        fetching = screen.wait_for(f"fetching {segment}")
        assert "stalled" not in fetching
        shown = screen.wait_for("stalled")
        assert f"restore_command has been fetching {segment}" in shown
        assert "sleep 600" in " ".join(shown.split())
        assert "ps -o pid,etime,stat,args -p" in shown
        reading = reading_of(cluster)
        assert reading.command is not None
        assert (reading.doing, reading.segment) == ("waiting for", segment)
        screen.process.terminate()


@ONE_RELEASE
def test_a_pause_by_hand_says_how_to_go_on(restore_story: Story, short_directory: Path) -> None:
    story, go_on = restore_story, short_directory / "go_on"
    with prepared(story, **held_until(go_on, story)) as cluster:
        cluster.start()
        cluster.sql("SELECT pg_wal_replay_pause()")
        go_on.touch()
        job = Job("--pgdata", str(cluster.data), *PATIENT)
        stalled = job.wait_for("stalled")
        assert stalled["kind"] == "paused"
        assert stalled["next_command"] == "SELECT pg_wal_replay_resume();"
        assert reading_of(cluster).pause_state == "paused"
        cluster.sql("SELECT pg_wal_replay_resume()")
        assert job.end() == 0
        assert job.lines[-1][1]["outcome"] == "promoted"


def make_standby(cluster: Cluster) -> None:
    (cluster.data / "recovery.signal").unlink()
    cluster.signal("standby.signal")


@ONE_RELEASE
def test_a_standby_before_a_gap_waits_for_ever_and_is_told_so(restore_story: Story) -> None:
    story = restore_story
    archive = copy_archive(story, "hole")
    segment = segment_of_the_fourth_commit(story)
    (archive / segment).unlink()
    with prepared(story, archive=archive, pause=0) as cluster:
        make_standby(cluster)
        cluster.start()
        job = Job("--pgdata", str(cluster.data), *PATIENT)
        stalled = job.wait_for("stalled")
        assert stalled["kind"] == "gap"
        assert segment in stalled["text"] and "later segment" in stalled["text"]
        assert segment in stalled["next_command"]
        job.stop()


@ONE_RELEASE
def test_a_query_that_holds_up_replay_is_found(restore_story: Story, tmp_path: Path) -> None:
    """A lock that a reader holds is what the WAL wants next."""
    story = restore_story
    with story.primary.running():
        archive = copy_archive(story, "conflict")
        with prepared(
            story, pause=0, max_standby_archive_delay="-1", max_standby_streaming_delay="-1",
            primary_conninfo=f"host={story.primary.sockets} user=postgres",
            restore_command=f"cp {archive}/%f %p",
        ) as cluster:  # fmt: skip
            make_standby(cluster)
            cluster.start()
            receiver = wait_until(lambda: reading_of(cluster).receiver)
            assert receiver.status == "streaming"
            assert receiver.sender is not None and str(story.primary.sockets) in receiver.sender
            screen = Screen("--pgdata", str(cluster.data), columns=120)
            assert "from" in screen.wait_for("streaming    streaming")
            with cluster.connect() as reader:
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM t")
                story.primary.sql("LOCK TABLE t IN ACCESS EXCLUSIVE MODE; INSERT INTO t VALUES (0)")
                shown = screen.wait_for("holds up replay")
                assert "pg_stat_activity" in shown
                reader.execute("ROLLBACK")
            screen.process.terminate()


@pytest.mark.pg(">= 15")
def test_prefetch_is_seen_where_the_server_has_it(restore_story: Story) -> None:
    with prepared(restore_story, recovery_target_name=restore_story.restore_point) as cluster:
        cluster.start()
        wait_until(lambda: reading_of(cluster).in_recovery is True)
        assert reading_of(cluster).prefetch is not None
        assert reading_of(cluster).settings["recovery_target_name"] == restore_story.restore_point


@ONE_RELEASE
def test_nothing_is_a_stall_while_replay_moves(restore_story: Story) -> None:
    with prepared(restore_story, pause=0.1) as cluster:
        job = Job("--pgdata", str(cluster.data), *PATIENT)
        time.sleep(1)
        cluster.start()
        assert job.end() == 0
        assert job.of("stalled") == []
        assert job.of("disagreement") == []
