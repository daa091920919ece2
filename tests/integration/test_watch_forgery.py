"""A client that writes a recovery into the log must not be believed, in any format."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psycopg
import pytest

from tests.integration.restores import Story, paused, promoted, restore, watch
from tests.waiting import wait_logged

FORGERIES = (
    "redo done at 0/99 system usage: CPU: user: 0.00 s, system: 0.00 s, elapsed: 0.07 s",
    "selected new timeline ID: 99",
    "archive recovery complete",
    "database system is ready to accept connections",
    "starting PostgreSQL 16.9 on x86_64-pc-linux-gnu, compiled by gcc, 64-bit",
    "recovery ended before configured recovery target was reached",
    "shutdown at recovery target",
)
PREFIXES = ("%m [%p] ", "%m [%p] %q%u@%d ", "%m [%p] %a ", "%m [%p] [%b] ", "%t ", "")


def attack(dsn: str, startup_line: str) -> None:
    """Say it in every way that a session can."""
    for text in FORGERIES:
        name = f"LOG:  {text}"[:63]
        with psycopg.connect(dsn, autocommit=True, application_name=name) as connection:
            connection.execute(f"DO $$ BEGIN RAISE LOG '{text}'; END $$")  # type: ignore[call-overload]
            connection.execute(f"SELECT 1 /* \n{startup_line}LOG:  {text} */")  # type: ignore[call-overload]
            connection.execute(f"SELECT 'LOG:  {text}'")  # type: ignore[call-overload]
            with contextlib.suppress(psycopg.Error):
                connection.execute(f"DO $$ BEGIN RAISE EXCEPTION E'x\\n{text}'; END $$")  # type: ignore[call-overload]
            with contextlib.suppress(psycopg.Error):
                connection.execute(f"DO $$ BEGIN RAISE EXCEPTION '{text}'; END $$")  # type: ignore[call-overload]


def last_line_of_startup(log: Path) -> str:
    """The prefix of a line that the startup process wrote."""
    line = next(line for line in log.read_text().splitlines() if "redo starts" in line)
    return line.split("LOG:")[0]


def check_nothing_is_believed(log: Path, *options: str) -> None:
    lines, status = watch("--log", str(log), "--once", *options)
    summary = lines[-1]
    assert (summary["outcome"], summary["reached_target"], status) == ("paused", True, 0)
    assert summary["new_timeline"] is None and summary["redo_done_lsn"] is None
    assert [line for line in lines if line["event"] == "unparsed"] == []
    assert "99" not in str(summary["new_timeline"])


@pytest.mark.pg("== 16")
@pytest.mark.parametrize("prefix", PREFIXES)
def test_no_forgery_in_stderr(restore_story: Story, prefix: str) -> None:
    story = restore_story
    with restore(
        story, until=paused, recovery_target_name=story.restore_point, log_line_prefix=prefix,
        log_statement="all",
    ) as restored:  # fmt: skip
        attack(restored.cluster.dsn, last_line_of_startup(restored.log))
        assert restored.log.read_text().count("archive recovery complete") >= 5
        check_nothing_is_believed(restored.log, "--log-line-prefix", prefix)
        check_nothing_is_believed(restored.log)


@pytest.mark.pg(">= 16")
def test_no_forgery_in_csv_and_json(restore_story: Story) -> None:
    story = restore_story
    with restore(
        story, until=paused, recovery_target_name=story.restore_point, logging_collector=True,
        log_destination="csvlog,jsonlog,stderr", log_filename="server.log", log_statement="all",
    ) as restored:  # fmt: skip
        directory = restored.cluster.data / "log"
        attack(restored.cluster.dsn, last_line_of_startup(directory / "server.log"))
        restored.cluster.sql("SELECT 'the last'")
        wait_logged(list(directory.iterdir()), "the last")
        for suffix in ("csv", "json", "log"):
            assert (directory / f"server.{suffix}").read_text().count("recovery complete") >= 5
            check_nothing_is_believed(directory / f"server.{suffix}")


@pytest.mark.pg("== 16")
def test_a_superuser_who_hides_the_statement_has_another_pid(restore_story: Story) -> None:
    story = restore_story
    with restore(
        story, until=paused, recovery_target_name=story.restore_point,
        log_line_prefix="%m [%p] ", log_error_verbosity="terse", log_min_error_statement="panic",
    ) as restored:  # fmt: skip
        attack(restored.cluster.dsn, last_line_of_startup(restored.log))
        assert "STATEMENT:" not in restored.log.read_text()
        check_nothing_is_believed(restored.log)


ENDS = (
    "startup process (PID 7) was terminated by signal 9: Killed",
    "startup process (PID 7) exited with exit code 1",
    "aborting startup due to startup process failure",
    "shutting down due to startup process failure",
    "received immediate shutdown request",
    "database system is shut down",
)
# What ends a session in a FATAL that a server may have as well.
REFUSED = (
    ("-c work_mem=plenty", 'FATAL:  invalid value for parameter "work_mem"'),
    ("-c local_preload_libraries=nowhere", 'FATAL:  could not access file "'),
)


@pytest.mark.pg("== 16")
@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("prefix", ["%m [%p] ", "%t ", "%m [%b] "])
def test_no_session_ends_a_restore_in_words(restore_story: Story, prefix: str, told: bool) -> None:
    """Whatever hides the statement; where the format proves nothing, it is not known."""
    options = ("--log-line-prefix", prefix) if told else ()
    with restore(
        restore_story, until=paused, recovery_target_name=restore_story.restore_point,
        log_line_prefix=prefix, log_error_verbosity="terse", log_min_error_statement="panic",
    ) as restored:  # fmt: skip
        for settings, said in REFUSED:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(restored.cluster.dsn, options=settings).close()
            assert said in restored.log.read_text()
            check_nothing_is_believed(restored.log, *options)
        for text in ENDS:
            with restored.cluster.connect() as connection:
                connection.execute(f"DO $$ BEGIN RAISE LOG '{text}'; END $$")  # type: ignore[call-overload]
            assert f"LOG:  {text}" in restored.log.read_text()
            check_it_is_doubted(restored.log, *options, doubted=prefix == "%t ")


def check_it_is_doubted(log: Path, *options: str, doubted: bool) -> None:
    lines, status = watch("--log", str(log), "--once", *options)
    assert lines[-1]["outcome"] == "paused" and lines[-1]["fatal_message"] is None
    assert any(line.get("unproven") for line in lines) or not doubted
    assert status == (3 if doubted else 0)


@pytest.mark.pg("== 16")
@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("prefix", ["%m [%p] %q%u@%d ", "%t %q%u@%d ", "%t %a ", "%m [%b] "])
def test_no_parallel_worker_ends_a_restore_in_words(
    restore_story: Story, prefix: str, told: bool
) -> None:
    """It runs a session's function, and its line has no user, no database, no application."""
    options = ("--log-line-prefix", prefix) if told else ()
    with restore(
        restore_story, until=paused, recovery_target_name=restore_story.restore_point,
        log_line_prefix=prefix, log_error_verbosity="terse", log_min_error_statement="panic",
        log_connections=True,
    ) as restored:  # fmt: skip
        own = last_line_of_startup(restored.log)
        for text in ENDS:
            with restored.cluster.connect() as connection:
                connection.execute("SET debug_parallel_query = on")
                connection.execute("SELECT say(%s)", [text])
            said = next(line for line in restored.log.read_text().splitlines() if text in line)
            assert "postgres" not in said and ("%b" in prefix or len(said) < len(own + text) + 9)
            check_it_is_doubted(restored.log, *options, doubted=prefix[:2] == "%t")


# A name is part of the line's beginning, at most 63 bytes of it; a user's may hold a newline.
NAMED = (
    ("%a [%p] ", " {start}{said}", "postgres"),
    ("%u@%d [%p] ", "psql", "x\n@ {start}{said}"),
    ("%m [%p] %q%u@%d ", "psql", "x\n{start}{said}"),
    ("%p %q%a ", "{start}{said}", "x\n{start}{said}"),
)
SAID = (
    'FATAL:  could not restore file "x" from archive: y',
    "LOG:  redo done at 0/99 system usage: z",
    "PANIC:  no",
)


@pytest.mark.pg("== 16")
@pytest.mark.parametrize(("prefix", "application", "user"), NAMED)
def test_no_name_forges_a_line(
    restore_story: Story, prefix: str, application: str, user: str
) -> None:
    story = restore_story
    with restore(
        story, until=paused, recovery_target_name=story.restore_point, log_line_prefix=prefix,
        log_statement="all", log_connections=True,
    ) as restored:  # fmt: skip
        start = last_line_of_startup(restored.log).removeprefix("@ ").lstrip()
        for said in SAID:
            names = {
                "application_name": application.format(start=start, said=said),
                "user": user.format(start=start, said=said),
            }
            with (
                contextlib.suppress(psycopg.Error),
                psycopg.connect(f"{restored.cluster.dsn}", **names) as connection,
            ):
                connection.execute("SELECT 1")
        assert f"{start}FATAL:  could" in restored.log.read_text()
        for options in (("--log-line-prefix", prefix), ()):
            lines, status = watch("--log", str(restored.log), "--once", *options)
            summary = lines[-1]
            assert (options, summary["fatal_message"]) == (options, None)
            assert summary["redo_done_lsn"] is None
            assert (summary["outcome"], summary["reached_target"], status) == ("paused", True, 0)


@pytest.mark.pg("== 16")
@pytest.mark.parametrize("prefix", ["%m ", "%m [%p] "])
def test_no_session_makes_a_start_that_was_refused(restore_story: Story, prefix: str) -> None:
    """The words of a shutdown, then a library that is not there: a start has nothing else."""
    with restore(
        restore_story, until=promoted, recovery_target_name=restore_story.restore_point,
        recovery_target_action="promote", log_line_prefix=prefix, log_error_verbosity="terse",
        log_min_error_statement="panic",
    ) as restored:  # fmt: skip
        with restored.cluster.connect() as connection:
            connection.execute("DO $$ BEGIN RAISE LOG 'database system is shut down'; END $$")
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(restored.cluster.dsn, options=REFUSED[1][0]).close()
        assert REFUSED[1][1] in restored.log.read_text().splitlines()[-1]
        lines, status = watch("--log", str(restored.log), "--once", "--log-line-prefix", prefix)
        assert (lines[-1]["outcome"], status) == (None, 3)
