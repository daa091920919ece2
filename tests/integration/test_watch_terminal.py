"""pitr-watch in the terminals, pipes and logs that there are, on one real restore each."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from agent.watch.screen import drawn_whole
from tests.fix_tools import PATIENCE_SECONDS
from tests.integration.restores import Story, paused, promoted
from tests.waiting import wait_until
from tests.watching import PATIENT, PROGRAM, Job, Screen, held_until, prepared

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
        status, end = screen.end()
        assert status == 0 and "verdict: PAUSED" in end


def test_a_screen_that_is_left_has_its_cursor_and_its_last_lines(restore_story: Story) -> None:
    story = restore_story
    with prepared(story, pause=0, recovery_target_name=story.restore_point) as cluster:
        cluster.start()
        wait_until(lambda: paused(cluster))
        screen = Screen("--pgdata", str(cluster.data), rows=40)
        screen.wait_for("next  ")
        screen.process.send_signal(signal.SIGINT)
        _, text = screen.end()
        assert "verdict: PAUSED" in text
        assert text.count("phase  ") == 1  # the live screen was taken away, not left above
        assert text.count("SELECT pg_wal_replay_resume();") >= 1
        assert b"\x1b[?25h" in screen.raw  # the cursor is shown again
        assert screen.raw.rindex(b"\x1b[?25h") > screen.raw.rindex(b"\x1b[?25l")


def test_the_keys_are_shown_and_do_what_they_say(restore_story: Story) -> None:
    story = restore_story
    with prepared(story, pause=0, recovery_target_name=story.restore_point) as cluster:
        cluster.start()
        wait_until(lambda: paused(cluster))
        screen = Screen("--pgdata", str(cluster.data))
        shown = screen.wait_for("q leave   p how to pause and resume")
        assert re.search(r"^pitr-watch  .* \d\d:\d\d:\d\d UTC$", shown.split("\n")[0])
        assert "pg_wal_replay_pause" not in shown and not screen.is_read_by_line
        screen.type("p")
        screen.wait_for("SELECT pg_wal_replay_pause();")
        screen.type("p")
        wait_until(lambda: "pg_wal_replay_pause" not in screen.text)
        screen.type("q")
        status, left = screen.end()
        assert status == 0 and "verdict: PAUSED, the target was reached" in left
        assert "q leave" not in left and screen.is_read_by_line


def test_the_clock_goes_on(restore_story: Story) -> None:
    story = restore_story
    with prepared(story, pause=0, recovery_target_name=story.restore_point) as cluster:
        cluster.start()
        wait_until(lambda: paused(cluster))
        screen = Screen("--pgdata", str(cluster.data))
        first = screen.wait_for("q leave").split("\n")[0]
        wait_until(lambda: screen.text.split("\n")[0] not in ("", first))
        screen.type("q")
        assert screen.process.wait(PATIENCE_SECONDS) == 0


def test_nothing_of_the_screen_before_stays_after_a_resize(restore_story: Story) -> None:
    story = restore_story
    with prepared(story, pause=0, recovery_target_name=story.restore_point) as cluster:
        cluster.start()
        wait_until(lambda: paused(cluster))
        screen = Screen("--pgdata", str(cluster.data), COLUMNS="", LINES="")
        screen.wait_for("q leave")
        for columns, rows in ((20, 12), (60, 20), (132, 45), (40, 30), (100, 30)):
            screen.resize(columns, rows)
            wait_until(lambda: _is_one_screen(screen.text))
        screen.type("q")
        assert screen.process.wait(PATIENCE_SECONDS) == 0


def _is_one_screen(text: str) -> bool:
    """It begins at the top, and each of its parts is there once."""
    lines = text.split("\n")
    once = [sum(line.startswith(part) for line in lines) for part in ("pitr-watch", "phase  ")]
    return lines[0].startswith("pitr-watch") and once == [1, 1]


def test_a_high_window_has_more_events(restore_story: Story) -> None:
    story = restore_story
    with prepared(story, pause=0, recovery_target_name=story.restore_point) as cluster:
        cluster.start()
        wait_until(lambda: paused(cluster))
        shown = {}
        for rows in (24, 60):
            screen = Screen("--pgdata", str(cluster.data), rows=rows)
            text = screen.wait_for("q leave")
            shown[rows] = sum(bool(re.match(r"  \d\d:\d\d:\d\d\.", x)) for x in text.split("\n"))
            screen.type("q")
            assert screen.process.wait(PATIENCE_SECONDS) == 0
        assert shown[60] > max(8, shown[24])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_the_screen_is_drawn(number: signal.Signals) -> None:
    """Rich draws again what it was interrupted in: the screen would stand there twice."""
    drawn = []

    def draw() -> None:
        with drawn_whole():
            signal.raise_signal(number)
            drawn.append("the rest")

    before = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            draw()
        assert drawn == ["the rest"]
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)


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
        status, end = screen.end()
        assert status == 0 and "verdict: PAUSED, the target was reached" in end
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
            [*PROGRAM, "--pgdata", str(cluster.data), *PATIENT],
            capture_output=True,
            timeout=PATIENCE_SECONDS,
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
            assert process.wait(PATIENCE_SECONDS) == 3
            assert process.stderr is not None
            assert b"Traceback" not in process.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_job_that_is_cancelled_still_sums_up(
    restore_story: Story, short_directory: Path, number: signal.Signals
) -> None:
    never = held_until(short_directory / "never", restore_story)
    with prepared(restore_story, **never) as cluster:
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
    job = Job("--log", str(log), *PATIENT)
    time.sleep(0.5)
    third, last = len(lines) // 3, len(lines) * 5 // 6
    log.write_bytes(b"".join(lines[:third]))
    job.wait_for("server_starting")
    log.rename(tmp_path / "server.log.1")  # logrotate
    log.write_bytes(b"".join(lines[third:last]))
    wait_until(lambda: len(job.lines) > third)
    rest = b"".join(lines[last:])
    assert len(rest) < log.stat().st_size, "that it was cut shows whenever somebody looks"
    with log.open("r+b") as file:  # copytruncate
        file.truncate(0)
        file.write(rest)
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
        status, end = screen.end()
        assert status == 0 and "verdict: PROMOTED" in end
        assert "where the WAL ends" in end and "(as predicted)" in end, end
