"""Run a watch: judge what is there (`--once`), or follow until the restore has ended."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from agent.cli.entry import CannotCheck
from agent.printable import printable
from agent.watch.follow import Follower, Item
from agent.watch.lines import item_lines, summary_lines
from agent.watch.report import render_item, render_summary
from rules.restore_summary import unread

if TYPE_CHECKING:
    from agent.cli.watch import Options

_STEP_SECONDS: Final = 0.1


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
            print(render_summary(unread(str(error))), flush=True)
        raise
    _show_end(follower)
    _say_what_was_not_looked_at(follower)
    return follower.summary.verdict.status


def _say_what_was_not_looked_at(follower: Follower) -> None:
    """An archive that was named and not listed: the verdict rests on the log alone."""
    named, archived = follower.options.archive, follower.archived
    if named and archived is not None and archived.complaint is not None:
        print(
            f"pitr-watch: --archive {printable(named)} was not looked at: "
            f"{printable(archived.complaint)}: a gap could not be told from the end of the WAL",
            file=sys.stderr,
        )


def _read_once(follower: Follower) -> list[Item]:
    """All that a log holds: what became of a restore says what its missing files meant."""
    items: list[Item] = []
    follow(follower, items.extend)
    items += follower.finish()
    return follower.labelled_at_last(items)


def _show_json(items: list[Item]) -> None:
    for item in items:
        print(render_item(item), flush=True)


def _show_text(items: list[Item]) -> None:
    for item in items:
        for line in item_lines(item):
            print(printable(line), flush=True)


def _show_end(follower: Follower) -> None:
    """Print the summary."""
    if follower.options.format == "json":
        print(render_summary(follower.summary), flush=True)
        return
    for line, _ in summary_lines(follower.summary, follower.checks):
        print(printable(line), flush=True)


def check_readable(follower: Follower) -> None:
    """Raise CannotCheck for a log that is none, or that nothing here can read."""
    tail, summary = follower.tail, follower.summary
    if tail is None or tail.current is None:
        raise CannotCheck(_no_log(follower))
    if tail.unreadable:
        raise CannotCheck(
            f"{tail.path} is not a log of PostgreSQL, or its log_line_prefix was not detected: "
            "give it with --log-line-prefix"
        )
    if follower.options.once and tail.stream.counts.lines == 0:
        raise CannotCheck(f"{tail.path} is empty: nothing to judge")
    if summary.outcome is None:
        raise CannotCheck(f"{summary.cause}; type  {summary.next_command}")


# -- following ------------------------------------------------------------------------------------


def follow(follower: Follower, show: Callable[[list[Item]], None]) -> None:
    """Step until it has ended, the time is up, or the person has seen enough (Ctrl-C)."""
    options = follower.options
    began = time.monotonic()
    stays = sys.stdout.isatty()  # a person may resume a pause; a job runner will not
    try:
        while True:
            items = _step(follower)
            show(items)
            if options.once and follower.at_end:
                return
            if follower.ended if stays else follower.settled:
                return
            if options.timeout_seconds and time.monotonic() - began > options.timeout_seconds:
                return
            if not (options.once and items):
                time.sleep(_STEP_SECONDS)
    except KeyboardInterrupt:
        return


def _step(follower: Follower) -> list[Item]:
    try:
        items = follower.step()
    except OSError as error:
        raise CannotCheck(f"cannot read {error.filename or 'the log'}: {error.strerror}") from None
    return items


def _no_log(follower: Follower) -> str:
    options = follower.options
    if options.log is None:
        return f"no log found for {options.pgdata}: name it with  --log FILE"
    if options.log.is_dir():
        return f"no log (*.log, *.csv, *.json) in {options.log}"
    return f"{options.log}: there is no such file"
