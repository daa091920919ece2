"""`pitr-check fleet`: every cluster of a configuration against its goals, the worst first."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.cli import entry, screen
from agent.cli.options import cost, deadline, repository_options, target_options
from agent.cli.options.sources import add_sources, complete_cluster, read_config
from agent.cli.options.without_effect import of_reading, refuse
from agent.cli.verdicts import sources_of, verdict_of
from parsers.sentences import message_of, tr

if TYPE_CHECKING:
    from agent.config.model import Config
    from rules.fleet.line import FleetLine
    from rules.verdict.report import Report

_DESCRIPTION = """\
Checks every cluster of a configuration as pitr-check does, and compares it with its goals: how far
back it can be restored, what is unprotected now, when a goal will be broken and why, who needs a
backup, what is obsolete. It reads files, asks each server once, and writes nothing but
the ledger, if there is one.
"""

_EPILOG = """\
examples:
  pitr-check fleet --config /etc/pitr-agent/pitr.yaml
  pitr-check fleet --config pitr.yaml --within 3d --format html > fleet.html
"""
_STATUSES = """\
exit status: that of the worst cluster
  0  every cluster is fine
  1  warning
  2  critical: of some cluster it is proven that it cannot be restored
  3  unknown: some cluster could not be checked, and none is critical
  64 the command line or the configuration is wrong
"""

_TYPED: Final = ("depth", "workers", "scheduler", "ledger", "budget", "io_limit", "reverify")


def body(argv: Sequence[str]) -> int:
    """Print them, and give the worst status."""
    from rules.fleet.line import WORST_FIRST

    arguments = _parser().parse_args(argv)
    one = tr(
        "is for one cluster, and fleet is about all: type"
        "  pitr-check --config {config} --cluster {cluster}",
        config=arguments.config,
        cluster=arguments.cluster,
    )
    refuse(
        [
            ("--cluster", arguments.cluster is not None, one),
            ("--color", arguments.color and arguments.format != "text", tr("is for --format text")),
        ]
    )
    now, config = entry.now(arguments.now), read_config(arguments.config)
    if arguments.ledger is None and config.ledger:
        arguments.ledger = str(config.ledger)
    refuse(of_reading(arguments, reverify=arguments.reverify))
    cost.check(arguments)

    def print_failure(why: str) -> None:
        from agent.fleet.collect import unknown_lines

        print(_render(unknown_lines(config, why, now), arguments, now))

    with deadline.documented(print_failure if arguments.format != "text" else None):
        lines = _collect(arguments, config, now)
    if arguments.format == "text":
        from agent.fleet.render_text import fleet_text

        within = timedelta(seconds=arguments.within)
        screen.show(fleet_text(lines, now, within), arguments.color, verdict_first=True)
    else:
        print(_render(lines, arguments, now))
    return min((line.verdict for line in lines), key=WORST_FIRST.index).status


def _parser() -> argparse.ArgumentParser:
    parser = entry.Parser(
        prog="pitr-check fleet",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        statuses=_STATUSES,
        in_brief=("at what cost",),
    )
    parser.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="the agent's configuration"
    )
    parser.add_argument("--cluster", help=argparse.SUPPRESS)
    parser.add_argument(
        "--depth",
        choices=("names", "headers", "records"),
        help="how deep to check the WAL (default: the configuration's)",
    )
    parser.add_argument(
        "--within",
        type=entry.duration,
        default=7 * 86400.0,
        metavar="DURATION",
        help="name the clusters that need a backup within this time, as 3d (default: 7d)",
    )
    parser.add_argument("--now", metavar="T", help="judge as of this time (ISO 8601)")
    parser.add_argument(
        "--format",
        default="text",
        choices=("text", "json", "csv", "html"),
        help="json: pitr-fleet/1 (default: %(default)s)",
    )
    screen.add_color(parser)
    cost.add_options(parser.add_argument_group("at what cost"))
    return parser


def _collect(arguments: argparse.Namespace, config: Config, now: datetime) -> list[FleetLine]:
    from agent.fleet.collect import fleet_lines

    defaults = vars(_of_cluster().parse_args([]))
    typed = {name: getattr(arguments, name) for name in _TYPED}

    def look(index: int) -> Report:
        return _judge(argparse.Namespace(**{**defaults, **typed}), config, index, now)

    return fleet_lines(config, look, now)


def _judge(arguments: argparse.Namespace, config: Config, index: int, now: datetime) -> Report:
    """One cluster. What keeps it from being checked is its own: the others are."""
    from agent.check.run import report_failure

    cluster = config.resolved()[index]
    context = cluster.context(now)
    if not (cluster.has_archives or cluster.has_backups):
        return report_failure(context, tr("no archive, backups or repository is configured"), now)
    try:
        complete_cluster(arguments, config, index)
        context = target_options.context_of(arguments)
        return verdict_of(arguments, sources_of(arguments), context, now)
    except Exception as error:
        return report_failure(context, message_of(error) or type(error).__name__, now)


def _of_cluster() -> argparse.ArgumentParser:
    """What `pitr-check` would be told of one cluster."""
    parser = entry.Parser(prog="pitr-check fleet", add_help=False)
    add_sources(parser.add_argument_group())
    repository_options.add_options(parser.add_argument_group())
    cost.add_options(parser.add_argument_group())
    parser.set_defaults(
        **target_options.NO_TARGET, other_machine=True, backup_depth=None, timeline=None,
        depth=None, format="json", now=None,
    )  # fmt: skip
    return parser


def _render(lines: Sequence[FleetLine], arguments: argparse.Namespace, now: datetime) -> str:
    if arguments.format == "json":
        from agent.documents.fleet import fleet_document
        from agent.documents.render import render_json

        return render_json(fleet_document(lines))
    if arguments.format == "csv":
        from agent.documents.fleet import render_csv

        return render_csv(lines)
    from agent.fleet.render_html import render_fleet

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # as the document says of itself
    return render_fleet(lines, now, timedelta(seconds=arguments.within))
