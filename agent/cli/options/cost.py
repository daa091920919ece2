"""The options about what the reading of segments may cost, alike for all that read archives."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from agent.cli import entry
from agent.cli.options import deadline
from agent.errors import UsageError
from agent.language import say
from parsers.sentences import message_of, tr

if TYPE_CHECKING:
    from agent.config.model import Config, ResolvedCluster
    from agent.inputs.gather import ReadingOptions
    from agent.ledger.store import Ledger


def add_options(cost: argparse._ArgumentGroup) -> None:
    """--workers, --scheduler, --ledger, --budget, --timeout, --io-limit, --reverify."""
    cost.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help=tr(
            "segments that are read at once (default: the processors, {count} here)",
            count=os.cpu_count() or 1,
        ),
    )
    cost.add_argument(
        "--scheduler",
        metavar="URL",
        help="let the workers of this Dask cluster read segments, with credentials of their own:"
        " tcp://host:8786 or tls://host:8786",
    )
    cost.add_argument(
        "--ledger",
        metavar="FILE",
        help="remember results in this SQLite file: unchanged segments are not read again",
    )
    cost.add_argument(
        "--budget",
        type=entry.duration,
        metavar="DURATION",
        help="time limit for reading segments, newest first; with a ledger the next run continues",
    )
    add_timeout(cost)
    cost.add_argument(
        "--io-limit",
        type=_rate,
        metavar="RATE",
        help="limit for reading segments, all together, as 50MB/s",
    )
    cost.add_argument(
        "--reverify",
        type=entry.duration,
        metavar="AGE",
        help="read segments again that the ledger recorded longer ago (default: 7d)",
    )


def add_timeout(options: argparse._ActionsContainer) -> None:
    """--timeout, for `deadline.begin`."""
    options.add_argument(
        "--timeout",
        type=_limit,
        metavar="DURATION",
        help="time limit for all of it: then it ends, with status 3 and nothing proven",
    )


def _limit(text: str) -> float:
    seconds = entry.duration(text)
    if not seconds:
        raise argparse.ArgumentTypeError(tr("nothing is done in no time: write a duration, as 5m"))
    return seconds


def _rate(text: str) -> float:
    from agent.config.rates import parse_rate

    try:
        return parse_rate(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(message_of(error)) from None


def check(arguments: argparse.Namespace) -> None:
    """Fill in the workers, and begin to count the time. Raises UsageError for what cannot be."""
    deadline.begin(arguments.timeout)
    if arguments.workers is None:
        arguments.workers = os.cpu_count() or 1
    if arguments.workers < 1:
        raise UsageError(tr("--workers {workers}: at least 1 is needed", workers=arguments.workers))
    if arguments.scheduler is not None:
        _check_scheduler(arguments.scheduler)
    if arguments.ledger == "":  # an unset variable in a script
        raise UsageError(tr("--ledger is empty: name its file, as --ledger /var/lib/pitr.sqlite"))


def _check_scheduler(url: str) -> None:
    from agent.dask_scan.address import MISSING, is_installed, scheduler_url

    try:
        scheduler_url(url)
    except ValueError as error:
        raise UsageError(tr("--scheduler {error}", error=error)) from None
    if not is_installed():
        raise UsageError(tr("--scheduler {url}: {missing}", url=url, missing=MISSING))


def take_from(config: Config, cluster: ResolvedCluster, arguments: argparse.Namespace) -> None:
    """Fill in what the agent's configuration says, where no option was given."""
    if arguments.ledger is None and config.ledger:
        arguments.ledger = str(config.ledger)
    if arguments.scheduler is None:
        arguments.scheduler = cluster.scan_on
    if arguments.reverify is None:
        arguments.reverify = cluster.reverify
    if arguments.io_limit is None:
        arguments.io_limit = cluster.io_limit


def reading(arguments: argparse.Namespace) -> ReadingOptions:
    """What these options come to. Opens the ledger."""
    from agent.archive.limits import REVERIFY_SECONDS, Limits
    from agent.inputs.gather import ReadingOptions

    age = REVERIFY_SECONDS if arguments.reverify is None else arguments.reverify
    reads = getattr(arguments, "depth", "records") != "names"
    return ReadingOptions(
        workers=arguments.workers,
        scheduler=arguments.scheduler,
        ledger=_ledger(arguments.ledger) if arguments.ledger and reads else None,
        limits=Limits(bytes_per_second=arguments.io_limit, reverify_seconds=age),
        budget_seconds=arguments.budget,
        digests=getattr(arguments, "evidence", None) is not None,
    )


def _ledger(path: str) -> Ledger:
    from agent.ledger.store import Ledger

    def complain(line: str) -> None:
        print(say(line), file=sys.stderr)

    return Ledger(path, complain)
