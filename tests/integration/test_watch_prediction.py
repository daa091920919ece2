"""What pitr-watch predicts of a restore before it happens, and that the server then does it."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from pathlib import Path

import pytest

from agent.postgres.cluster import ServerFailed
from agent.watch.prober import Prober
from tests.integration.restores import (
    Story,
    copy_archive,
    paused,
    segment_of_the_fourth_commit,
    watch,
)
from tests.waiting import wait_until
from tests.watching import PATIENT, Job, Screen, held_until, prepared

ONE_RELEASE = pytest.mark.pg("== 16")


@ONE_RELEASE
def test_the_stop_is_predicted_before_the_start(restore_story: Story) -> None:
    story = restore_story
    target = (story.commits[2].time + timedelta(milliseconds=1)).isoformat()
    with prepared(story, recovery_target_time=target, recovery_target_action="promote") as cluster:
        job = Job("--pgdata", str(cluster.data), *PATIENT)
        predicted = job.wait_for("prediction")
        cluster.start()
        assert job.end() == 0
        assert (predicted["outcome"], predicted["ending"]) == ("opens", "promoted")
        assert predicted["stop"]["xid"] == story.commits[3].xid
        summary = job.lines[-1][1]
        assert summary["stop"] == predicted["stop"]
        assert summary["new_timeline"] == predicted["new_timeline"]
        assert job.of("foreseen") == []


@ONE_RELEASE
def test_a_target_that_the_archive_does_not_reach_is_told_before(restore_story: Story) -> None:
    story = restore_story
    archive = copy_archive(story, "gap")
    segment = segment_of_the_fourth_commit(story)
    (archive / segment).unlink()
    with prepared(story, archive=archive, recovery_target_xid=str(story.commits[4].xid)) as cluster:
        job = Job("--pgdata", str(cluster.data), *PATIENT)
        foreseen = job.wait_for("foreseen")
        assert foreseen["fails"] is True
        assert foreseen["source"] == "prediction"
        assert segment in foreseen["text"]
        with contextlib.suppress(ServerFailed):
            cluster.start()
        assert job.end() == 2
        summary = job.lines[-1][1]
        assert summary["fatal_message"] in foreseen["text"]
        lacking = f"the archive lacks {segment} and holds "
        assert lacking in summary["cause"] and "later segment" in summary["cause"]
        assert summary["next_command"] == f"pitr-check --archive {archive}"
        for sources in (
            ("--pgdata", str(cluster.data), "--log", str(cluster.log)),
            ("--log", str(cluster.log), "--archive", str(archive)),
        ):
            afterwards = watch(*sources, "--once")[0][-1]
            assert lacking in afterwards["cause"]
            assert afterwards["next_command"] == f"pitr-check --archive {archive}"


@ONE_RELEASE
def test_a_gap_that_the_server_will_take_for_the_end_is_told_before(restore_story: Story) -> None:
    story = restore_story
    archive = copy_archive(story, "silent")
    segment = segment_of_the_fourth_commit(story)
    (archive / segment).unlink()
    with prepared(story, archive=archive) as cluster:
        job = Job("--pgdata", str(cluster.data), *PATIENT)
        foreseen = job.wait_for("foreseen")
        assert foreseen["fails"] is False
        assert segment in foreseen["text"]
        cluster.start()
        assert job.end() == 2
        summary = job.lines[-1][1]
        assert summary["outcome"] == "promoted"
        assert "gap" in summary["cause"] and segment in summary["cause"]


@ONE_RELEASE
def test_damage_in_the_middle_is_told_before_and_after(restore_story: Story) -> None:
    story = restore_story
    archive = copy_archive(story, "damage")
    segment = segment_of_the_fourth_commit(story)
    data = bytearray((archive / segment).read_bytes())
    data[0x60] ^= 0xFF
    (archive / segment).write_bytes(data)
    with prepared(story, archive=archive) as cluster:
        job = Job("--pgdata", str(cluster.data), *PATIENT)
        foreseen = job.wait_for("foreseen")
        assert segment in foreseen["text"] or "checksum" in foreseen["text"]
        cluster.start()
        assert job.end() == 2
        summary = job.lines[-1][1]
        assert summary["outcome"] == "promoted"
        assert f"damage in {segment}" in summary["cause"]


@ONE_RELEASE
def test_who_comes_late_is_told_the_same(restore_story: Story, short_directory: Path) -> None:
    """The server has renamed backup_label already."""
    story, go_on = restore_story, short_directory / "go_on"
    name = story.restore_point
    with prepared(
        story, recovery_target_name=name, recovery_target_action="promote",
        **held_until(go_on, story),
    ) as cluster:  # fmt: skip
        cluster.start()
        cluster.sql("SELECT pg_wal_replay_pause()")
        go_on.touch()
        assert (cluster.data / "backup_label.old").exists()
        screen = Screen("--pgdata", str(cluster.data), columns=120)
        shown = screen.wait_for("the predicted stop)")
        assert f'stops at restore point "{name}"' in shown
        assert "[" in shown and "%" in shown
        cluster.sql("SELECT pg_wal_replay_resume()")
        _, end = screen.end()
        assert "verdict: PROMOTED, the target was reached" in end and "(as predicted)" in end


@ONE_RELEASE
def test_a_standby_with_a_target_is_predicted(restore_story: Story) -> None:
    story = restore_story
    with prepared(story, recovery_target_xid=str(story.commits[3].xid)) as cluster:
        (cluster.data / "recovery.signal").unlink()
        cluster.signal("standby.signal")
        job = Job("--pgdata", str(cluster.data), *PATIENT)
        predicted = job.wait_for("prediction")
        assert predicted["stop"]["xid"] == story.commits[3].xid
        cluster.start()
        wait_until(lambda: paused(cluster))
        assert job.end() == 0
        summary = job.lines[-1][1]
        assert (summary["outcome"], summary["reached_target"]) == ("paused", True)
        assert summary["stop"]["xid"] == story.commits[3].xid


@ONE_RELEASE
def test_a_start_without_a_signal_file_is_predicted(restore_story: Story) -> None:
    """It is no restore: whatever target is set, the backup's own WAL is all that it replays."""
    with prepared(restore_story, recovery_target_xid="3") as cluster:
        (cluster.data / "recovery.signal").unlink()
        job = Job("--pgdata", str(cluster.data), *PATIENT)
        predicted = job.wait_for("prediction")
        job.wait_for("foreseen")
        (foreseen,) = job.of("foreseen")
        assert "recovery.signal is not" in foreseen["text"]
        assert (predicted["outcome"], predicted["reachable"]) == ("opens", False)
        assert (predicted["ending"], predicted["new_timeline"]) == (None, None)
        cluster.start()
        assert cluster.sql("SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)") == [
            ("00000001",)
        ]
        job.end()
        assert job.of("disagreement") == []
        assert len(job.of("prediction")) == 1, "its end asks for no other"


@ONE_RELEASE
def test_what_was_predicted_of_an_archive_that_grows(restore_story: Story, tmp_path: Path) -> None:
    """A target beyond a segment that is still to come: the prediction follows the archive."""
    from agent.watch.foretell import PredictionQuestion, foretell, list_archives
    from rules.model.target import Target

    story = restore_story
    archive = copy_archive(story, "grows")
    held = segment_of_the_fourth_commit(story)
    content = (archive / held).read_bytes()
    (archive / held).unlink()
    question = PredictionQuestion(
        archives=(str(archive),),
        pgdata=story.backup,
        label=(story.backup / "backup_label").read_bytes(),
        target=Target(type="xid", value=str(story.commits[4].xid)),
    )
    before = foretell(question, list_archives(question.archives))
    assert before.outcome.outcome == "fails" and before.depends_on_the_end
    (archive / held).write_bytes(content)
    after = foretell(question, list_archives(question.archives))
    assert after.outcome.stop is not None
    assert after.outcome.stop.xid == story.commits[4].xid
    assert not after.depends_on_the_end


@pytest.mark.pg(">= 13", npm=True)
def test_every_release_is_asked_and_predicted(restore_story: Story) -> None:
    """SQL, files and processes of every major, and the stop that its own predictor says."""
    story = restore_story
    with prepared(story, pause=0, recovery_target_xid=str(story.commits[2].xid)) as cluster:
        job = Job("--pgdata", str(cluster.data), *PATIENT)
        predicted = job.wait_for("prediction")
        cluster.start()
        wait_until(lambda: paused(cluster))
        assert job.end() == 0
        reading = Prober(cluster.data, cluster.dsn).look().reading
        assert (reading.sql_error, reading.in_recovery) == (None, True)
        assert (reading.pause_state, reading.timeline) == ("paused", 1)
        assert reading.replayed_at == story.commits[2].time
        assert reading.running
        assert reading.doing in ("recovering", "waiting for")  # the latter where it reads ahead
        assert reading.control is not None
        assert reading.control.major == story.primary.installation.major
        assert (reading.prefetch is not None) == (reading.control.major >= 15)
        stop = job.lines[-1][1]["stop"]
        assert (stop["kind"], stop["xid"]) == ("commit", story.commits[2].xid)
        assert (stop["position"], stop["time"]) == (
            predicted["stop"]["position"],
            predicted["stop"]["time"],
        )
