"""Sources of one restore that contradict each other, or of which one is not there: real servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.postgres.cluster import Cluster
from tests.fix_tools import PATIENCE_SECONDS
from tests.integration.restores import Story, paused, promoted, watch
from tests.integration.test_watch_stalls import start
from tests.waiting import wait_until
from tests.watching import PATIENT, Job, Screen, findings_of, held_until, prepared

pytestmark = pytest.mark.pg("== 16")


def disagreement(job: Job, words: str) -> str:
    """Wait for the disagreement with these words."""
    wait_until(lambda: any(words in each["text"] for each in job.of("disagreement")))
    return next(each["text"] for each in job.of("disagreement") if words in each["text"])


def paused_at_the_restore_point(story: Story, cluster: Cluster) -> None:
    cluster.start()
    wait_until(lambda: paused(cluster))


def test_a_target_edited_under_a_running_server(restore_story: Story) -> None:
    story = restore_story
    with prepared(story, pause=0, recovery_target_name=story.restore_point) as cluster:
        paused_at_the_restore_point(story, cluster)
        cluster.configure(recovery_target_name="", recovery_target_xid="12345")
        screen = Screen("--pgdata", str(cluster.data), columns=120)
        shown = " ".join(screen.wait_for("recovery_target_xid is '12345'").split())
        assert "it needs a restart to count" in shown
        assert f"'{story.restore_point}' in the running server" in shown
        screen.process.terminate()
        assert screen.process.wait(PATIENCE_SECONDS) == 0


def test_a_signal_file_that_somebody_removed(restore_story: Story, short_directory: Path) -> None:
    never = held_until(short_directory / "never", restore_story)
    with prepared(restore_story, **never) as cluster:
        job = Job("--pgdata", str(cluster.data), *PATIENT)
        start(cluster)
        job.wait_for("redo_started")
        (cluster.data / "recovery.signal").unlink()
        assert "a restart would open what there is" in disagreement(job, "recovery.signal is gone")
        log = cluster.log.read_text()
        (found,) = findings_of("restore_sources_disagree", cluster.data, log, cluster.dsn)
        assert "recovery.signal is gone" in found.summary
        job.stop()


def test_a_log_that_was_cut_is_no_proof_that_nothing_goes_on(restore_story: Story) -> None:
    story = restore_story
    with prepared(story, pause=0, recovery_target_name=story.restore_point) as cluster:
        paused_at_the_restore_point(story, cluster)
        with cluster.log.open("r+b") as log:
            log.truncate(0)
        cluster.sql("SELECT pg_reload_conf()")
        wait_until(lambda: "SIGHUP" in cluster.log.read_text())
        lines, status = watch("--pgdata", str(cluster.data), "--once")
        assert (lines[-1]["outcome"], status) == ("in_progress", 1)
        assert "SQL does" in lines[-1]["cause"]
        (found,) = findings_of("restore_unproven", cluster.data, dsn=cluster.dsn)
        assert found.cause == lines[-1]["cause"]


def test_another_server_s_log(restore_story: Story, tmp_path: Path) -> None:
    story = restore_story
    with prepared(story, pause=0, recovery_target_name=story.restore_point) as cluster:
        paused_at_the_restore_point(story, cluster)
        other = tmp_path / "other.log"
        lines = cluster.log.read_text().splitlines(keepends=True)
        other.write_text("".join(line for line in lines if "pausing" not in line))
        cluster.sql("SELECT pg_wal_replay_resume()")
        wait_until(lambda: promoted(cluster))
        job = Job("--pgdata", str(cluster.data), "--log", str(other), *PATIENT)
        assert "SQL that recovery is over" in disagreement(job, "is over")
        job.stop()


def test_without_a_log_sql_and_the_files_tell(restore_story: Story) -> None:
    """The log goes where nobody can find it; a person still sees what is going on."""
    story = restore_story
    with prepared(story, pause=0, recovery_target_name=story.restore_point) as cluster:
        cluster.run(
            "pg_ctl", "start", "-w", "-s", "-D", str(cluster.data), "-l", "/dev/null"
        )  # fmt: skip
        wait_until(lambda: paused(cluster))
        screen = Screen("--pgdata", str(cluster.data), columns=120)
        shown = screen.wait_for("by SQL; the log does not tell")
        assert "recovering and paused" in shown
        assert f"name {story.restore_point}" in shown
        assert "at 0/" in shown
        screen.process.terminate()
        assert screen.process.wait(PATIENCE_SECONDS) == 3
