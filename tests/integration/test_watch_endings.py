"""pitr-watch on restores that end otherwise than one hoped, and on logs that hold no restore."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.restores import (
    Restored,
    Story,
    copy_archive,
    down,
    paused,
    promoted,
    restore,
    segment_of_the_fourth_commit,
    watch,
)
from tests.waiting import wait_until
from tests.watching import findings_of

# What does not differ between the releases is tried on one; the others are tried on all.
ONE_RELEASE = pytest.mark.pg("== 16")
EVERY_RELEASE = pytest.mark.pg(">= 13", npm=True)


def beyond(story: Story) -> dict[str, str]:
    return {"recovery_target_time": (story.commits[-1].time + timedelta(hours=1)).isoformat()}


@ONE_RELEASE
def test_without_target_it_goes_to_the_end_of_the_archive(restore_story: Story) -> None:
    with restore(restore_story) as restored:
        summary = restored.summary()
        assert (summary["outcome"], summary["reached_target"]) == ("promoted", None)
        assert summary["target"] == {"type": "none", "value": None}
        assert summary["stop"]["kind"] == "end_of_wal"
        assert summary["missing_files"] == restored.noted("-")
        assert summary["new_timeline"] == 2
        assert summary["status"] == 0


@EVERY_RELEASE
def test_a_target_beyond_the_archive_fails(restore_story: Story) -> None:
    with restore(restore_story, until=down, **beyond(restore_story)) as restored:
        summary = restored.summary()
        assert (summary["outcome"], summary["reached_target"]) == ("failed", False)
        assert summary["fatal_message"] == (
            "recovery ended before configured recovery target was reached"
        )
        assert "before the target" in summary["cause"]
        assert summary["next_command"]
        assert summary["status"] == 2


def damaged(story: Story, name: str) -> tuple[Path, str]:
    """A copy of the archive and the segment of the fourth commit in it."""
    return copy_archive(story, name), segment_of_the_fourth_commit(story)


def test_a_gap_before_the_target_fails_and_names_the_segment(restore_story: Story) -> None:
    archive, segment = damaged(restore_story, "gap")
    (archive / segment).unlink()
    with restore(
        restore_story, archive=archive, until=down, recovery_target_xid="999999"
    ) as restored:
        summary = restored.summary()
        assert summary["outcome"] == "failed"
        assert summary["missing_files"] == restored.noted("-")
        assert segment in summary["cause"]


@EVERY_RELEASE
def test_a_gap_without_target_promotes_and_only_the_archive_tells(restore_story: Story) -> None:
    archive, segment = damaged(restore_story, "silent")
    (archive / segment).unlink()
    with restore(restore_story, archive=archive) as restored:
        alone = restored.summary()
        assert (alone["outcome"], alone["status"]) == ("promoted", 0)
        told = restored.summary("--archive", str(archive))
        assert (told["outcome"], told["status"]) == ("promoted", 2)
        assert segment in told["cause"] and "gap" in told["cause"]


@ONE_RELEASE
def test_a_corrupt_record_is_told_as_the_end_of_wal(restore_story: Story) -> None:
    archive, segment = damaged(restore_story, "crc")
    data = bytearray((archive / segment).read_bytes())
    data[0x60] ^= 0xFF
    (archive / segment).write_bytes(data)
    with restore(restore_story, archive=archive, until=down, **beyond(restore_story)) as restored:
        summary = restored.summary()
        assert summary["outcome"] == "failed"
        assert "at 0/" in summary["cause"]  # the server's own line about the record


@EVERY_RELEASE
def test_a_truncated_segment_fails(restore_story: Story) -> None:
    archive, segment = damaged(restore_story, "short")
    (archive / segment).write_bytes((archive / segment).read_bytes()[:300_000])
    with restore(restore_story, archive=archive, until=down) as restored:
        summary = restored.summary()
        assert summary["outcome"] == "failed"
        assert "300000" in summary["fatal_message"] and segment in summary["cause"]


@EVERY_RELEASE
def test_a_target_inside_the_backup_fails(restore_story: Story) -> None:
    story = restore_story
    with restore(story, until=down, recovery_target_lsn=story.start_lsn) as restored:
        summary = restored.summary()
        assert summary["outcome"] == "failed"
        assert summary["fatal_message"] == (
            "requested recovery stop point is before consistent recovery point"
        )
        assert "end of the backup" in summary["cause"]


@ONE_RELEASE
def test_a_time_before_the_backup_opens_with_another_state(restore_story: Story) -> None:
    story = restore_story
    early = story.commits[0].time - timedelta(hours=1)
    with restore(
        story, recovery_target_time=early.isoformat(), recovery_target_action="promote"
    ) as restored:
        summary = restored.summary()
        assert (summary["outcome"], summary["reached_target"]) == ("promoted", False)
        assert "older than the backup" in summary["cause"]
        assert summary["status"] == 2


@ONE_RELEASE
@pytest.mark.parametrize(
    ("command", "words"),
    [("no-such-program %f %p", "status above 125"), ("kill -9 $$", "signal")],
)
def test_a_restore_command_that_breaks_is_named(
    restore_story: Story, command: str, words: str
) -> None:
    with restore(restore_story, command=command, until=down) as restored:
        summary = restored.summary()
        assert (summary["outcome"], summary["status"]) == ("failed", 2)
        assert words in summary["cause"]


@ONE_RELEASE
def test_a_timeline_that_is_not_there_fails(restore_story: Story) -> None:
    with restore(restore_story, until=down, recovery_target_timeline="7") as restored:
        summary = restored.summary()
        assert summary["outcome"] == "failed"
        assert "00000007.history" in summary["cause"]


@ONE_RELEASE
def test_two_targets_are_refused(restore_story: Story) -> None:
    with restore(
        restore_story, until=down, recovery_target_xid="5", recovery_target_name="x"
    ) as restored:
        summary = restored.summary()
        assert (summary["outcome"], summary["reached_target"]) == ("failed", False)
        assert "more than one" in summary["cause"]


@ONE_RELEASE
def test_a_setting_that_does_not_parse_is_named(restore_story: Story) -> None:
    with restore(restore_story, until=down, recovery_target_time="yesterday") as restored:
        summary = restored.summary()
        assert summary["outcome"] == "failed"
        assert "recovery_target_time" in summary["cause"] + summary["next_command"]


@EVERY_RELEASE
def test_too_few_connections_pause_the_standby(restore_story: Story) -> None:
    with restore(restore_story, until=down, max_connections=10, hot_standby=True) as restored:
        summary = restored.summary()
        assert summary["outcome"] == "failed"
        assert "max_connections" in summary["cause"]


@ONE_RELEASE
def test_a_restore_without_signal_file_is_no_archive_recovery(restore_story: Story) -> None:
    with restore(restore_story, signal="", until=promoted) as restored:
        summary = restored.summary()
        assert summary["outcome"] == "none"
        (found,) = findings_of(
            "restore_without_signal", restored.cluster.data, restored.log.read_text()
        )
        assert found.cause == summary["cause"]


def test_a_standby_is_in_progress_until_it_is_promoted(restore_story: Story) -> None:
    def replayed(cluster: object) -> bool:
        text = restored_log(cluster)
        return "consistent recovery state reached" in text

    with restore(restore_story, signal="standby.signal", until=replayed) as restored:
        summary = restored.summary()
        assert (summary["outcome"], summary["status"]) == ("in_progress", 1)
        restored.cluster.run("pg_ctl", "promote", "-w", "-D", str(restored.cluster.data), "-s")
        assert restored.summary()["outcome"] == "promoted"


def restored_log(cluster: object) -> str:
    log: Path = cluster.log  # type: ignore[attr-defined]
    return log.read_text() if log.exists() else ""


def test_a_primary_and_its_crash_recovery_are_no_restore(restore_story: Story) -> None:
    with restore(restore_story) as restored:
        cluster = restored.cluster
        cluster.stop()
        cluster.log.unlink()
        cluster.start()
        cluster.sql("CREATE TABLE later (n int)")
        cluster.stop("immediate")
        cluster.start()
        summary = restored.summary()
        assert "automatic recovery in progress" in cluster.log.read_text()
        assert (summary["outcome"], summary["status"]) == ("none", 0)
        assert summary["reached_target"] is None


def test_of_several_attempts_the_last_counts(restore_story: Story) -> None:
    story = restore_story
    with restore(story, until=down, **beyond(story)) as restored:
        first = restored.summary()
        assert first["outcome"] == "failed"
        cluster = restored.cluster
        cluster.configure(
            recovery_target_time=story.commits[2].time.isoformat(), recovery_target_action="promote"
        )
        noted = len(restored.noted("+"))
        cluster.start()
        wait_until(lambda: promoted(cluster))
        summary = restored.summary()
        assert (summary["outcome"], summary["reached_target"]) == ("promoted", True)
        assert summary["fatal_message"] is None
        assert summary["restored_segments"] == [
            file for file in restored.noted("+")[noted:] if len(file) == 24
        ]


@ONE_RELEASE
def test_a_pause_that_is_resumed_is_a_promotion(restore_story: Story) -> None:
    story = restore_story
    with restore(story, until=paused, recovery_target_name=story.restore_point) as restored:
        assert restored.summary()["outcome"] == "paused"
        restored.cluster.sql("SELECT pg_wal_replay_resume()")
        wait_until(lambda: promoted(restored.cluster))
        summary = restored.summary()
        assert (summary["outcome"], summary["reached_target"]) == ("promoted", True)
        assert summary["restored_segments"] == segments(restored)


def segments(restored: Restored) -> list[str]:
    return [file for file in restored.noted("+") if len(file) == 24]


@ONE_RELEASE
def test_no_line_of_a_restore_is_unparsed(restore_story: Story) -> None:
    with restore(restore_story) as restored:
        lines, _ = watch("--log", str(restored.log), "--once")
        assert [line for line in lines if line["event"] == "unparsed"] == []
        assert lines[-1]["event"] == "summary"
