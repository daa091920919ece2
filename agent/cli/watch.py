"""`pitr-watch`: follow a restore, or judge one that is over, and say what it came to."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agent.cli.entry import Parser, UsageError, run
from agent.durations import parse_duration

PROGRAM = "pitr-watch"
_EPILOG = """\
examples:
  pitr-watch --pgdata /var/lib/pgsql/16/data           follow the restore that runs there
  pitr-watch --log server.log --once                   judge a finished restore from its log
  pitr-watch --log server.log --once --format json     the same for a program

here, 0 means that the restore is where it should be (open, paused or shut down at its target), 1
that it is still in progress, 2 that it failed or ended short of the target.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line."""

    pgdata: Path | None
    log: Path | None
    dsn: str | None
    archive: str | None
    once: bool
    format: str
    timeout_seconds: float | None
    prefix: str | None
    zone: tzinfo | None
    localedir: Path | None


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
            f"nothing to watch: give --pgdata DIR or --log FILE (type  {PROGRAM} --help)"
        )
    default = "tui" if sys.stdout.isatty() and not values.once else "text"
    return Options(
        pgdata=values.pgdata,
        log=values.log,
        dsn=values.dsn,
        archive=values.archive,
        once=values.once,
        format=values.format or default,
        timeout_seconds=values.timeout,
        prefix=values.log_line_prefix,
        zone=values.log_timezone,
        localedir=values.localedir,
    )


def _parser() -> Parser:
    parser = Parser(
        prog=PROGRAM,
        description="Follow a PostgreSQL restore and judge it: phase, progress, verdict.",
        epilog=_EPILOG,
    )
    add = parser.add_argument
    add("--pgdata", metavar="DIR", type=Path, help="data directory of the restore; finds the rest")
    add("--log", metavar="FILE|DIR", type=Path, help="the server's log, or the directory of them")
    add("--dsn", metavar="DSN", help="how to ask the server once it answers (libpq)")
    add(
        "--archive",
        metavar="URL",
        help="the WAL archive: predicts the stop, tells a gap from the end",
    )
    add("--once", action="store_true", help="judge what the log holds now, and end")
    add("--format", choices=("tui", "text", "json"), help="default: tui on a terminal, else text")
    add("--timeout", metavar="D", type=duration, help="give up waiting after D: 90s, 15m, 2h")
    add("--log-line-prefix", metavar="P", help="the server's setting (default: detected)")
    add(
        "--log-timezone", metavar="Z", type=time_zone, help="the server's setting, as Europe/Madrid"
    )
    add("--localedir", metavar="DIR", type=Path, help="catalogues of a server that is not English")
    return parser


def duration(text: str) -> float:
    """Read 90s, 15m or 2h into seconds."""
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} must be more than nothing")
    return seconds


def time_zone(name: str) -> tzinfo:
    """Read a zone of the tz database."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise argparse.ArgumentTypeError(
            f"{name!r} is no time zone of this machine, as Europe/Madrid"
        ) from None
