"""`pitr-check find`: what happened in the WAL, and the recovery target just before it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from agent.cli import entry, screen
from agent.cli.options import cost, deadline, repository_options
from agent.cli.options.sources import add_sources, complete_sources
from agent.cli.options.without_effect import Rule, refuse
from agent.cli.parser import SHARED
from agent.errors import CannotCheck, UsageError
from parsers.sentences import tr

if TYPE_CHECKING:
    from agent.find.answer import Answer, FindRequest
    from rules.events.catalog_rows import CatalogRows
    from rules.model.goal import WrittenTime

_DESCRIPTION = """\
Lists what happened, oldest first: commits, aborts, restore points, relations dropped or truncated.
When one thing was asked for (--dropped, --xid), the target just before it is proven, and the
settings to paste are printed. It reads files and writes nothing.
"""

_EPILOG = """\
examples:
  pitr-check find --archive /backup/wal --backups /backup --around '2025-07-10 12:36-07'
  pitr-check find --archive /backup/wal --backups /backup --dropped accounts
  pitr-check find --archive /backup/wal --covers '2025-07-10 12:36-07'
"""
_STATUSES = """\
exit status:
  0  something was found, and the target before it is proven where one was asked for
  1  nothing was found
  2  the target cannot be reached, or WAL that was asked about is missing
  3  unknown: some of the WAL could not be read
  64 the command line or the configuration is wrong
"""
_LIMIT: Final = 50
_WHATEVER = "\0"  # --dropped alone; nobody can type it


def body(argv: Sequence[str]) -> int:
    """Find, print, and give the verdict's status."""
    arguments = _parser().parse_args(argv)
    complete_sources(arguments)
    if not (arguments.archives or arguments.elsewhere or arguments.repositories):
        raise UsageError(tr("name the --archive to search (type  pitr-check find --help)"))
    refuse(_without_effect(arguments))
    asked = _read_question(arguments)
    with deadline.documented(_print_failure if arguments.format == "json" else None):
        found = _answer(arguments, asked)
    if arguments.format == "text":
        from agent.find.render_text import find_lines

        screen.show(find_lines(found), arguments.color)
    else:
        from agent.documents.render import render_json
        from agent.find.document import find_document

        print(render_json(find_document(found)))
    return found.verdict.status


def _print_failure(why: str) -> None:
    from agent.documents.render import render_json
    from agent.find.document import failure_document

    print(render_json(failure_document(why)))


def _parser() -> argparse.ArgumentParser:
    parser = entry.Parser(
        prog="pitr-check find",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        statuses=_STATUSES,
        in_brief=(*SHARED, "what to search"),
    )
    add_sources(parser.add_argument_group("what to search"))
    repository_options.add_sources(parser.add_argument_group("repositories of other tools"))
    _add_question(parser.add_argument_group("what to find"))
    how = parser.add_argument_group("how")
    how.add_argument("--timeline", default="latest", help="latest (default), current or a number")
    how.add_argument("--log", metavar="FILE|DIR", help="the server's log, to show who did it")
    how.add_argument("--log-line-prefix", metavar="P", help="of that log (default: the backup's)")
    how.add_argument("--dsn", help="a running server, to look up names in its catalogs")
    how.add_argument("--format", default="text", choices=("text", "json"), help="(default: text)")
    screen.add_color(how)
    cost.add_options(parser.add_argument_group("at what cost"))
    return parser


def _add_question(what: argparse._ArgumentGroup) -> None:
    what.add_argument("--around", metavar="T", help="events nearest to this time")
    what.add_argument("--from", metavar="T", dest="from_time", help="not before this time")
    what.add_argument("--to", metavar="T", dest="to_time", help="not after this time")
    what.add_argument(
        "--dropped", nargs="?", const=_WHATEVER, metavar="NAME|OID",
        help="drops and truncates of this table (SCHEMA.NAME, an OID, a database); alone: of any",
    )  # fmt: skip
    what.add_argument("--xid", metavar="X", help="this transaction, or the one it is part of")
    what.add_argument("--covers", metavar="T", help="which segments hold the WAL of this time")
    what.add_argument(
        "--limit", type=int, metavar="N", help=tr("show at most N (default: {limit})", limit=_LIMIT)
    )


def _without_effect(arguments: argparse.Namespace) -> Iterator[Rule]:
    about_events = (
        arguments.around, arguments.from_time, arguments.to_time, arguments.dropped, arguments.xid,
    )  # fmt: skip
    if arguments.covers and all(each is None for each in about_events):
        for option, given in (
            ("--limit", arguments.limit), ("--log", arguments.log), ("--dsn", arguments.dsn),
        ):  # fmt: skip
            yield option, given is not None, tr("is for events, and --covers alone lists none")
    yield "--color", arguments.color and arguments.format != "text", tr("is for --format text")
    yield (
        "--log-line-prefix",
        arguments.log_line_prefix is not None and arguments.log is None,
        tr("is for --log FILE: add it"),
    )


def _read_question(arguments: argparse.Namespace) -> FindRequest:
    """Read what was typed. Raises UsageError."""
    from agent.find.answer import FindRequest
    from agent.find.times import FindTimes
    from rules.events.wanted import WantedEvents

    limit = _LIMIT if arguments.limit is None else arguments.limit
    if limit < 1:
        raise UsageError(tr("--limit {limit}: at least 1 is needed", limit=limit))
    if arguments.dropped == "":  # an unset variable in a script
        raise UsageError(tr("--dropped is empty: name a table, or leave the name away for any"))
    if arguments.around and (arguments.from_time or arguments.to_time):
        raise UsageError(tr("--around goes without --from and --to"))
    times = FindTimes(
        since=_read_time("--from", arguments.from_time),
        until=_read_time("--to", arguments.to_time),
        around=_read_time("--around", arguments.around),
        covers=_read_time("--covers", arguments.covers),
    )
    times.refuse_reversed()
    return FindRequest(
        wanted=WantedEvents(xid=_read_xid(arguments.xid), limit=limit),
        dropped="" if arguments.dropped == _WHATEVER else arguments.dropped,
        times=times,
        log=arguments.log,
        log_line_prefix=arguments.log_line_prefix,
    )


def _read_time(option: str, text: str | None) -> WrittenTime | None:
    """A time as it was typed: one without a zone waits for the backups'."""
    if text is None:
        return None
    from agent.zones import find_zone
    from parsers.errors import ParseError
    from rules.model.goal import parse_time

    try:
        return parse_time(text, find_zone)
    except ParseError as error:
        raise UsageError(f"{option}: {error.message}") from None


def _read_xid(text: str | None) -> int | None:
    from parsers.errors import ParseError
    from rules.model.goal import read_goal
    from rules.model.target import Target

    if text is None:
        return None
    try:
        return read_goal(Target(type="xid", value=text)).xid
    except ParseError as error:
        raise UsageError(tr("--xid: {message}", message=error.message)) from None


def _answer(arguments: argparse.Namespace, asked: FindRequest) -> Answer:
    from agent.find.answer import answer
    from agent.find.look import look
    from agent.inputs.progress import progress_bar
    from agent.inputs.sources import Sources

    sources = Sources(
        archives=arguments.archives,
        elsewhere=arguments.elsewhere,
        backups=arguments.backups,
        backups_below=arguments.backups_below,
        backup_depth="label",
        reading=cost.reading(arguments),
        repositories=repository_options.open_repositories(arguments),
        needs_zone=asked.times.needs_zone,
    )
    with progress_bar(shown=arguments.format == "text") as on_progress:
        looked = look(
            sources,
            _read_timeline(arguments.timeline),
            times=asked.times,
            on_progress=on_progress or (lambda *_: None),
            add_names=_asker(arguments.dsn),
        )
    return answer(asked.at(looked.times), looked)


def _read_timeline(text: str) -> str | int:
    from parsers.errors import ParseError
    from rules.model.goal import read_goal
    from rules.model.target import Target

    try:
        return read_goal(Target(timeline=text)).timeline
    except ParseError as error:
        raise UsageError(error.message) from None


def _asker(dsn: str | None) -> Callable[[CatalogRows], None]:
    def ask(rows: CatalogRows) -> None:
        if dsn is None:
            return
        import psycopg

        from agent.find.catalogs import add_from_server

        try:
            add_from_server(rows, dsn)
        except psycopg.Error as error:
            line = str(error).strip().splitlines()[0]
            raise CannotCheck(tr("--dsn: the server cannot be asked: {line}", line=line)) from None

    return ask
