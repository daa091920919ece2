"""Logs that show a part of a start, or none: what has no restore is told from what may have one."""

from __future__ import annotations

import pytest

from parsers.log.stream import LogStream
from rules.live.state_machine import RestoreMachine
from rules.live.summary import Summary, summarize
from rules.model.findings import Verdict

STARTUP = "2026-11-28 14:21:05.139 UTC [8427] "
POSTMASTER = "2026-11-28 14:21:05.109 UTC [8421] "
START = (
    f"{POSTMASTER}LOG:  starting PostgreSQL 15.20 on x86_64-pc-linux-gnu, compiled by gcc\n"
    f"{STARTUP}LOG:  database system was interrupted; last known up at 2026-11-28 14:20:20 UTC\n"
)
CLEAN = (
    f"{POSTMASTER}LOG:  starting PostgreSQL 15.20 on x86_64-pc-linux-gnu, compiled by gcc\n"
    f"{STARTUP}LOG:  database system was shut down at 2026-11-28 14:20:20 UTC\n"
    f"{POSTMASTER}LOG:  database system is ready to accept connections\n"
)
CREATE = (
    "cp: cannot create regular file '/srv/a/000000010000000000000008': No such file or directory\n"
)
CREATE_ES = (
    "cp: no se puede crear el fichero regular '/srv/a/000000010000000000000008': "
    "No existe el fichero o el directorio\n"
)
RSYNC = "rsync: /srv/a/000000010000000000000008: No such file or directory (2)\n"
ARCHIVER = (
    "2026-11-28 14:22:05.139 UTC [8430] LOG:  archive command failed with exit code 1\n"
    "2026-11-28 14:22:05.139 UTC [8430] DETAIL:  The failed archive command was: cp ...\n"
)
ASKED = "cp: cannot stat '/srv/a/00000002.history': No such file or directory\n"


def judged(text: str) -> Summary:
    stream, restore = LogStream(), RestoreMachine()
    restore.apply_all(stream.feed(text.encode()) + stream.end())
    return summarize(restore)


@pytest.mark.parametrize("said", [CREATE, CREATE_ES, RSYNC])
@pytest.mark.parametrize("start", [CLEAN, ""])
def test_what_the_archiver_cannot_write_is_no_restore(start: str, said: str) -> None:
    summary = judged(start + (said + ARCHIVER) * 3)
    assert (summary.outcome, summary.missing_files) == ("none", ())


def test_after_a_restore_the_archiver_asks_for_nothing() -> None:
    restore = f"{STARTUP}LOG:  starting archive recovery\n{STARTUP}LOG:  redo starts at 0/28\n"
    ready = f"{POSTMASTER}LOG:  database system is ready to accept connections\n"
    summary = judged(f"{START}{ASKED}{restore}{ready}{RSYNC}{ARCHIVER}")
    assert (summary.outcome, summary.missing_files) == ("promoted", ("00000002.history",))


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (START, "in_progress"),
        (START + ASKED, "in_progress"),
        (ASKED, "in_progress"),
        (f"{STARTUP}LOG:  redo starts at 0/28\n", "in_progress"),
        (f"{STARTUP}LOG:  recovery has paused\n", "paused"),
        (
            f"{STARTUP}WARNING:  hot standby is not possible because of insufficient parameter "
            "settings\n",
            "in_progress",
        ),
        (f"{STARTUP}FATAL:  could not locate required checkpoint record\n", "failed"),
        (CLEAN, "none"),
    ],
)
def test_the_end_of_a_log_is_what_it_shows(text: str, outcome: str) -> None:
    summary = judged(text)
    assert summary.outcome == outcome
    assert (summary.verdict is Verdict.OK) == (outcome == "none")
