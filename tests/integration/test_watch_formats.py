"""One restore in every format that a server of each major writes, and under hostile prefixes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.postgres.installation import Installation
from tests.integration.restores import (
    Restored,
    Story,
    check_reading,
    paused,
    promoted,
    restore,
    watch,
)
from tests.waiting import wait_logged, wait_until

HOSTILE = (
    "(%p)*+? %m|^$ ",  # what a pattern would take for its own
    "%m[%p]",  # no space before the label
    "%s %c %e ",  # the pid only inside the session id
    "%p: %m %d %u %r %a %i %x ",  # two numbers that are no pid
    "%m %% %c %l %x %v %i ",
    "%q%u@%d ",  # nothing at all for the server's own processes
    "\t%m [%p] ",  # as a continuation line begins; only when it is told
)
BY_MAJOR = {
    13: "%-30m|%10p| ",
    14: "%b: ",
    15: "<%m> %b[%p] %P %Q ",
    16: "%m [%p] «%b» ",
    17: "%t [%p]: [%l-1] db=%d,user=%u,app=%a,client=%h ",
    18: "%m [%p] %L %q%u@%d ",
}


def segments(restored: Restored) -> list[str]:
    return [file for file in restored.noted("+") if len(file) == 24]


def check_summary(summary: dict[str, Any], story: Story, restored: Restored) -> None:
    assert (summary["outcome"], summary["reached_target"]) == ("promoted", True)
    assert summary["redo_start_lsn"] == story.start_lsn
    assert summary["stop"]["name"] == story.restore_point
    assert summary["new_timeline"] == 2
    assert summary["restored_segments"] == segments(restored)
    assert summary["missing_files"] == restored.noted("-")


@pytest.mark.pg(">= 13", npm=True)
def test_every_format_of_every_major(restore_story: Story, pg: Installation) -> None:
    story, prefix = restore_story, BY_MAJOR[pg.major]
    formats = ["stderr", "csvlog"] + ["jsonlog"] * (pg.major >= 15)
    with restore(
        story, until=paused, recovery_target_name=story.restore_point, logging_collector=True,
        log_destination=",".join(formats), log_filename="server.log", log_line_prefix=prefix,
        log_error_verbosity="verbose", log_statement="all", log_connections="on",
    ) as restored:  # fmt: skip
        restored.cluster.sql("SELECT 'of two\nlines', 'quoted \"as this\", with commas'")
        restored.cluster.sql("SELECT pg_wal_replay_resume()")
        wait_until(lambda: promoted(restored.cluster))
        restored.cluster.stop()
        directory = restored.cluster.data / "log"
        wait_logged(list(directory.iterdir()), "database system is shut down")
        read_all(directory / "server.log", story, restored, "--log-line-prefix", prefix)
        for suffix in ("log", "csv", "json")[: len(formats)]:
            read_all(directory / f"server.{suffix}", story, restored)
        columns = (directory / "server.csv").read_text().split("\n", 1)[0].count(",") + 1
        assert columns >= (24 if pg.major == 13 else 26)  # the version's text holds commas


def read_all(log: Path, story: Story, restored: Restored, *options: str) -> None:
    """Hold a log to what was noted, with every line of it accounted for."""
    lines, status = watch("--log", str(log), "--once", *options)
    assert status == 0
    assert [line for line in lines if line["event"] == "unparsed"] == []
    check_summary(lines[-1], story, restored)
    check_reading(log.read_bytes())


@pytest.mark.pg("== 16")
@pytest.mark.parametrize("prefix", HOSTILE)
def test_a_hostile_prefix(restore_story: Story, prefix: str) -> None:
    story = restore_story
    with restore(
        story, recovery_target_name=story.restore_point, recovery_target_action="promote",
        log_line_prefix=prefix, log_statement="all",
    ) as restored:  # fmt: skip
        told, status = watch(
            "--log", str(restored.log), "--once", "--log-line-prefix", prefix
        )  # fmt: skip
        assert status == 0
        assert [line for line in told if line["event"] == "unparsed"] == []
        check_summary(told[-1], story, restored)
        if not prefix.startswith("\t"):
            check_summary(restored.summary(), story, restored)


@pytest.mark.pg("== 16")
def test_a_prefix_that_cannot_be_detected_is_said_to_be(
    restore_story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    """User and database stand without a space before the pid: any line may be a client's."""
    story, prefix = restore_story, "%a%u%d%p%b"
    with restore(
        story, recovery_target_name=story.restore_point, recovery_target_action="promote",
        log_line_prefix=prefix,
    ) as restored:  # fmt: skip
        _, status = watch("--log", str(restored.log), "--once")
        assert status == 3
        assert "--log-line-prefix" in capsys.readouterr().err
        told = restored.summary("--log-line-prefix", prefix)
        check_summary(told, story, restored)
