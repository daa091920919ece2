"""`pitr-check`: one verdict about backups, an archive and a target."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib import import_module
from io import TextIOWrapper
from typing import TYPE_CHECKING, Final

from agent.cli import entry, screen
from agent.cli.options import cost, deadline, evidence_options, repository_options, target_options
from agent.cli.options.drill_options import add_drill_options, drill_asked_for
from agent.cli.options.sources import add_sources, complete_sources
from agent.cli.options.target_options import context_of
from agent.cli.options.without_effect import Rule, refuse
from agent.cli.parser import SHARED
from agent.cli.verdicts import sources_of, verdict_of
from agent.errors import UsageError
from agent.near import did_you_mean
from parsers.sentences import tr

if TYPE_CHECKING:
    from rules.case.context import Context
    from rules.verdict.report import Report

_DESCRIPTION = """\
Checks whether backups can be restored with the WAL in an archive, and to which instants. It reads
files and writes nothing; only --try-restore-command runs a command, and only --drill restores.
"""

_EPILOG = """\
subcommands (each has its own --help):
  pitr-check windows …           from which instant to which each backup can be restored
  pitr-check fleet …             every cluster of a configuration against its goals, the worst first
  pitr-check plan …              what a restore to a target needs: backup, WAL, room, time, settings
  pitr-check find …              what happened in the WAL, and the target just before it
  pitr-check retention …         which WAL each backup still needs, and what a deletion would cost
  pitr-check explain FINDING     what a finding means, and what to do
  pitr-check clean-drills        removes the remains of drills that were killed
  pitr-check verify-evidence …, report …    what signed statements say, and whether they are whole

examples:
  pitr-check --archive /backup/wal --backup /backup/base
  pitr-check --archive /backup/wal --backups /backup --depth headers --format nagios
"""

# A first word that is no option -> the module whose `body` runs it, imported only then.
SUBCOMMANDS: Final = {
    "clean-drills": "agent.cli.clean_drills",
    "explain": "agent.cli.explain",
    "find": "agent.cli.find",
    "fleet": "agent.cli.fleet",
    "plan": "agent.cli.plan",
    "report": "agent.cli.report",
    "retention": "agent.cli.retention",
    "verify-evidence": "agent.cli.verify_evidence",
    "windows": "agent.cli.windows",
}

_TRY_SECONDS: Final = 60.0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the command."""
    words = entry.words_of(argv)
    if not words or words[0].startswith("-"):
        return entry.run("pitr-check", _body, words)
    subcommand = SUBCOMMANDS.get(words[0])
    if subcommand is None:
        return entry.run("pitr-check", _no_subcommand, words)
    return entry.run(f"pitr-check {words[0]}", import_module(subcommand).body, words[1:])


def _no_subcommand(words: Sequence[str]) -> int:
    """Raises UsageError that says what was probably meant by the first word."""
    word = words[0]
    if "/" in word or os.path.lexists(word):
        raise UsageError(
            tr(
                "{word}: name an option before the path: --archive {word} or --backup {word}",
                word=word,
            )
        )
    meant = did_you_mean(word, SUBCOMMANDS)
    raise UsageError(
        tr(
            "there is no subcommand {word!r}{meant} (type  pitr-check --help)",
            word=word,
            meant=meant,
        )
    )


def _parser() -> argparse.ArgumentParser:
    parser = entry.Parser(
        prog="pitr-check",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        subcommands=SUBCOMMANDS,
        in_brief=(
            *SHARED,
            "options",
            "restore drill",
            "how closely",
            "signed evidence",
            "recovery target (none: the end of the WAL)",
        ),
    )
    add_sources(parser.add_argument_group("what to check"))
    repository_options.add_options(parser.add_argument_group("repositories of other tools"))
    target_options.add_options(
        parser.add_argument_group("recovery target (none: the end of the WAL)")
    )
    _add_depths(parser.add_argument_group("how closely"))
    at_what_cost = parser.add_argument_group("at what cost")
    cost.add_options(at_what_cost)
    at_what_cost.add_argument(
        "--try-timeout",
        type=entry.duration,
        metavar="DURATION",
        help="time limit for one file of --try-restore-command (default: 1m)",
    )
    add_drill_options(parser.add_argument_group("restore drill"))
    evidence_options.add_options(parser.add_argument_group("signed evidence"))
    screen.add_color(parser)
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="every backup in detail, however many there are",
    )
    parser.add_argument(
        "--format",
        default="text",
        choices=("text", "json", "nagios", "prometheus", "html", "junit"),
        help="output format (default: %(default)s)",
    )
    return parser


def _add_depths(how: argparse._ArgumentGroup) -> None:
    how.add_argument(
        "--depth",
        choices=("names", "headers", "records"),
        help="how deep to check the WAL (default: the configuration's, else records)",
    )
    how.add_argument(
        "--backup-depth",
        choices=("label", "files", "checksums", "pages"),
        help="how deep to check the backups (default: the configuration's, else files); pages also"
        " checks every page of every relation against its data checksum",
    )
    how.add_argument(
        "--other-machine",
        action="store_true",
        help="the restore is for another machine: list what it needs instead of checking this one",
    )
    how.add_argument(
        "--server-version",
        type=target_options.release,
        metavar="V",
        help="the minor release that made the backups, as 18.7: known faults of it are told",
    )
    how.add_argument("--now", metavar="T", help="compute ages as of this time (ISO 8601)")
    how.add_argument(
        "--wait",
        type=entry.duration,
        default=0.0,
        metavar="DURATION",
        help="how long to wait for a backup's last segment, as 2m (default: not at all)",
    )
    how.add_argument(
        "--try-restore-command",
        action="store_true",
        help="run the backup's restore_command, as this user, into a temporary directory",
    )


def _body(argv: Sequence[str]) -> int:
    gc.disable()  # what is imported is kept: looking it through again and again finds nothing
    try:
        return _run(argv)
    finally:
        gc.enable()


def _run(argv: Sequence[str]) -> int:
    arguments = read_arguments(argv)
    context, now = context_of(arguments), entry.now(arguments.now)
    refuse(_without_effect(arguments))
    key = evidence_options.take(arguments)
    from agent.check.run import report_failure
    from agent.postgres.interruption import Interruption

    def print_failure(why: str) -> None:
        print(_render(report_failure(context, why, now), arguments, argv))

    deadline.at_worst(print_failure if arguments.format != "text" else None)
    try:
        with Interruption(once=True):  # a SIGTERM ends in a document too
            report = _check(arguments, context, now)
            report = evidence_options.keep(report, arguments, key)
    except UsageError:
        raise
    except (Exception, KeyboardInterrupt) as error:
        # Programs get their document whatever happens; the line for a person follows on stderr.
        if arguments.format != "text" or key is not None:
            known = getattr(error, "case", None)  # of an EmptyArchive
            failed = report_failure(context, deadline.why(error), now, known)
            failed = evidence_options.keep(failed, arguments, key)
        if arguments.format != "text":
            print(_render(failed, arguments, argv))
        raise
    if arguments.format == "text":
        from agent.check.render_text import verdict_lines

        lines = verdict_lines(report, verbose=arguments.verbose)
        screen.show(lines, arguments.color, verdict_first=True)
    else:
        print(_render(report, arguments, argv))
    return report.verdict.status


def read_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """What was typed, and for what was not, what the configuration says. Raises UsageError."""
    arguments = _parser().parse_args(argv)
    complete_sources(arguments)
    return arguments


def _check(arguments: argparse.Namespace, context: Context, now: datetime) -> Report:
    sources = sources_of(arguments)
    target_type = context.recovery.target.type
    drill = drill_asked_for(arguments, target_type, sources.repositories)
    wait, try_seconds = arguments.wait, _try_seconds(arguments)
    return verdict_of(
        arguments, sources, context, now, wait_seconds=wait, try_seconds=try_seconds, drill=drill
    )


def _try_seconds(arguments: argparse.Namespace) -> float | None:
    """How long the restore_command gets; None: it is not to be tried."""
    given: float | None = arguments.try_timeout
    if arguments.try_restore_command:
        return _TRY_SECONDS if given is None else given
    if given is not None:
        raise UsageError(tr("--try-timeout is for --try-restore-command: add it"))
    return None


def _without_effect(arguments: argparse.Namespace) -> Iterator[Rule]:
    """Of the options about the output."""
    of_text = (("--color", arguments.color), ("--verbose", arguments.verbose))
    for option, given in of_text:
        yield option, given and arguments.format != "text", tr("is for --format text")


def _render(report: Report, arguments: argparse.Namespace, argv: Sequence[str]) -> str:
    if arguments.format == "json":
        from agent.documents.render import render_json
        from agent.documents.verdict import verdict_document

        return render_json(verdict_document(report))
    if arguments.format == "nagios":
        from agent.check.render_nagios import render_nagios

        return render_nagios(report)
    if arguments.format == "prometheus":
        from agent.check.render_prometheus import render_prometheus

        return render_prometheus(report, arguments.cluster or "")
    if arguments.format == "junit":
        from agent.check.render_junit import render_junit

        return render_junit(report)
    from agent.check.render_html import render_html

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # as the document says of itself
    return render_html(report, argv)
