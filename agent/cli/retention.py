"""`pitr-check retention`: what an archive must keep for its backups. It deletes nothing."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent.cli import cost, entry
from agent.cli.check import add_sources, complete_sources

if TYPE_CHECKING:
    from agent.retention.advice import Advice, Asked

_DESCRIPTION = """\
Says which WAL each base backup still needs, which none needs, and what a deletion would cost.
It deletes nothing.
"""

_EPILOG = """\
examples:
  pitr-check retention --archive /backup/wal --backups /backup
  pitr-check retention --archive /backup/wal --backups /backup --keep 2
  pitr-check retention --archive /backup/wal --backups /backup --up-to 000000010000000000000042
"""


def body(argv: Sequence[str]) -> int:
    """Advise, print, and give the verdict's status."""
    arguments = _parser().parse_args(argv)
    complete_sources(arguments)
    if not arguments.archives:
        raise entry.UsageError("name the --archive (type  pitr-check retention --help)")
    if not (arguments.backups or arguments.backups_below):
        raise entry.UsageError("without backups nothing is needed: name --backups or --backup")
    if arguments.elsewhere:
        raise entry.UsageError("--wal has no place here: advice is given about an --archive alone")
    from agent.check.progress import progress_bar
    from agent.retention.advice import advise

    asked = _asked(arguments)
    try:
        with progress_bar(shown=arguments.format == "text") as on_progress:
            advice = advise(asked, on_progress or (lambda done, total: None))
    except entry.UsageError:
        raise
    except (Exception, KeyboardInterrupt) as error:
        if arguments.format == "json":  # programs get their document whatever happens
            from agent.retention.render_json import render_failure

            print(render_failure(str(error) or "interrupted", arguments.depth))
        raise
    if arguments.format == "list" and not advice.is_sure:
        raise entry.CannotCheck(f"no list: {'; '.join(advice.notes)}")
    print(_render(advice, arguments.format))
    return advice.verdict.status


def _parser() -> argparse.ArgumentParser:
    parser = entry.Parser(prog="pitr-check retention", description=_DESCRIPTION, epilog=_EPILOG)
    add_sources(parser.add_argument_group("what to look at"))
    what = parser.add_argument_group("what to keep")
    what.add_argument("--keep", type=int, metavar="N", help="the newest N backups (default: all)")
    what.add_argument(
        "--up-to", metavar="SEGMENT|T", help="what deleting everything before it would cost"
    )
    how = parser.add_argument_group("how")
    how.add_argument("--depth", default="records", choices=("names", "records"),
                     help="names: quick, windows by listing (default: %(default)s)")  # fmt: skip
    how.add_argument(
        "--format",
        default="text",
        choices=("text", "json", "list"),
        help="list: the paths of what nothing needs (default: text)",
    )
    cost.add_options(parser.add_argument_group("at what cost"))
    return parser


def _asked(arguments: argparse.Namespace) -> Asked:
    from agent.retention.advice import Asked

    if arguments.keep is not None and arguments.keep < 1:
        raise entry.UsageError(f"--keep {arguments.keep}: at least 1 backup must stay")
    segment, up_to_us = None, None
    if arguments.up_to is not None and re.fullmatch(r"[0-9A-Fa-f]{24}", arguments.up_to):
        segment = arguments.up_to.upper()
    elif arguments.up_to is not None:
        up_to_us = _time(arguments)
    return Asked(
        archives=arguments.archives,
        backups=arguments.backups,
        backups_below=arguments.backups_below,
        depth=arguments.depth,
        reading=cost.reading(arguments),
        keep=arguments.keep,
        up_to_segment=segment,
        up_to_us=up_to_us,
    )


def _time(arguments: argparse.Namespace) -> int:
    from datetime import UTC

    from agent.backups.settings import find_zone
    from parsers.errors import ParseError
    from rules.goal import has_zone, read_time

    if arguments.depth == "names":
        raise entry.UsageError("--up-to a time needs --depth records: names do not tell times")
    try:
        at_us = read_time(arguments.up_to, UTC, find_zone)
    except ParseError as error:
        raise entry.UsageError(f"--up-to: {error.message}, or a segment's name") from None
    if not has_zone(arguments.up_to):
        raise entry.UsageError(f"--up-to {arguments.up_to!r}: write the zone too, as +00")
    return at_us


def _render(advice: Advice, form: str) -> str:
    if form == "json":
        from agent.retention.render_json import render_json

        return render_json(advice)
    from agent.retention.render_text import render_list, render_text

    return render_list(advice) if form == "list" else render_text(advice)
