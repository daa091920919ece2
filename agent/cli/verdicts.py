"""The verdict that `pitr-check` and its subcommands show in their own ways."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import TYPE_CHECKING

from agent.cli.options import cost, repository_options

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
    arguments: argparse.Namespace, sources: Sources, context: Context, now: datetime
) -> Report:
    """What is there now, judged once. Raises CannotCheck."""
    from agent.check.run import check
    from agent.inputs.progress import progress_bar

    with progress_bar(shown=arguments.format == "text") as on_progress:
        return check(context, sources, now, wait_seconds=0.0, on_progress=on_progress)
