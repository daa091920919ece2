"""The options about what the reading of segments may cost, alike for all that read archives."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from agent.cli import entry

if TYPE_CHECKING:
    from agent.check.gather import Reading
    from agent.config import ClusterConfig, Config


def add_options(cost: argparse._ArgumentGroup) -> None:
    """--workers, --ledger, --budget, --io-limit, --reverify."""
    cost.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes that read segments (default: %(default)s)",
    )
    cost.add_argument(
        "--ledger",
        metavar="FILE",
        help="remember there what was read (SQLite): what did not change since is not read again",
    )
    cost.add_argument(
        "--budget",
        type=entry.duration,
        metavar="DURATION",
        help="how long to read segments, newest first; with a ledger the next run goes on",
    )
    cost.add_argument(
        "--io-limit",
        type=_rate,
        metavar="RATE",
        help="how fast to read segments, all processes together, as 50MB/s",
    )
    cost.add_argument(
        "--reverify",
        type=entry.duration,
        metavar="AGE",
        help="read again what the ledger knows from longer ago (default: 7d)",
    )


def _rate(text: str) -> float:
    from agent.rates import parse_rate

    try:
        return parse_rate(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def check(arguments: argparse.Namespace) -> None:
    """Raise UsageError for what cannot be."""
    if arguments.workers < 1:
        raise entry.UsageError(f"--workers {arguments.workers}: at least 1 is needed")
    if arguments.ledger == "":  # an unset variable in a script
        raise entry.UsageError("--ledger is empty: name its file, as --ledger /var/lib/pitr.sqlite")


def take_from(config: Config, cluster: ClusterConfig, arguments: argparse.Namespace) -> None:
    """Fill in what the agent's configuration says, where no option was given."""
    if arguments.ledger is None and config.ledger:
        arguments.ledger = str(config.ledger)
    arguments.reverify = arguments.reverify or cluster.reverify
    arguments.io_limit = arguments.io_limit or cluster.io_limit


def reading(arguments: argparse.Namespace) -> Reading:
    """What these options come to. Opens the ledger."""
    from agent.archive.limits import REVERIFY_SECONDS, Limits
    from agent.check.gather import Reading
    from agent.ledger.store import Ledger

    def complain(line: str) -> None:
        print(line, file=sys.stderr)

    reads = getattr(arguments, "depth", "records") != "names"
    return Reading(
        workers=arguments.workers,
        ledger=Ledger(arguments.ledger, complain) if arguments.ledger and reads else None,
        limits=Limits(
            bytes_per_second=arguments.io_limit,
            reverify_seconds=arguments.reverify or REVERIFY_SECONDS,
        ),
        budget_seconds=arguments.budget,
    )
