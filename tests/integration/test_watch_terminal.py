"""pitr-watch in the terminals, pipes and logs that there are, on one real restore each."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.integration.restores import Story, paused, promoted, wait_until
from tests.watching import PROGRAM, Job, Screen, prepared

pytestmark = pytest.mark.pg("== 16")
_ESCAPE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
_COLOUR = re.compile(rb"\x1b\[[0-9;]*m")


@pytest.mark.parametrize(("columns", "rows"), [(40, 30), (80, 24), (120, 24)])
def test_every_size_shows_the_phase_and_what_to_type(
    restore_story: Story, columns: int, rows: int
) -> None:
    story = restore_story
    with prepared(story, pause=0, recovery_target_name=story.restore_point) as cluster:
        cluster.start()
        wait_until(lambda: paused(cluster))
        screen = Screen("--pgdata", str(cluster.data), columns=columns, rows=rows)
        shown = screen.wait_for("next  ")
        lines = shown.split("\n")
        assert lines[0].startswith("pitr-watch")
        assert any(line.startswith("phase        paused") for line in lines)
        assert "SELECT pg_wal_replay_resume();" in " ".join(shown.split())
        screen.process.send_signal(signal.SIGINT)
        screen.wait_for("verdict: PAUSED")
        assert screen.process.wait(10) == 0


def test_a_screen_that_is_left_has_its_cursor_and_its_last_lines(restore_story: Story) -> None:
    story = restore_story
    with prepared(story, pause=0, recovery_target_name=story.restore_point) as cluster:
        cluster.start()
        wait_until(lambda: paused(cluster))
        screen = Screen("--pgdata", str(cluster.data), rows=40)
        screen.wait_for("next  ")
        screen.process.send_signal(signal.SIGINT)
        text = screen.wait_for("verdict: PAUSED")
        screen.process.wait(10)
        assert text.count("phase  ") == 1  # the live screen was taken away, not left above
        assert text.count("SELECT pg_wal_replay_resume();") >= 1
        assert b"\x1b[?25h" in screen.raw  # the cursor is shown again
        assert screen.raw.rindex(b"\x1b[?25h") > screen.raw.rindex(b"\x1b[?25l")


@pytest.mark.parametrize(
    ("environment", "escapes", "colours"),
    [({}, True, True), ({"NO_COLOR": "1"}, True, False), ({"TERM": "dumb"}, False, False)],
    ids=["xterm", "NO_COLOR", "dumb"],
)
def test_what_a_terminal_is_sent(
    restore_story: Story, environment: dict[str, str], escapes: bool, colours: bool
) -> None:
    story = restore_story
    with prepared(story, pause=0, recovery_target_name=story.restore_point) as cluster:
        cluster.start()
        wait_until(lambda: paused(cluster))
        screen = Screen("--pgdata", str(cluster.data), **environment)
        screen.wait_for("paused at the target")
        screen.process.send_signal(signal.SIGINT)
        screen.wait_for("verdict: PAUSED, the target was reached")
        assert screen.process.wait(10) == 0
        assert bool(_ESCAPE.search(screen.raw)) is escapes
        coloured = any(code not in (b"\x1b[0m", b"\x1b[1m", b"\x1b[2m")
                       for code in _COLOUR.findall(screen.raw))  # fmt: skip
        assert coloured is colours


def test_a_pipe_gets_lines_of_text(restore_story: Story) -> None:
    story = restore_story
    with prepared(story, pause=0, recovery_target_name=story.restore_point) as cluster:
        cluster.start()
        wait_until(lambda: paused(cluster))
        result = subprocess.run(
            [*PROGRAM, "--pgdata", str(cluster.data), "--timeout", "30s"],
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert result.returncode == 0
        assert not _ESCAPE.search(result.stdout)
        text = result.stdout.decode()
        assert text.rstrip().endswith("verdict: PAUSED, the target was reached")
        assert result.stderr == b""


def test_a_reader_that_leaves_early_is_no_traceback(restore_story: Story) -> None:
    story = restore_story
    with prepared(story, recovery_target_name=story.restore_point) as cluster:
        cluster.start()
        reading, writing = os.pipe()
        with subprocess.Popen(
            [*PROGRAM, "--pgdata", str(cluster.data)], stdout=writing, stderr=subprocess.PIPE
        ) as process:
            os.close(writing)
            os.close(reading)
            assert process.wait(60) == 3
            assert process.stderr is not None
            assert b"Traceback" not in process.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_job_that_is_cancelled_still_sums_up(
    restore_story: Story, number: signal.Signals
) -> None:
    with prepared(restore_story, pause=5) as cluster:
        job = Job("--pgdata", str(cluster.data))
        cluster.run("pg_ctl", "start", "-W", "-D", str(cluster.data), "-l", str(cluster.log), "-s")
        job.wait_for("file_restored")
        job.process.send_signal(number)
        assert job.end() == 1
        assert job.lines[-1][1]["outcome"] == "in_progress"


# -- the log --------------------------------------------------------------------------------------


def test_a_log_that_is_rotated_cut_and_not_there_yet(restore_story: Story, tmp_path: Path) -> None:
    """A restore's own log, handed on line by line into a file that lives a hard life."""
    story = restore_story
    with prepared(story, pause=0) as cluster:
        cluster.start()
        wait_until(lambda: promoted(cluster))
        lines = cluster.log.read_bytes().splitlines(keepends=True)
    log = tmp_path / "server.log"
    job = Job("--log", str(log), "--timeout", "60s")
    time.sleep(0.5)
    third = len(lines) // 3
    log.write_bytes(b"".join(lines[:third]))
    job.wait_for("server_starting")
    log.rename(tmp_path / "server.log.1")  # logrotate
    log.write_bytes(b"".join(lines[third : 2 * third]))
    wait_until(lambda: len(job.lines) > third)
    with log.open("r+b") as file:  # copytruncate
        file.truncate(0)
    time.sleep(1)
    with log.open("ab") as file:
        file.write(b"".join(lines[2 * third :]))
    assert job.end() == 0
    summary = job.lines[-1][1]
    assert (summary["outcome"], summary["new_timeline"]) == ("promoted", 2)
    assert "unparsed" not in job.names()


def test_it_stays_with_a_server_that_is_started_again(restore_story: Story) -> None:
    """The first attempt fails, a person corrects the target, the second is followed as well."""
    story = restore_story
    with prepared(story, pause=0, recovery_target_xid="999999") as cluster:
        screen = Screen("--pgdata", str(cluster.data), rows=45, columns=110)
        screen.wait_for("WILL FAIL")
        cluster.configure(recovery_target_xid="", recovery_target_name=story.restore_point)
        shown = screen.wait_for(f'stops at restore point "{story.restore_point}"')
        assert "WILL FAIL" not in shown
        cluster.start()
        screen.wait_for("paused at the target")
        assert "(as predicted)" in screen.wait_for("(as predicted)")
        cluster.stop()
        stopped = screen.wait_for("pg_ctl start")
        assert "was stopped while it waited at its target" in stopped
        assert "pg_wal_replay_resume" not in stopped
        cluster.configure(recovery_target_name="")
        screen.wait_for("the next start stops where the WAL ends")
        cluster.start()
        end = screen.wait_for("verdict: PROMOTED")
        assert "where the WAL ends" in end and "(as predicted)" in end
        assert screen.process.wait(10) == 0
