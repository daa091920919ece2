"""Run a watch: judge what is there (`--once`), or follow until the restore has ended."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent.errors import CannotCheck
from agent.language import say
from agent.printable import printable
from agent.watch.follow import Follower, Item
from agent.watch.lines import item_lines, summary_lines
from agent.watch.loop import check_readable, follow
from agent.watch.report import render_item, render_summary
from parsers.sentences import tr
from rules.live.summary import unread
from rules.verdict.live import Explanation

if TYPE_CHECKING:
    from agent.watch.options import Options


def watch(options: Options) -> int:
    """Watch as the command line says, and give the exit status. Raises CannotCheck."""
    with _ended_by_sigterm():
        if options.format == "tui" and _can_draw():
            from agent.watch.screen import watch_screen  # rich costs a quarter of a second

            return watch_screen(options)
        return _watch_lines(options)


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Have SIGTERM end the watch as Ctrl-C does: with the verdict so far."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _can_draw() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb")


# -- lines: text and JSON -------------------------------------------------------------------------


def _watch_lines(options: Options) -> int:
    follower = Follower(options)
    show = _show_json if options.format == "json" else _show_text
    try:
        if options.once:
            show(_read_once(follower))
        else:
            follow(follower, lambda items: show(items))
            show(follower.finish())
        check_readable(follower)
    except CannotCheck as error:
        if options.format == "json":  # the document is printed whatever happened
            print(render_summary(unread(), Explanation(str(error))), flush=True)
        raise
    _show_end(follower)
    _say_what_was_not_looked_at(follower)
    return follower.summary.verdict.status


def _say_what_was_not_looked_at(follower: Follower) -> None:
    """An archive that was named and not listed: the verdict rests on the log alone."""
    named, archived = follower.options.archive, follower.archived
    if named and archived is not None and archived.complaint is not None:
        why = tr(
            "--archive {archive} was not checked: {why}: a gap could not be told from the end of "
            "the WAL",
            archive=named,
            why=archived.complaint,
        )
        print(f"pitr-watch: {printable(say(why))}", file=sys.stderr)


def _read_once(follower: Follower) -> list[Item]:
    """All that a log holds: what became of a restore says what its missing files meant."""
    items: list[Item] = []
    follow(follower, items.extend)
    items += follower.finish()
    return follower.label_finished(items)


def _show_json(items: list[Item]) -> None:
    for item in items:
        print(render_item(item), flush=True)


def _show_text(items: list[Item]) -> None:
    for item in items:
        for line in item_lines(item):
            print(printable(say(line)), flush=True)


def _show_end(follower: Follower) -> None:
    """Print the summary."""
    if follower.options.format == "json":
        print(render_summary(follower.summary, follower.explanation), flush=True)
        return
    for line, _ in summary_lines(follower.summary, follower.explanation, follower.checks):
        print(printable(say(line)), flush=True)
