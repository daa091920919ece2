"""`pitr-watch`: follow a restore, or judge one that is over, and say what it came to."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import tzinfo
from pathlib import Path

from agent.cli.entry import Parser, run
from agent.cli.options.without_effect import refuse
from agent.durations import parse_duration
from agent.errors import UsageError
from agent.store.urls import is_remote, take
from agent.watch.options import Options
from agent.zones import find_zone
from parsers.sentences import message_of, tr

PROGRAM = "pitr-watch"
_EPILOG = """\
examples:
  pitr-watch --pgdata /var/lib/pgsql/16/data           follow the restore that runs there
  pitr-watch --log server.log --once                   judge a finished restore from its log
  pitr-watch --log server.log --once --format json     the same for a program
"""
_STATUSES = """\
exit status:
  0  the restore is where it should be: open, paused or shut down at its target; or there is none
  1  it is still in progress
  2  it failed, or ended short of its target
  3  unknown: the log could not be read
  64 the command line is wrong
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; give its exit status."""
    return run(PROGRAM, _main, argv)


def _main(argv: Sequence[str]) -> int:
    options = parse_options(argv)
    from agent.watch.live import watch

    return watch(options)


def parse_options(argv: Sequence[str]) -> Options:
    """Read the command line. Raises UsageError."""
    values = _parser().parse_args(argv)
    if values.pgdata is None and values.log is None:
        raise UsageError(
            tr(
                "nothing to watch: give --pgdata DIR or --log FILE (type  {program} --help)",
                program=PROGRAM,
            )
        )
    refuse(
        [
            (
                "--timeout",
                values.once and values.timeout,
                tr("is for waiting, and --once does not wait"),
            ),
        ]
    )
    default = "tui" if sys.stdout.isatty() and not values.once else "text"
    return Options(
        pgdata=values.pgdata,
        log=values.log,
        dsn=values.dsn,
        archive=_place(values.archive),
        once=values.once,
        format=values.format or default,
        timeout_seconds=values.timeout,
        prefix=values.log_line_prefix,
        zone=values.log_timezone,
        localedir=values.localedir,
    )


def _place(url: str | None) -> str | None:
    """The archive, its settings taken off its address. Raises UsageError."""
    try:
        return take(url) if url and is_remote(url) else url
    except ValueError as error:
        raise UsageError(tr("--archive {error}", error=error)) from None


def _parser() -> Parser:
    parser = Parser(
        prog=PROGRAM,
        description="Follow a PostgreSQL restore and judge it: phase, progress, verdict.",
        epilog=_EPILOG,
        statuses=_STATUSES,
    )
    add = parser.add_argument
    add("--pgdata", metavar="DIR", type=Path, help="data directory of the restore; finds the rest")
    add("--log", metavar="FILE|DIR", type=Path, help="the server's log, or its directory")
    add("--dsn", metavar="DSN", help="how to connect once the server accepts connections (libpq)")
    add(
        "--archive",
        metavar="URL",
        help="the WAL archive: predicts the stop, tells a gap from the end",
    )
    add("--once", action="store_true", help="judge the log as it is now, and exit")
    add("--format", choices=("tui", "text", "json"), help="default: tui on a terminal, else text")
    add("--timeout", metavar="D", type=duration, help="stop waiting after D: 90s, 15m, 2h")
    add("--log-line-prefix", metavar="P", help="the server's setting (default: detected)")
    add(
        "--log-timezone", metavar="Z", type=time_zone, help="the server's setting, as Europe/Madrid"
    )
    add(
        "--localedir",
        metavar="DIR",
        type=Path,
        help="message catalogues, unless the log is in English",
    )
    return parser


def duration(text: str) -> float:
    """Read 90s, 15m or 2h into seconds."""
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(message_of(error)) from None
    if seconds <= 0:
        raise argparse.ArgumentTypeError(tr("{text!r} must be greater than zero", text=text))
    return seconds


def time_zone(name: str) -> tzinfo:
    """Read a zone of the tz database."""
    zone = find_zone(name)
    if zone is None:
        raise argparse.ArgumentTypeError(
            tr("{name!r} is no time zone of this machine, as Europe/Madrid", name=name)
        )
    return zone
