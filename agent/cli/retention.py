"""`pitr-check retention`: what an archive must keep for its backups. It deletes nothing."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from agent.cli import entry, screen
from agent.cli.options import cost, deadline, repository_options
from agent.cli.options.sources import add_sources, complete_sources
from agent.cli.options.without_effect import refuse
from agent.cli.parser import SHARED
from agent.errors import CannotCheck, UsageError
from parsers.sentences import joined, tr

if TYPE_CHECKING:
    from agent.retention.advice import Advice, RetentionRequest

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

_STATUSES = """\
exit status:
  0  nothing that is kept would lose anything
  1  a backup's window would become shorter
  2  a backup could not be restored any more
  3  unknown: a backup or the archive could not be read
  64 the command line or the configuration is wrong
"""


def body(argv: Sequence[str]) -> int:
    """Advise, print, and give the verdict's status."""
    arguments = _parser().parse_args(argv)
    complete_sources(arguments)
    of_text = arguments.format == "text"
    refuse([("--color", arguments.color and not of_text, tr("is for --format text"))])
    if not (arguments.archives or arguments.repositories):
        raise UsageError(tr("name the --archive (type  pitr-check retention --help)"))
    if not (arguments.backups or arguments.backups_below or arguments.repositories):
        raise UsageError(tr("without backups nothing is needed: name --backups or --backup"))
    if arguments.elsewhere:
        raise UsageError(tr("--wal cannot be used here: retention is about an --archive alone"))
    from agent.inputs.progress import progress_bar
    from agent.retention.advice import advise

    asked = _asked(arguments)
    failing = partial(_print_failure, depth=arguments.depth)
    with (
        deadline.documented(failing if arguments.format == "json" else None),
        progress_bar(shown=arguments.format == "text") as on_progress,
    ):
        advice = advise(asked, on_progress or (lambda *_: None))
    if arguments.format == "list" and not advice.is_sure:
        raise CannotCheck(tr("no list: {notes}", notes=joined("; ", advice.notes)))
    if arguments.format == "text":
        from agent.retention.render_text import retention_lines

        screen.show(retention_lines(advice), arguments.color)
    else:
        print(_render(advice, arguments.format))
    return advice.verdict.status


def _print_failure(why: str, depth: str) -> None:
    from agent.documents.render import render_json
    from agent.retention.document import failure_document

    print(render_json(failure_document(why, depth)))


def _parser() -> argparse.ArgumentParser:
    parser = entry.Parser(
        prog="pitr-check retention",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        statuses=_STATUSES,
        in_brief=(*SHARED, "what to check"),
    )
    add_sources(parser.add_argument_group("what to check"))
    repository_options.add_sources(parser.add_argument_group("repositories of other tools"))
    what = parser.add_argument_group("what to keep")
    what.add_argument("--keep", type=int, metavar="N", help="keep the newest N (default: all)")
    what.add_argument(
        "--up-to", metavar="SEGMENT|T", help="what would be lost by deleting everything before it"
    )
    how = parser.add_argument_group("how")
    how.add_argument("--depth", default="records", choices=("names", "records"),
                     help="names: quick, windows by listing (default: %(default)s)")  # fmt: skip
    how.add_argument(
        "--format",
        default="text",
        choices=("text", "json", "list"),
        help="list: the paths of files that are not needed (default: text)",
    )
    screen.add_color(how)
    cost.add_options(parser.add_argument_group("at what cost"))
    return parser


def _asked(arguments: argparse.Namespace) -> RetentionRequest:
    from agent.retention.advice import RetentionRequest

    if arguments.keep is not None and arguments.keep < 1:
        raise UsageError(tr("--keep {keep}: at least 1 backup must stay", keep=arguments.keep))
    segment, up_to_us = None, None
    if arguments.up_to is not None and re.fullmatch(r"[0-9A-Fa-f]{24}", arguments.up_to):
        segment = arguments.up_to.upper()
    elif arguments.up_to is not None:
        up_to_us = _time(arguments)
    return RetentionRequest(
        archives=arguments.archives,
        backups=arguments.backups,
        backups_below=arguments.backups_below,
        repositories=repository_options.open_repositories(arguments),
        depth=arguments.depth,
        reading=cost.reading(arguments),
        keep=arguments.keep,
        up_to_segment=segment,
        up_to_us=up_to_us,
    )


def _time(arguments: argparse.Namespace) -> int:
    from datetime import UTC

    from agent.zones import find_zone
    from parsers.errors import ParseError
    from rules.model.goal import has_zone, read_time

    if arguments.depth == "names":
        raise UsageError(tr("--up-to a time needs --depth records: names do not tell times"))
    try:
        at_us = read_time(arguments.up_to, UTC, find_zone)
    except ParseError as error:
        raise UsageError(
            tr("--up-to: {message}, or a segment's name", message=error.message)
        ) from None
    if not has_zone(arguments.up_to):
        raise UsageError(tr("--up-to {up_to!r}: write the zone too, as +00", up_to=arguments.up_to))
    return at_us


def _render(advice: Advice, form: str) -> str:
    from agent.documents.render import render_json, render_text

    if form == "json":
        from agent.retention.document import retention_document

        return render_json(retention_document(advice))
    from agent.retention.render_text import paths

    return render_text(paths(advice))
