"""Lines that the tools around a server write into its log: whose they are, and whether they matter.

Their forms are those of pgBackRest's src/common/log.c, of Barman's clients/walrestore.py and
cloud_cli.py, of WAL-G's tracelog, of Patroni's log.py and pg_isready.c, of pg_ctl.c.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

PGBACKREST, BARMAN, WAL_G = "pgBackRest", "Barman", "WAL-G"
PATRONI, PG_CTL = "Patroni", "pg_ctl"
STARTERS: Final = frozenset({PATRONI, PG_CTL})  # they start servers, and fetch nothing

_DAY, _CLOCK = r"\d{4}-\d\d-\d\d", r"\d\d:\d\d:\d\d"
_LEVEL: Final = r"(?P<level>[A-Z]+)"
_TOOLS: Final = tuple(
    (program, re.compile(pattern))
    for program, pattern in (
        (PGBACKREST, rf"(?:{_DAY} {_CLOCK}\.\d{{3}} )?P\d\d+ +{_LEVEL}: "),
        (PGBACKREST, rf"{_LEVEL}: \[\d{{3}}\]: "),
        (PGBACKREST, r"(?P<level>WARN): (?=dropped WAL file '|WAL (?:file|segment) ')"),
        (PGBACKREST, r" *(?P<more>HINT: \S|repo\d+: )"),  # a message's later lines
        (BARMAN, rf"{_DAY} {_CLOCK},\d{{3}} \[\d+\] (?:barman[\w.]* )?{_LEVEL}: "),
        (BARMAN, r"Sleeping for \d+ seconds\.\Z"),
        (
            BARMAN,
            rf"{_LEVEL}: (?:Connection problem with ssh|Remote 'barman get-wal'"
            r"|Impossible to invoke|The required file is not available|Error executing \"ssh\""
            r"|Failure copying"
            r"|Cannot (?:open|create) '|WAL_DEST |WAL file '|Unknown server '|SIGINT received)",
        ),
        (WAL_G, rf"{_LEVEL}: \d{{4}}/\d\d/\d\d {_CLOCK}(?:\.\d{{6}})? "),
        (PATRONI, rf"{_DAY} {_CLOCK},\d{{3}} {_LEVEL}: "),
        (PATRONI, r"\S+:\d+ - (?:accepting connections|rejecting connections|no response)\Z"),
        (PATRONI, r"postmaster pid=\d+\Z"),
        (
            PG_CTL,
            r"(?:waiting for server to (?:start|shut down|promote)\.*)? ?(?:done|stopped waiting)\Z"
            r"|waiting for server to (?:start|shut down|promote)\.*\Z|\.+\Z"
            r"|server (?:starting|started|stopped|signaled|promoted|promoting|shutting down)\Z"
            r"|Examine the log output\.\Z",
        ),
    )
)
# How such lines begin: what else a command says need not be held against each.
_BEGINS: Final = re.compile(
    r"\d{4}-|P\d|[A-Z]+: |[ .]|Sleeping |\S+:\d+ - |postmaster |waiting |server |Examine |done"
    r"|stopped |repo\d"
)
_NEWS: Final = frozenset({"INFO", "DETAIL", "DEBUG", "TRACE", "NOTICE"})
_ERRORS: Final = frozenset({"ERROR", "FATAL", "CRITICAL", "ASSERT"})
# pgBackRest's INFO at its own end, and its warnings of WAL that it leaves out of the archive
_FAILED: Final = re.compile("aborted with exception|dropped WAL file '|and was manually skipped")
_DOTS: Final = re.compile(r"(?:waiting for server to (?:start|shut down|promote))?\.+(?=[^.\s])")


class ToolLine(NamedTuple):
    """Whose line it is."""

    program: str
    harmless: bool | None  # False: it could not do its work; None: that cannot be told


def recognise_tool(line: str) -> ToolLine | None:
    """Read the line of a tool; None when no tool known here wrote it.

    >>> recognise_tool("2026-11-22 12:46:40.700 P00   INFO: archive-get command begin 2.45: []")
    ToolLine(program='pgBackRest', harmless=True)
    >>> recognise_tool("server started")
    ToolLine(program='pg_ctl', harmless=True)
    """
    for program, pattern in _TOOLS if _BEGINS.match(line) else ():
        match = pattern.match(line)
        if match is not None:
            return ToolLine(program, _is_harmless(match, line))
    return None


def _is_harmless(match: re.Match[str], line: str) -> bool | None:
    found = match.groupdict()
    if "more" in found:
        return None
    level = found.get("level")
    if level is None:
        return True
    if level in _ERRORS or _FAILED.search(line):
        return False
    return True if level in _NEWS else None


def without_dots(line: str) -> str:
    """The server's line that pg_ctl, which waits for it, has put its dots before.

    >>> without_dots("waiting for server to start....2026-11-28 14:21:05.109 UTC [8421] LOG:  x")
    '2026-11-28 14:21:05.109 UTC [8421] LOG:  x'
    """
    dots = _DOTS.match(line) if line[:1] in (".", "w") else None
    return line[dots.end() :] if dots is not None else line
