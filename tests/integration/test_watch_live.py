"""pitr-watch beside a restore that runs: as JSON for a job, on a screen for a person."""

from __future__ import annotations

import contextlib
import signal
import statistics
import time
from datetime import datetime
from pathlib import Path

import pytest

from agent.postgres.cluster import ServerFailed
from tests.integration.restores import Story, promoted
from tests.waiting import wait_until
from tests.watching import PATIENT, Job, Screen, held_until, prepared

pytestmark = pytest.mark.pg("== 16")


def test_a_job_follows_a_restore_that_is_not_started_yet(restore_story: Story) -> None:
    story = restore_story
    settings = {"recovery_target_name": story.restore_point, "recovery_target_action": "promote"}
    with prepared(story, **settings) as cluster:
        job = Job("--pgdata", str(cluster.data), *PATIENT)
        time.sleep(2)
        cluster.start()
        assert job.end() == 0
        summary = job.lines[-1][1]
        assert (summary["event"], summary["outcome"]) == ("summary", "promoted")
        assert summary["reached_target"] is True
        assert summary["stop"]["name"] == story.restore_point
        assert "unparsed" not in job.names()


@pytest.mark.parametrize("sources", ["pgdata", "log and dsn"])
def test_a_watcher_leaves_no_line_in_the_log_that_it_watches(
    restore_story: Story, sources: str
) -> None:
    """To ask a server that accepts no connections yet is a FATAL line in its log."""
    story = restore_story
    settings = {"recovery_target_name": story.restore_point, "recovery_target_action": "promote"}
    with prepared(story, pause=1, **settings) as cluster:
        given = ("--pgdata", str(cluster.data))
        if sources != "pgdata":
            given = ("--log", str(cluster.log), "--dsn", cluster.dsn)
        job = Job(*given, *PATIENT)
        cluster.start()
        assert job.end() == 0
        assert [line for line in cluster.log_lines() if "FATAL" in line] == []


def test_a_shutdown_at_the_target_is_an_end_that_was_asked_for(restore_story: Story) -> None:
    story = restore_story
    settings = {"recovery_target_name": story.restore_point, "recovery_target_action": "shutdown"}
    with prepared(story, **settings) as cluster:
        named = ("--log", str(cluster.log), "--pgdata", str(cluster.data))
        job = Job(*named, *PATIENT)
        with contextlib.suppress(ServerFailed):
            cluster.start()
        assert job.end() == 0
        assert "shutdown_at_target" in job.names()
        summary = job.lines[-1][1]
        assert (summary["outcome"], summary["reached_target"]) == ("shut_down", True)
        assert summary["stop"]["name"] == story.restore_point
        screen = Screen(*named)
        try:
            shown = screen.wait_for("SHUT DOWN")
        finally:
            screen.process.terminate()
            screen.end()
    assert "the server shuts down at its target" in shown
    assert "SHUT DOWN, the target was reached" in shown


def test_events_are_told_while_the_restore_goes_on(
    restore_story: Story, short_directory: Path
) -> None:
    story, go_on = restore_story, short_directory / "go_on"
    with prepared(story, **held_until(go_on, story)) as cluster:
        cluster.log.touch()
        cluster.account.own(cluster.log)
        job = Job("--log", str(cluster.log), *PATIENT)
        cluster.start()
        job.wait_for("file_restored")
        go_on.touch()
        assert job.end() == 0
        late = [
            (told - datetime.fromisoformat(line["at"])).total_seconds()
            for told, line in job.lines
            if line.get("at")
        ]
        # docs/performance.md has the measured figures.
        median, most = statistics.median(late), max(late)
        print(f"latency of {len(late)} events: median {median:.3f} s, at the most {most:.3f} s")
        assert len(late) > 15


def test_a_job_ends_with_the_failure(restore_story: Story) -> None:
    with prepared(restore_story, recovery_target_xid="999999") as cluster:
        job = Job("--log", str(cluster.log), "--pgdata", str(cluster.data), *PATIENT)
        time.sleep(2)
        with contextlib.suppress(ServerFailed):
            cluster.start()
        assert job.end() == 2
        summary = job.lines[-1][1]
        assert (summary["outcome"], summary["reached_target"]) == ("failed", False)


def test_time_is_up_and_no_log_came(restore_story: Story, tmp_path: Path) -> None:
    job = Job("--log", str(tmp_path / "not-there-yet.log"), "--timeout", "1s")
    assert job.end() == 3
    assert job.lines[-1][1]["outcome"] is None


def test_a_job_ends_at_a_pause_and_at_an_open_server(restore_story: Story) -> None:
    story = restore_story
    with prepared(story, recovery_target_name=story.restore_point) as cluster:
        cluster.start()
        job = Job("--pgdata", str(cluster.data), *PATIENT)
        assert job.end() == 0
        assert job.lines[-1][1]["outcome"] == "paused"
        cluster.sql("SELECT pg_wal_replay_resume()")
        wait_until(lambda: promoted(cluster))
        cluster.stop()
        cluster.log.unlink()
        cluster.start()
        job = Job("--pgdata", str(cluster.data), *PATIENT)
        assert job.end() == 0
        assert job.lines[-1][1]["outcome"] == "none"


def test_a_person_sees_the_pause_what_to_type_and_the_end(restore_story: Story) -> None:
    story = restore_story
    with prepared(story, recovery_target_name=story.restore_point) as cluster:
        screen = Screen("--pgdata", str(cluster.data))
        screen.wait_for("the server has not started yet")
        cluster.start()
        paused = screen.wait_for("SELECT pg_wal_replay_resume();")
        assert "paused at the target" in paused
        assert "waiting for 0" not in paused  # the process's title is of the past
        assert f'restore point "{story.restore_point}"' in paused
        cluster.sql("SELECT pg_wal_replay_resume()")
        wait_until(lambda: promoted(cluster))
        status, end = screen.end()
        assert status == 0 and "verdict: PROMOTED, the target was reached" in end
        for check in ("pg_is_in_recovery(): false", "recovery.signal: gone", "timeline 2"):
            assert check in end


def test_control_c_ends_with_the_verdict_so_far(restore_story: Story) -> None:
    story = restore_story
    with prepared(story, recovery_target_name=story.restore_point) as cluster:
        cluster.start()
        screen = Screen("--pgdata", str(cluster.data), columns=60)
        screen.wait_for("SELECT pg_wal_replay_resume();")
        screen.process.send_signal(signal.SIGINT)
        status, end = screen.end()
        assert status == 0 and "verdict: PAUSED" in end
        assert all(len(line) <= 60 for line in end.split("\n"))
