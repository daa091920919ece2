"""`pitr-lab`: the laboratory on an embedded PostgreSQL."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.cli.entry import Parser, run
from agent.cli.options.without_effect import refuse
from agent.errors import CannotCheck, UsageError
from agent.language import say
from agent.postgres.account import server_account
from agent.postgres.installation import (
    Installation,
    InstallationFor,
    NoInstallation,
    find_installation,
    read_installation,
)
from parsers.sentences import joined, message_of, tr

_EMBEDDED_MAJORS = (16, 18)
_DIRECTORY = Path("/tmp")
_EPILOG = """\
faults, for --serve --fault NAME:
{listing}

examples:
  pitr-lab                          the whole laboratory
  pitr-lab --keep /tmp/lab          the same, and keeps its files
  pitr-lab --serve                  a primary under light traffic, watched, until Ctrl-C
  pitr-lab --serve --fault gap      the same, broken on purpose after a healthy start
"""
_STATUSES = """\
exit status:
  0  every restore stopped as recorded
  1  the agent missed something
  2  a restore differs from what was recorded
  3  the laboratory itself could not run
  64 the command line is wrong
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run pitr-lab and give its exit status."""
    # What a connection says when Ctrl-C cuts it short is no line of the laboratory's.
    logging.getLogger("psycopg").addHandler(logging.NullHandler())
    return run("pitr-lab", _main, argv)


def _parser() -> Parser:
    from agent.lab.faults import FAULTS

    listing = joined(
        "\n",
        (tr("  {name:<14} {told}", name=each.name, told=each.summary) for each in FAULTS.values()),
    )
    parser = Parser(
        prog="pitr-lab",
        description="""\
The PITR laboratory, start to end, on a PostgreSQL of its own: an archive, a base backup, a
history, the disaster, and a restore to each kind of target. It compares what it recorded
(transaction, LSN, time, name) with the line in which PostgreSQL says where it stopped.

PostgreSQL need not be installed; an installed one is not touched.""",
        epilog=tr(_EPILOG, listing=listing),
        statuses=_STATUSES,
    )
    _add_options(parser, tuple(FAULTS))
    return parser


def _add_options(parser: argparse.ArgumentParser, faults: tuple[str, ...]) -> None:
    where = parser.add_argument_group("the PostgreSQL to use")
    where.add_argument(
        "--major", type=int, choices=_EMBEDDED_MAJORS,
        help=tr("embedded version (default: {major})", major=_EMBEDDED_MAJORS[0]),
    )  # fmt: skip
    where.add_argument(
        "--pg-bindir", type=Path, metavar="DIR", help="another installation's programs, 13 or newer"
    )
    serving = parser.add_argument_group("serving")
    serving.add_argument(
        "--serve",
        action="store_true",
        help="keep a primary under light traffic, with the agent, until Ctrl-C",
    )
    serving.add_argument(
        "--fault", metavar="NAME", choices=faults,
        help="with --serve: break it on purpose after a healthy start (see below)",
    )  # fmt: skip
    files = parser.add_argument_group("files")
    files.add_argument(
        "--dir", type=Path, metavar="DIR",
        help=tr("where to make the temporary directory (default: {place})", place=_DIRECTORY),
    )  # fmt: skip
    files.add_argument(
        "--keep", type=Path, metavar="DIR", help="work in DIR (new or empty), and leave it there"
    )


def _main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    if options.fault and not options.serve:
        raise UsageError(
            tr(
                "--fault breaks what --serve keeps up (type  pitr-lab --serve --fault {fault})",
                fault=options.fault,
            )
        )
    refuse(
        [
            (
                "--major",
                options.major and options.pg_bindir,
                tr("is for the embedded PostgreSQL, and --pg-bindir names another"),
            ),
            (
                "--dir",
                options.dir and options.keep,
                tr("is for a temporary directory, and --keep names one that stays"),
            ),
        ]
    )
    from agent.lab.errors import BadPlace, LabFailed

    try:
        return _run(options)
    except BadPlace as error:
        raise UsageError(message_of(error)) from error
    except LabFailed as error:
        _show_tail(error.log, error.log_tail)
        raise CannotCheck(message_of(error)) from error


def _run(options: argparse.Namespace) -> int:
    from agent.lab.demonstration import Demonstration
    from agent.lab.exhibition import Exhibition
    from agent.lab.faults import FAULTS
    from agent.lab.laboratory import open_laboratory
    from agent.lab.story import TerminalStory, make_console

    try:
        account = server_account()
    except LookupError as error:
        raise CannotCheck(message_of(error)) from error
    story = TerminalStory(make_console())
    with (
        InstallationFor(_choose_installation(options), account) as installation,
        open_laboratory(
            installation, account, keep=options.keep, under=options.dir or _DIRECTORY
        ) as lab,
    ):
        title = tr(
            "pitr-lab: point-in-time recovery, on PostgreSQL {version}",
            version=installation.version,
        )
        stays = tr("in {directory}, which stays", directory=lab.directory)
        goes = tr("in {directory}, removed at the end", directory=lab.directory)
        account_named = tr("the servers run as {name}, on Unix sockets", name=account.name)
        story.title(*map(say, (title, stays if options.keep else goes, account_named)))
        if options.serve:
            return Exhibition(lab, story).run(FAULTS.get(options.fault))
        return Demonstration(lab, story).run()


def _choose_installation(options: argparse.Namespace) -> Installation:
    if options.pg_bindir is None:
        try:
            return find_installation(options.major or _EMBEDDED_MAJORS[0])
        except NoInstallation as error:
            raise CannotCheck(message_of(error)) from error
    try:
        return read_installation(options.pg_bindir.absolute())
    except NoInstallation as error:
        raise UsageError(tr("--pg-bindir: {error}", error=error)) from error


def _show_tail(log: Path | None, lines: Sequence[str]) -> None:
    """Show the end of the log that tells more."""
    if lines:
        print(say(tr("the end of {log}:", log=log)), *lines, sep="\n  ", file=sys.stderr)
