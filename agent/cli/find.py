"""`pitr-check find`: what happened in the WAL, and the recovery target just before it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from agent.cli import cost, entry
from agent.cli.check import add_sources, complete_sources

if TYPE_CHECKING:
    from agent.find.answer import Answer, Asked
    from rules.catalog_rows import CatalogRows

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
_WHATEVER = "\0"  # --dropped alone; nobody can type it


def body(argv: Sequence[str]) -> int:
    """Find, print, and give the verdict's status."""
    arguments = _parser().parse_args(argv)
    complete_sources(arguments)
    if not (arguments.archives or arguments.elsewhere):
        raise entry.UsageError("name the --archive to look in (type  pitr-check find --help)")
    asked = _read_question(arguments)
    try:
        found = _answer(arguments, asked)
    except entry.UsageError:
        raise
    except (Exception, KeyboardInterrupt) as error:
        if arguments.format == "json":  # programs get their document whatever happens
            from agent.find.render_json import render_failure

            print(render_failure(str(error) or "interrupted"))
        raise
    if arguments.format == "json":
        from agent.find.render_json import render_json

        print(render_json(found))
    else:
        from agent.find.render_text import render_text

        print(render_text(found))
    return found.verdict.status


def _parser() -> argparse.ArgumentParser:
    parser = entry.Parser(prog="pitr-check find", description=_DESCRIPTION, epilog=_EPILOG)
    add_sources(parser.add_argument_group("what to look at"))
    _add_question(parser.add_argument_group("what to find"))
    how = parser.add_argument_group("how")
    how.add_argument("--timeline", default="latest", help="latest (default), current or a number")
    how.add_argument("--log", metavar="FILE|DIR", help="the server's log: who did it")
    how.add_argument("--log-line-prefix", metavar="P", help="of that log (default: the backup's)")
    how.add_argument("--dsn", help="a running server, to name what its catalogs still hold")
    how.add_argument("--format", default="text", choices=("text", "json"), help="(default: text)")
    cost.add_options(parser.add_argument_group("at what cost"))
    return parser


def _add_question(what: argparse._ArgumentGroup) -> None:
    what.add_argument("--around", metavar="T", help="what is nearest to this time")
    what.add_argument("--from", metavar="T", dest="from_time", help="not before this time")
    what.add_argument("--to", metavar="T", dest="to_time", help="not after this time")
    what.add_argument(
        "--dropped", nargs="?", const=_WHATEVER, metavar="NAME|OID",
        help="what dropped or truncated this table (SCHEMA.NAME, an OID, a database); alone: any",
    )  # fmt: skip
    what.add_argument("--xid", metavar="X", help="this transaction, or the one it is part of")
    what.add_argument("--covers", metavar="T", help="which segments hold the WAL of this time")
    what.add_argument(
        "--limit", type=int, default=50, metavar="N", help="show so many (default: %(default)s)"
    )


def _read_question(arguments: argparse.Namespace) -> Asked:
    """Read what was typed. Raises UsageError."""
    from agent.find.answer import Asked
    from rules.happenings import Wanted

    if arguments.limit < 1:
        raise entry.UsageError(f"--limit {arguments.limit}: at least 1 is needed")
    if arguments.dropped == "":  # an unset variable in a script
        raise entry.UsageError("--dropped is empty: name a table, or leave the name away for any")
    if arguments.around and (arguments.from_time or arguments.to_time):
        raise entry.UsageError("--around goes without --from and --to")
    read = TimeReader(arguments)
    from_us, to_us = read("--from", arguments.from_time), read("--to", arguments.to_time)
    if from_us is not None and to_us is not None and from_us > to_us:
        raise entry.UsageError("--from is later than --to")
    wanted = Wanted(
        from_us=from_us,
        to_us=to_us,
        around_us=read("--around", arguments.around),
        xid=_read_xid(arguments.xid),
        limit=arguments.limit,
    )
    covers = read("--covers", arguments.covers)
    notes = tuple(dict.fromkeys(read.notes))
    return Asked(
        wanted=wanted,
        dropped="" if arguments.dropped == _WHATEVER else arguments.dropped,
        covers_us=covers,
        log=arguments.log,
        log_line_prefix=arguments.log_line_prefix,
        notes=notes,
    )


class TimeReader:
    """Reads times as the restored server would: one without a zone is in its TimeZone."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._backups = (arguments.backups, arguments.backups_below)
        self.notes: list[str] = []

    def __call__(self, option: str, text: str | None) -> int | None:
        if text is None:
            return None
        from agent.backups.settings import find_zone
        from parsers.errors import ParseError
        from rules.goal import has_zone, read_time

        try:
            if has_zone(text):
                from datetime import UTC

                return read_time(text, UTC, find_zone)
            from agent.backups.zone import server_zone

            zone, source = server_zone(*self._backups)
            self.notes.append(f"times without a zone were read as {zone.key} ({source})")
            return read_time(text, zone, find_zone)
        except ParseError as error:
            raise entry.UsageError(f"{option}: {error.message}") from None


def _read_xid(text: str | None) -> int | None:
    from parsers.errors import ParseError
    from rules.goal import read_goal
    from rules.target import Target

    if text is None:
        return None
    try:
        return read_goal(Target(type="xid", value=text)).xid
    except ParseError as error:
        raise entry.UsageError(f"--xid: {error.message}") from None


def _answer(arguments: argparse.Namespace, asked: Asked) -> Answer:
    from agent.check.progress import progress_bar
    from agent.check.run import Sources
    from agent.find.answer import answer
    from agent.find.look import look

    sources = Sources(
        archives=arguments.archives,
        elsewhere=arguments.elsewhere,
        backups=arguments.backups,
        backups_below=arguments.backups_below,
        depth="records",
        backup_depth="label",
        reading=cost.reading(arguments),
    )
    with progress_bar(shown=arguments.format == "text") as on_progress:
        looked = look(
            sources,
            _read_timeline(arguments.timeline),
            last_us=asked.wanted.to_us,
            on_progress=on_progress or (lambda done, total: None),
            add_names=_asker(arguments.dsn),
        )
    return answer(asked, looked)


def _read_timeline(text: str) -> str | int:
    from parsers.errors import ParseError
    from rules.goal import read_goal
    from rules.target import Target

    try:
        return read_goal(Target(timeline=text)).timeline
    except ParseError as error:
        raise entry.UsageError(error.message) from None


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
            raise entry.CannotCheck(f"--dsn: the server cannot be asked: {line}") from None

    return ask
