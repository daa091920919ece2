"""`pitr-check windows`: to which instants each backup can be restored."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent.cli import entry, screen
from agent.cli.options import cost, deadline, repository_options, target_options
from agent.cli.options.sources import add_sources
from agent.cli.parser import SHARED
from agent.cli.verdicts import begin_at_backups, sources_of, verdict_of
from parsers.sentences import tr

if TYPE_CHECKING:
    from rules.verdict.report import Report

_DESCRIPTION = """\
Lists the windows: from which instant to which each backup can be restored, on each timeline, and
what ends it. It reads files and writes nothing.
"""

_EPILOG = """\
examples:
  pitr-check windows --archive /backup/wal --backups /backup
  pitr-check windows --config pitr.yaml --cluster shop --format json
"""
_STATUSES = """\
exit status:
  0  every backup can be restored, and nothing is wrong
  1  something can be restored, at risk
  2  no backup can be restored, or something else is proven bad
  3  unknown: it could not be checked
  64 the command line or the configuration is wrong
"""


def body(argv: Sequence[str]) -> int:
    """List them, and give the verdict's status."""
    arguments, context, now = begin_at_backups(_parser().parse_args(argv), tr("a window"))

    def print_failure(why: str) -> None:
        from agent.check.run import report_failure

        _print(report_failure(context, why, now))

    with deadline.documented(print_failure if arguments.format == "json" else None):
        report = verdict_of(arguments, sources_of(arguments), context, now)
    if arguments.format == "json":
        _print(report)
    else:
        from agent.check.render_windows import windows_lines

        screen.show(windows_lines(report), arguments.color, verdict_first=True)
    return report.verdict.status


def _print(report: Report) -> None:
    from agent.documents.render import render_json
    from agent.documents.verdict import verdict_document

    print(render_json(verdict_document(report)))


def _parser() -> argparse.ArgumentParser:
    parser = entry.Parser(
        prog="pitr-check windows",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        statuses=_STATUSES,
        in_brief=(*SHARED, "what to check"),
    )
    add_sources(parser.add_argument_group("what to check"))
    repository_options.add_options(parser.add_argument_group("repositories of other tools"))
    how = parser.add_argument_group("how")
    how.add_argument("--timeline", help="latest (default), current or a number")
    how.add_argument(
        "--depth",
        choices=("names", "headers", "records"),
        help="how deep to check the WAL (default: the configuration's, else records)",
    )
    how.add_argument("--now", metavar="T", help="compute ages as of this time (ISO 8601)")
    how.add_argument(
        "--format",
        default="text",
        choices=("text", "json"),
        help="json: the document of pitr-check (default: text)",
    )
    screen.add_color(how)
    cost.add_options(parser.add_argument_group("at what cost"))
    parser.set_defaults(**target_options.NO_TARGET, other_machine=True, backup_depth=None)
    return parser
