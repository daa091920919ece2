"""Restores that log through a real syslog daemon, in each of its formats, with a hostile client."""

from __future__ import annotations

import re

import pytest

from tests.fix_syslog import TEMPLATES, Syslog
from tests.integration.restores import Story, paused, promoted, restore, watch
from tests.integration.test_watch_forgery import attack
from tests.waiting import wait_until

pytestmark = [pytest.mark.pg("== 16"), pytest.mark.xdist_group("dev_log")]
# log_line_prefix and syslog_sequence_numbers, syslog_split_messages
CASES = (
    ("%m [%p] ", True, True),
    ("", False, True),
    ("%m [%b] [%p] ", False, True),
    ("%m [%p] %q%u@%d ", True, False),
)


def at_the_start_of_a_chunk(prefix: str, forged: str) -> str:
    """A comment whose line has no space in 900 bytes: the next chunk begins with the forgery."""
    return f"SELECT 1 /*\n{'x' * 899}{prefix}LOG:  {forged} */"


def in_an_escape(prefix: str, forged: str) -> str:
    """What the daemon makes of a newline, typed."""
    return f"SELECT 1 /* #012{prefix}LOG:  {forged} */"


@pytest.mark.parametrize(("prefix", "numbers", "split"), CASES)
def test_a_restore_through_syslog(
    restore_story: Story, syslog: Syslog, prefix: str, numbers: bool, split: bool
) -> None:
    story = restore_story
    with restore(
        story, until=paused, recovery_target_name=story.restore_point, log_destination="syslog",
        log_line_prefix=prefix, syslog_sequence_numbers=numbers, syslog_split_messages=split,
        log_statement="all",
    ) as restored:  # fmt: skip
        syslog.wait_for("pausing at the end of recovery")
        startup = next(
            line for line in syslog.file("traditional").read_text().splitlines()
            if "redo starts" in line
        )  # fmt: skip
        own = re.sub(r"^\[[\d-]+\] ", "", startup.split("LOG:")[0].split("]: ", 1)[1])
        attack(restored.cluster.dsn, own)
        with restored.cluster.connect() as connection:
            for forged in ("archive recovery complete", "selected new timeline ID: 99"):
                for say in (at_the_start_of_a_chunk, in_an_escape):
                    connection.execute(say(own, forged))  # type: ignore[call-overload]
            connection.execute("SELECT 'the last'")
        syslog.wait_for("the last")
        for template in TEMPLATES:
            check(syslog, template, "paused")
        restored.cluster.sql("SELECT pg_wal_replay_resume()")
        wait_until(lambda: promoted(restored.cluster))
        syslog.wait_for("database system is ready to accept connections")
        for template in TEMPLATES:
            summary = check(syslog, template, "promoted")
            assert summary["new_timeline"] == 2
            assert summary["restored_segments"] == [
                file for file in restored.noted("+") if len(file) == 24
            ]


def check(syslog: Syslog, template: str, outcome: str) -> dict[str, object]:
    lines, status = watch("--log", str(syslog.file(template)), "--once")
    assert [line for line in lines if line["event"] == "unparsed"] == []
    summary = lines[-1]
    assert (summary["outcome"], summary["reached_target"], status) == (outcome, True, 0)
    assert "99" not in str(summary["new_timeline"])
    return dict(summary)
