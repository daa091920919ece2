"""`pitr-check plan`: what a restore to a target needs, before it is made."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli import entry, screen
from agent.cli.options import cost, deadline, repository_options, target_options
from agent.cli.options.sources import add_sources
from agent.cli.parser import SHARED
from agent.cli.verdicts import begin_at_backups, sources_of, verdict_of
from parsers.sentences import tr

if TYPE_CHECKING:
    from rules.drill.records import DrillsFacts

_DESCRIPTION = """\
Says what a restore to a target needs: the backup, the WAL and where each part of it lies, room,
time, and the settings to paste. Where the target is out of reach it says what to ask for instead.
"""

_EPILOG = """\
examples:
  pitr-check plan --archive /backup/wal --backups /backup --target-time '2025-07-10 12:36-07'
  pitr-check plan --config pitr.yaml --cluster shop --target-immediate --destination /srv/restore
"""
_STATUSES = """\
exit status:
  0  the target is reached, and nothing is wrong
  1  it is reached, and at risk
  2  it cannot be reached, or something else is proven bad
  3  unknown: it could not be checked
  64 the command line or the configuration is wrong
"""


def body(argv: Sequence[str]) -> int:
    """Plan, print, and give the verdict's status."""
    arguments, context, now = begin_at_backups(_parser().parse_args(argv), tr("a restore"))
    from agent.plan.plan import make_plan

    def print_failure(why: str) -> None:
        from agent.check.run import report_failure
        from agent.repositories.sources import NO_REPOSITORIES

        failed = report_failure(context, why, now)
        _print(make_plan(failed, NO_REPOSITORIES, None, None), arguments)

    with deadline.documented(print_failure if arguments.format == "json" else None):
        sources = sources_of(arguments)
        report = verdict_of(arguments, sources, context, now)
        measured = _measured(arguments)
        plan = make_plan(report, sources.repositories, arguments.destination, measured)
    _print(plan, arguments)
    return report.verdict.status


def _parser() -> argparse.ArgumentParser:
    parser = entry.Parser(
        prog="pitr-check plan",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        statuses=_STATUSES,
        in_brief=(*SHARED, "what to restore from"),
    )
    add_sources(parser.add_argument_group("what to restore from"))
    repository_options.add_options(parser.add_argument_group("repositories of other tools"))
    target_options.add_options(
        parser.add_argument_group("recovery target (none: the end of the WAL)")
    )
    how = parser.add_argument_group("how")
    how.add_argument(
        "--destination",
        type=Path,
        metavar="DIR",
        help="where it will be restored: room is looked at",
    )
    how.add_argument("--now", metavar="T", help="compute ages as of this time (ISO 8601)")
    how.add_argument("--format", default="text", choices=("text", "json"), help="(default: text)")
    screen.add_color(how)
    cost.add_options(parser.add_argument_group("at what cost"))
    # A plan is for another machine as a rule, and only records tell where a restore stops.
    parser.set_defaults(other_machine=True, depth="records", backup_depth=None)
    return parser


def _measured(arguments: argparse.Namespace) -> DrillsFacts | None:
    """What the agent's drills of this cluster measured; None: no configuration names them."""
    if not arguments.config:
        return None
    from agent.config.beside import beside_ledger
    from agent.config.file import load_config
    from agent.drill_schedule.history import read_drills

    path = beside_ledger(load_config(arguments.config), "drills")
    return read_drills(path, arguments.cluster) if path else None


def _print(plan: object, arguments: argparse.Namespace) -> None:
    from agent.plan.plan import RestorePlan

    assert isinstance(plan, RestorePlan)
    if arguments.format == "json":
        from agent.documents.render import render_json
        from agent.plan.document import plan_document

        print(render_json(plan_document(plan)))
        return
    from agent.plan.render_text import plan_lines

    screen.show(plan_lines(plan), arguments.color, verdict_first=True)
