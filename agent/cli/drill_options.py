"""The options of `pitr-check --drill`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.cli import entry

if TYPE_CHECKING:
    from agent.check.run import Drill
    from rules.drill_target import Chance

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
}


def add_drill_options(drill: argparse._ArgumentGroup) -> None:
    """Add them to a parser."""
    drill.add_argument(
        "--drill", action="store_true", help="restore for real, on a scratch server, and compare"
    )
    drill.add_argument(
        "--pg-bindir",
        type=Path,
        metavar="DIR",
        help="the programs of the server to restore with (default: where packages put them)",
    )
    drill.add_argument(
        "--drill-directory",
        type=Path,
        metavar="DIR",
        help="where the scratch area goes: room for the backup (default: TMPDIR or /var/tmp)",
    )
    drill.add_argument(
        "--probe",
        action="append",
        default=[],
        metavar="SQL=EXPECTED",
        dest="probes",
        help="a query of the restored cluster, and its answer; may be repeated",
    )
    drill.add_argument(
        "--probes", type=Path, metavar="FILE", dest="probes_file", help="a YAML list of them"
    )
    drill.add_argument(
        "--drill-timeout",
        type=entry.duration,
        metavar="DURATION",
        help="how long it may take, as 2h; what hangs then is left and named (default: 12h)",
    )
    drill.add_argument(
        "--nice", action="store_true", help="drill with the lowest priority, of CPU and disk"
    )
    drill.add_argument(
        "--random-instant",
        action="store_true",
        help="drill an instant of the restorable windows that chance chooses",
    )
    drill.add_argument(
        "--drilled",
        action="append",
        default=[],
        metavar="TIME",
        help="an instant that was drilled before (ISO 8601): go where there is none; may be "
        "repeated",
    )


def drill_asked_for(arguments: argparse.Namespace, target_type: str) -> Drill | None:
    """The drill that was asked for; None for none. Raises UsageError."""
    if not arguments.drill:
        for option, attribute in _OF_A_DRILL.items():
            if getattr(arguments, attribute):
                raise entry.UsageError(f"{option} is for a drill: add --drill")
        return None
    if arguments.depth != "records":
        raise entry.UsageError("--drill needs --depth records: it is held against the prediction")
    from agent.check.drill import drill_for
    from agent.drill.area import default_base
    from agent.drill.drill import DEFAULT_TIMEOUT_SECONDS, Order
    from agent.drill.probes import parse_probe, read_probes

    try:
        probes = tuple(parse_probe(text) for text in arguments.probes)
        if arguments.probes_file:
            probes += read_probes(arguments.probes_file)
    except ValueError as error:
        raise entry.UsageError(f"--probe: {error}") from None
    timeout = arguments.drill_timeout
    order = Order(
        base=arguments.drill_directory or default_base(),
        bindir=arguments.pg_bindir,
        probes=probes,
        nice=arguments.nice,
        timeout_seconds=DEFAULT_TIMEOUT_SECONDS if timeout is None else timeout,
        announce=lambda line: print(line, file=sys.stderr, flush=True),
    )
    return drill_for(order, _chance(arguments, target_type))


def _chance(arguments: argparse.Namespace, target_type: str) -> Chance | None:
    if not arguments.random_instant:
        if arguments.drilled:
            raise entry.UsageError("--drilled is for --random-instant: add it")
        return None
    if target_type != "none":
        raise entry.UsageError("--random-instant chooses the target: name none")
    from random import Random

    from rules.drill_target import Chance

    drilled = tuple(entry.instant("--drilled", text) for text in arguments.drilled)
    return Chance(random=Random(), drilled=drilled)
