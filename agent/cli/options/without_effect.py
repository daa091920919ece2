"""Options that change nothing beside the others: refused, as whoever typed them expects an effect.

What the configuration says is no option: it may have more than a command uses.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Final

from agent.errors import UsageError
from parsers.sentences import tr

Rule = tuple[str, object, str]  # the option, whether it is without effect, what gives it one

_STOPS: Final = ("time", "lsn", "xid")  # recovery_target_inclusive is about these alone


def refuse(rules: Iterable[Rule]) -> None:
    """Raises UsageError for the first that is without effect."""
    for option, idle, why in rules:
        if idle:
            raise UsageError(tr("{option} {why}", option=option, why=why))


def of_a_target(arguments: argparse.Namespace) -> Iterable[Rule]:
    """Of the options about a recovery target."""
    stops = any(getattr(arguments, f"target_{name}") is not None for name in _STOPS)
    named = stops or arguments.target_name is not None or arguments.target_immediate
    yield (
        "--exclusive",
        arguments.exclusive and not stops,
        tr("is for --target-time, --target-lsn or --target-xid: add one"),
    )
    yield (
        "--action",
        arguments.action and not named,
        tr("is for a recovery target: add one, as --target-time T"),
    )


def of_sources(arguments: argparse.Namespace, *, backup_depth: object) -> Iterable[Rule]:
    """Once the configuration has filled in what is to be read; `backup_depth` as it was typed."""
    backups = arguments.backups or arguments.backups_below or arguments.repositories
    wal = arguments.archives or arguments.elsewhere or arguments.repositories
    yield (
        "--layout",
        arguments.layout and not arguments.archives,
        tr("is for --archive URL: add it"),
    )
    yield (
        "--wait",
        getattr(arguments, "wait", None) and not wal,
        tr("waits for WAL to be archived: name the --archive"),
    )
    yield "--backup-depth", backup_depth and not backups, tr("is for --backup URL: add it")


def of_reading(arguments: argparse.Namespace, *, reverify: object) -> Iterable[Rule]:
    """Of the options about the cost; `reverify` as it was typed.

    Those that bound a cost may stand beside a depth that has none: scripts give them always.
    """
    yield (
        "--reverify",
        reverify is not None and arguments.ledger is None,
        tr("is for what a ledger remembers: add --ledger FILE"),
    )
