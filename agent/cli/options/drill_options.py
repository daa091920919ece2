"""The options of `pitr-check --drill`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.cli import entry
from agent.errors import UsageError
from agent.language import say
from parsers.sentences import tr

if TYPE_CHECKING:
    from agent.check.drill import ToolChoice
    from agent.check.run import Drill
    from agent.config.drills import DrillConfig
    from agent.drill.drill import Order
    from agent.repositories.sources import RepositorySources
    from rules.verdict.drill_target import Chance

# option -> its attribute: they mean nothing without --drill
_OF_A_DRILL: Final = {
    "--pg-bindir": "pg_bindir",
    "--drill-directory": "drill_directory",
    "--probe": "probes",
    "--probes": "probes_file",
    "--nice": "nice",
    "--drill-timeout": "drill_timeout",
    "--random-instant": "random_instant",
    "--drilled": "drilled",
    "--drill-with": "drill_with",
    "--drill-user": "drill_user",
    "--confine": "confine",
    "--preload": "preload",
}


def add_drill_options(drill: argparse._ArgumentGroup) -> None:
    """Add them to a parser."""
    _add_restoring(drill)
    _add_asking(drill)


def _add_restoring(drill: argparse._ArgumentGroup) -> None:
    """Who restores, where, and as whom."""
    drill.add_argument(
        "--drill", action="store_true", help="restore for real, on a scratch server, and compare"
    )
    drill.add_argument(
        "--drill-with",
        choices=("reader", "tool"),
        help="who restores a repository's backup: our own reader (default), or the tool that made"
        " it, pgBackRest or Barman, whose restore is then held against what --via tool predicts",
    )
    drill.add_argument(
        "--pg-bindir",
        type=Path,
        metavar="DIR",
        help="server programs to restore with (default: where packages install them)",
    )
    drill.add_argument(
        "--drill-directory",
        type=Path,
        metavar="DIR",
        help="scratch area, with room for the backup (default: TMPDIR or /var/tmp)",
    )
    drill.add_argument(
        "--drill-user",
        metavar="NAME",
        help="account that root runs the scratch server under; it should own nothing else"
        " (default: pitr-drill, or a number that nobody has)",
    )
    drill.add_argument(
        "--confine",
        choices=("auto", "always", "never"),
        help="keep the scratch server from the network with bubblewrap: where it is installed"
        " (auto, the default), always, or never",
    )
    drill.add_argument(
        "--preload",
        action="append",
        default=[],
        metavar="LIBRARY",
        help="a library of the installation that the scratch server loads at its start, where the"
        " WAL or a probe needs it; may be repeated (default: none, whatever the backup says)",
    )


def _add_asking(drill: argparse._ArgumentGroup) -> None:
    """What is asked of the restored cluster, how long, and of which instant."""
    drill.add_argument(
        "--probe",
        action="append",
        default=[],
        metavar="SQL=EXPECTED",
        dest="probes",
        help="a query to run on the restored cluster, and its expected answer; may be repeated",
    )
    drill.add_argument(
        "--probes", type=Path, metavar="FILE", dest="probes_file", help="YAML list of probes"
    )
    drill.add_argument(
        "--drill-timeout",
        type=entry.duration,
        metavar="DURATION",
        help="time limit, as 2h; a step that still hangs is abandoned and named (default: 12h)",
    )
    drill.add_argument(
        "--nice", action="store_true", help="drill with the lowest CPU and disk priority"
    )
    drill.add_argument(
        "--random-instant",
        action="store_true",
        help="drill a random instant within the restorable windows",
    )
    drill.add_argument(
        "--drilled",
        action="append",
        default=[],
        metavar="TIME",
        help="an instant already drilled (ISO 8601); prefer a different one; may be repeated",
    )


def take_drill_from(drill: DrillConfig, arguments: argparse.Namespace) -> None:
    """Fill in what is written in the configuration, where no option was given.

    When drills are made, and to which instants those of the agent go (`at`), is a schedule: whoever
    types --drill names an instant, or takes the newest.
    """
    written = {name: getattr(drill, name) for name in drill.model_fields_set}
    arguments.drill_directory = arguments.drill_directory or written.get("directory")
    arguments.pg_bindir = arguments.pg_bindir or written.get("pg_bindir")
    arguments.drill_user = arguments.drill_user or written.get("user")
    arguments.confine = arguments.confine or written.get("confine")
    arguments.preload = arguments.preload or list(written.get("preload", ()))
    arguments.nice = arguments.nice or written.get("nice", False)
    if arguments.drill_timeout is None:
        arguments.drill_timeout = written.get("timeout")
    if not (arguments.probes or arguments.probes_file):
        arguments.configured_probes = tuple(probe.facts() for probe in drill.probes)


def drill_asked_for(
    arguments: argparse.Namespace, target_type: str, repositories: RepositorySources
) -> Drill | None:
    """The drill that was asked for; None for none. Raises UsageError."""
    if not arguments.drill:
        for option, attribute in _OF_A_DRILL.items():
            if getattr(arguments, attribute):
                raise UsageError(tr("{option} is for a drill: add --drill", option=option))
        return None
    if arguments.depth != "records":
        raise UsageError(tr("--drill needs --depth records: it is held against the prediction"))
    from agent.check.drill import drill_for

    chance = _chance(arguments, target_type)
    return drill_for(order_of(arguments), chance, repositories, _by_tool(arguments))


def _by_tool(arguments: argparse.Namespace) -> ToolChoice | None:
    """Whether the tool is to restore. Raises UsageError where it cannot be asked to."""
    if arguments.drill_with != "tool":
        return None
    if not arguments.repositories:
        raise UsageError(tr("--drill-with tool is for --repository URL: name one"))
    if arguments.via == "restore_command":
        raise UsageError(tr("--drill-with tool is held against --via tool: leave --via out"))
    if arguments.random_instant:
        raise UsageError(tr("--random-instant chooses the target, --drill-with tool takes yours"))
    from agent.check.drill import ToolChoice

    return ToolChoice(tuple(arguments.repositories), arguments.pgbackrest)


def order_of(arguments: argparse.Namespace) -> Order:
    """How the drill is to be made. Raises UsageError."""
    from agent.drill.area import default_base
    from agent.drill.drill import DEFAULT_TIMEOUT_SECONDS, Order
    from agent.drill.probes import parse_probe, read_probes

    try:
        probes = tuple(parse_probe(text) for text in arguments.probes)
        if arguments.probes_file:
            probes += read_probes(arguments.probes_file)
    except ValueError as error:
        raise UsageError(tr("--probe: {error}", error=error)) from None
    timeout = arguments.drill_timeout
    return Order(
        base=arguments.drill_directory or default_base(),
        bindir=arguments.pg_bindir,
        probes=probes or getattr(arguments, "configured_probes", ()),
        nice=arguments.nice,
        preload=tuple(arguments.preload),
        user=arguments.drill_user,
        confine=arguments.confine or "auto",
        timeout_seconds=DEFAULT_TIMEOUT_SECONDS if timeout is None else timeout,
        announce=lambda line: print(say(line), file=sys.stderr, flush=True),
    )


def _chance(arguments: argparse.Namespace, target_type: str) -> Chance | None:
    if not arguments.random_instant:
        if arguments.drilled:
            raise UsageError(tr("--drilled is for --random-instant: add it"))
        return None
    if target_type != "none":
        raise UsageError(tr("--random-instant chooses the target: name none"))
    from random import Random

    from rules.verdict.drill_target import Chance

    drilled = tuple(entry.instant("--drilled", text) for text in arguments.drilled)
    return Chance(random=Random(), drilled=drilled)
