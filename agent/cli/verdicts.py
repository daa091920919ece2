"""The verdict that `pitr-check` and its subcommands show in their own ways."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agent.cli import entry
from agent.cli.options import cost, repository_options, target_options
from agent.cli.options.sources import complete_sources
from agent.cli.options.without_effect import refuse
from agent.errors import UsageError
from parsers.sentences import tr

if TYPE_CHECKING:
    from agent.inputs.sources import Sources
    from rules.case.context import Context
    from rules.verdict.report import Report


def sources_of(arguments: argparse.Namespace) -> Sources:
    """What was named, opened. Raises UsageError, CannotCheck."""
    from agent.inputs.sources import Sources

    return Sources(
        archives=arguments.archives,
        elsewhere=arguments.elsewhere,
        backups=arguments.backups,
        backups_below=arguments.backups_below,
        backup_depth=arguments.backup_depth,
        reading=cost.reading(arguments),
        repositories=repository_options.open_repositories(arguments),
    )


def verdict_of(
    arguments: argparse.Namespace,
    sources: Sources,
    context: Context,
    now: datetime,
    *,
    wait_seconds: float = 0.0,
    **how: Any,
) -> Report:
    """What is there, judged: now, or once it has come. Raises CannotCheck."""
    from agent.check.run import check
    from agent.inputs.progress import progress_bar

    with progress_bar(shown=arguments.format == "text") as on_progress:
        return check(
            context, sources, now, wait_seconds=wait_seconds, on_progress=on_progress, **how
        )


def begin_at_backups(
    arguments: argparse.Namespace, what: str
) -> tuple[argparse.Namespace, Context, datetime]:
    """What was typed for a subcommand that starts from backups, completed. Raises UsageError."""
    complete_sources(arguments)
    if not (arguments.backups or arguments.backups_below or arguments.repositories):
        raise UsageError(
            tr("{what} begins at a backup: name --backup, --backups or --repository", what=what)
        )
    refuse(
        [("--color", arguments.color and arguments.format != "text", tr("is for --format text"))]
    )
    return arguments, target_options.context_of(arguments), entry.now(arguments.now)
