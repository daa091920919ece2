"""A restore, step after step, until it has ended, the time is up, or the person has seen enough."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final

from agent.errors import CannotCheck
from agent.watch.follow import Follower, Item
from parsers.log.stream import LogStream
from parsers.sentences import tr
from rules.live.outcomes import NONE

_STEP_SECONDS: Final = 0.1
_SHOWN: Final = 120  # characters of a line that shows why


def check_readable(follower: Follower) -> None:
    """Raise CannotCheck for a file that is not a log, or that cannot be read."""
    tail, summary = follower.tail, follower.summary
    if tail is None or tail.current is None:
        raise CannotCheck(_no_log(follower))
    if tail.unreadable:
        why = _why_unreadable(follower, tail.stream)
        raise CannotCheck(tr("{path} {why}", path=tail.path, why=why))
    if follower.options.once and tail.stream.counts.lines == 0:
        raise CannotCheck(tr("{path} is empty: nothing to judge", path=tail.path))
    if summary.outcome == NONE and tail.stream.counts.unplaced:
        raise CannotCheck(
            tr(
                "{path} does not say whose this is: {puzzle}: give the log from the "
                "server's start on",
                path=tail.path,
                puzzle=tail.stream.puzzle,
            )
        )
    if _tells_nothing(follower, tail.stream):
        raise CannotCheck(
            tr(
                "{path} does not tell whether a server restores: it shows no start, no recovery "
                "and no open server that can be read here: give the log from the server's start on",
                path=tail.path,
            )
        )
    if summary.outcome is None:
        cause, remedy = follower.explanation
        raise CannotCheck(tr("{cause}; type  {remedy}", cause=cause, remedy=remedy))


def _tells_nothing(follower: Follower, stream: LogStream) -> bool:
    """No restore was seen, and nobody says that there was none."""
    attempt = follower.restore.attempt
    if follower.summary.outcome != NONE or follower.look.reading.in_recovery is not None:
        return False
    return attempt.tells_nothing or (stream.counts.strange > 0 and not attempt.opened_at_once)


def _why_unreadable(follower: Follower, stream: LogStream) -> str:
    """What is wrong with a log, what shows it, and what would help."""
    shown = f" ({stream.puzzle[:_SHOWN]})" if stream.puzzle else ""
    if stream.is_json or (stream.puzzle or "").lstrip().startswith(("{", "[{")):
        return tr(
            "is JSON in which no record of PostgreSQL was found{shown}: give the server's own "
            "log, or its lines alone, as  jq -r .KEY  prints them",
            shown=shown,
        )
    if follower.options.prefix is not None:
        return tr(
            "has lines that do not begin as --log-line-prefix says{shown}: type  "
            "SHOW log_line_prefix  on the server that wrote it, or leave the option out",
            shown=shown,
        )
    return tr(
        "is not a log of PostgreSQL, or its log_line_prefix was not detected"
        "{shown}: give it with  --log-line-prefix '%m [%p] '  (what SHOW log_line_prefix says)",
        shown=shown,
    )


def follow(follower: Follower, show: Callable[[list[Item]], None]) -> None:
    """Step until it has ended, the time is up, or the person has seen enough (Ctrl-C).

    Raises CannotCheck when Ctrl-C comes before all that is there was read: nothing is said of it.
    """
    options = follower.options
    began = time.monotonic()
    caught_up = False
    stays = sys.stdout.isatty()  # a person may resume a pause; a job runner will not
    try:
        while True:
            items = _step(follower)
            caught_up = caught_up or follower.at_end
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
        if not caught_up:
            raise CannotCheck(tr("interrupted before the log was read to its end")) from None


def _step(follower: Follower) -> list[Item]:
    try:
        return follower.step()
    except OSError as error:
        file = error.filename or tr("the log")
        why = tr("cannot read {file}: {reason}", file=file, reason=error.strerror)
        raise CannotCheck(why) from None


def _no_log(follower: Follower) -> str:
    options = follower.options
    if options.log is None:
        return tr("no log found for {pgdata}: name it with  --log FILE", pgdata=options.pgdata)
    if options.log.is_dir():
        return tr("no log (*.log, *.csv, *.json) in {path}", path=options.log)
    return tr("{path}: there is no such file", path=options.log)
