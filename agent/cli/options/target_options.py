"""The options that name a recovery target, and what is asked with them."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from agent.cli.options import repository_options
from agent.cli.options.without_effect import of_a_target, refuse
from agent.errors import UsageError
from parsers.sentences import tr

if TYPE_CHECKING:
    from rules.case.context import Context
    from rules.model.goal import Goal
    from rules.model.target import Target

_TARGETS = ("time", "lsn", "xid", "name")
# What a command that has none of these options stands for: the end of the WAL.
NO_TARGET: Final = {
    **dict.fromkeys((f"target_{name}" for name in _TARGETS), None),
    "target_immediate": False,
    "exclusive": False,
    "action": None,
}


def add_options(target: argparse._ArgumentGroup) -> None:
    one = target.add_mutually_exclusive_group()
    for name in _TARGETS:
        one.add_argument(
            f"--target-{name}",
            metavar=name[0].upper(),
            help=tr("as {setting}", setting=f"recovery_target_{name}"),
        )
    immediate = tr("as {setting}", setting="recovery_target")
    one.add_argument("--target-immediate", action="store_true", help=immediate)
    target.add_argument("--exclusive", action="store_true", help="recovery_target_inclusive = off")
    target.add_argument("--timeline", help="latest (default), current or a number")
    target.add_argument(
        "--action", choices=("promote", "pause", "shutdown"), help="default: promote"
    )


def _target(arguments: argparse.Namespace) -> Target:
    from rules.model.target import Target

    kind, value = "none", None
    for name in _TARGETS:
        given = getattr(arguments, f"target_{name}")
        if given is not None:
            kind, value = name, given
    if arguments.target_immediate:
        kind = "immediate"
    return Target(
        type=kind,
        value=value,
        timeline=arguments.timeline or "latest",
        inclusive=not arguments.exclusive,
        action=arguments.action or repository_options.default_action(arguments, kind),
    )


def _read_goal(target: Target) -> Goal:
    """Read the target's value; a time without a zone waits for the backups'."""
    from agent.zones import find_zone
    from parsers.errors import ParseError
    from rules.model.goal import read_goal

    try:
        return read_goal(target, zone=None, find_zone=find_zone)
    except ParseError as error:
        raise UsageError(error.message) from None


def _held_to_servers(target: Target) -> Target:
    """The same, and whether a server would take its time as it was typed."""
    from agent.zones import find_zone
    from rules.model.goal import is_taken_as_setting

    typed = target.type == "time" and target.value is not None
    refused = typed and not is_taken_as_setting(target.value or "", find_zone)
    return replace(target, is_refused=refused)


def context_of(arguments: argparse.Namespace) -> Context:
    """What is asked, and what the configuration says of the cluster. Raises UsageError."""
    from rules.case.context import Asked, Context

    refuse(of_a_target(arguments))
    target, context = _target(arguments), arguments.context or Context(depth="records")
    told: int | None = getattr(arguments, "server_version", None)
    return replace(
        context,
        depth=arguments.depth,
        server_version=told or context.server_version,
        asked=Asked(target=_held_to_servers(target), goal=_read_goal(target)),
        way=repository_options.way_of(arguments),
        on_this_machine=not arguments.other_machine,
        watches_server=False,
    )


def release(text: str) -> int:
    """server_version_num of what was typed, for argparse. Raises ArgumentTypeError."""
    from rules.model.releases import parse_release

    found = parse_release(text)
    if found is None:
        raise argparse.ArgumentTypeError(
            tr("{text!r} is not a minor release: write it as 18.7", text=text)
        )
    return found
