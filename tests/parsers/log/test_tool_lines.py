"""Lines of the tools around a server: known for what they are, and never taken for the server's."""

from __future__ import annotations

import random
from typing import Final

import pytest

from parsers.log.command_output import read_command_output
from parsers.log.messages.event import Event
from parsers.log.recovery_events import RecoveryEvent
from parsers.log.stream import LogStream
from parsers.log.tool_lines import recognise_tool
from tests.parsers.catalogues import LOGS

SEGMENT: Final = "00000001000000000000000C"
GET: Final = "2026-11-29 10:38:38.469 P00   INFO: archive-get command"
# Line, whose it is, whether it is harmless. pgBackRest 2.45, Barman 3.4; WAL-G 3 from its format;
# those of Patroni as the logger of 4.1 prints them.
LINES: Final = (
    (f"{GET} begin 2.45: [{SEGMENT}, pg_wal/RECOVERYXLOG] --stanza=demo", "pgBackRest", True),
    (f"{GET} end: completed successfully (32ms)", "pgBackRest", True),
    (f"{GET} end: aborted with exception [055]", "pgBackRest", False),
    (f"P00   INFO: found {SEGMENT} in the archive", "pgBackRest", True),
    (f"P00 DETAIL: found {SEGMENT} in the repo1: 15-1 archive", "pgBackRest", True),
    ("P00   WARN: repo1: [FileReadError] unable to read '/repo': [5] Input/output error",
     "pgBackRest", None),
    ("ERROR: [055]: unable to open missing file '/d/global/pg_control' for read",
     "pgBackRest", False),
    ("P00  ERROR: [103]: unable to find a valid repository:", "pgBackRest", False),
    ("                                    HINT: has a stanza-create been performed?",
     "pgBackRest", None),
    (f"WARN: dropped WAL file '{SEGMENT}' because archive queue exceeded 2MB",
     "pgBackRest", False),
    (f"P00   WARN: dropped WAL file '{SEGMENT}' because archive queue exceeded 2MB",
     "pgBackRest", False),
    (f"WARN: WAL file '{SEGMENT}' already exists in the repo1 archive with the same checksum",
     "pgBackRest", None),
    (f"WARN: WAL segment '{SEGMENT}' was not pushed due to error [25] and was manually skipped: x",
     "pgBackRest", False),
    ("ERROR: Connection problem with ssh", "Barman", False),
    ("ERROR: Remote 'barman get-wal' command has failed!", "Barman", False),
    ("Sleeping for 5 seconds.", "Barman", True),
    (f"2026-11-29 10:38:38,469 [812] INFO: Found WAL {SEGMENT} for server m as x.gz",
     "Barman", True),
    ("2026-11-29 10:38:38,469 [812] barman.utils WARNING: Failed opening the requested log file",
     "Barman", None),
    (f"INFO: 2026/11/29 10:38:38.469101 Files will be read from storage: {SEGMENT}",
     "WAL-G", True),
    ("ERROR: 2026/11/29 10:38:38.469101 failed to configure folder: no such host",
     "WAL-G", False),
    ("2026-11-29 10:38:38,469 INFO: no action. I am (pg1), the leader with the lock",
     "Patroni", True),
    ("2026-11-29 10:38:38,469 ERROR: failed to update leader lock", "Patroni", False),
    ("2026-11-29 14:37:13,229 INFO: postmaster pid=8421", "Patroni", True),
    ("2026-11-29 14:37:13,229 WARNING: Postgresql is not running.", "Patroni", None),
    ("2026-11-29 14:37:13,229 CRITICAL: system ID mismatch, node a belongs to a different cluster:"
     " 1 != 2", "Patroni", False),
    ("localhost:5432 - rejecting connections", "Patroni", True),
    ("/var/run/postgresql:5432 - no response", "Patroni", True),
    ("postmaster pid=8421", "Patroni", True),
    ("waiting for server to start....", "pg_ctl", True),
    (" done", "pg_ctl", True),
    ("server started", "pg_ctl", True),
    (" stopped waiting", "pg_ctl", True),
    ("Examine the log output.", "pg_ctl", True),
    ("waiting for server to shut down.... done", "pg_ctl", True),
    ("server stopped", "pg_ctl", True),
)  # fmt: skip


@pytest.mark.parametrize(("line", "program", "harmless"), LINES)
def test_a_line_is_known_for_what_it_is(line: str, program: str, harmless: bool | None) -> None:
    output = read_command_output(line)
    assert output is not None and output.event == Event.COMMAND_OUTPUT
    assert output.fields()["program"] == program
    assert output.fields()["harmless"] is harmless


@pytest.mark.parametrize(
    "line",
    [
        f"2026-11-29 10:38:38.469 P00   INFO: unable to find {SEGMENT} in the archive",
        f"P00   INFO: unable to find {SEGMENT} in the archive asynchronously",
        f"ERROR: The required file is not available: {SEGMENT}",
        f"2026-11-29 10:38:38,469 [812] INFO: WAL file {SEGMENT} for server m does not exists",
        f"ERROR: 2026/11/29 10:38:38.469101 Archive '{SEGMENT}' does not exist.",
    ],
)
def test_what_the_archive_lacks_is_a_missing_file(line: str) -> None:
    output = read_command_output(line)
    assert output is not None
    assert (output.event, output.file) == (Event.FILE_MISSING, SEGMENT)


@pytest.mark.parametrize(
    "line", ["server is on fire", "done with it", "2026-11-29 10:38:38,469 hello", "ERROR: hm", ""]
)
def test_another_line_is_no_tool_s(line: str) -> None:
    assert recognise_tool(line) is None


def events(text: str) -> list[RecoveryEvent]:
    """All but what tools said."""
    stream = LogStream()
    items = stream.feed(text.encode()) + stream.end()
    assert not stream.counts.unparsed and not stream.counts.unreadable
    return [
        item
        for item in items
        if isinstance(item, RecoveryEvent) and item.name != Event.COMMAND_OUTPUT
    ]


@pytest.mark.parametrize("name", ["corrupt_record_target.log", "target_lsn_exclusive.log"])
def test_tools_lines_between_change_nothing(name: str) -> None:
    lines = (LOGS / name).read_text().splitlines(keepends=True)
    whole = events("".join(lines))
    for seed in range(20):
        choose = random.Random(seed)
        mixed = list(lines)
        for line, *_ in choose.sample(LINES, 8):
            at = choose.randrange(len(mixed) + 1)
            while at < len(mixed) and ":  " in mixed[at] and "LOG" not in mixed[at]:
                at += 1  # not before a DETAIL of the record
            mixed.insert(at, line + "\n")
        assert events("".join(mixed)) == whole


@pytest.mark.parametrize("name", ["corrupt_record_target.log", "target_lsn_exclusive.log"])
def test_a_terminal_that_pg_ctl_waits_on(name: str) -> None:
    """Without -l the server's lines come after the dots that pg_ctl prints while it waits."""
    lines = (LOGS / name).read_text().splitlines(keepends=True)
    half = len(lines) // 2
    waited = "".join([
        "waiting for server to start....", *lines[:half], ".", *lines[half:-1], "..", lines[-1],
        " done\nserver started\n",
    ])  # fmt: skip
    assert events(waited) == events("".join(lines))
