"""The one place where a program's end becomes an exit status.

    0 ok, 1 warning, 2 critical, 3 unknown (and every unforeseen error), 64 usage

argparse exits 2 and an uncaught exception 1; both mean something else here.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import os
import select
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, TextIO

from agent.cli import interrupts_end, interrupts_raise
from agent.cli.options import deadline
from agent.cli.parser import Parser, words_of
from agent.cli.streams import open_closed_streams
from agent.errors import UNKNOWN, USAGE, CannotCheck, UsageError
from agent.language import choose, say
from agent.printable import printable
from parsers.sentences import message_of, tr

__all__ = ["Parser", "duration", "instant", "now", "run", "words_of"]

_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


def duration(text: str) -> float:
    """An option's duration, in seconds."""
    from agent.durations import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(message_of(error)) from None


def instant(option: str, text: str) -> datetime:
    """An option's instant; without a zone it is UTC. Raises UsageError."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            tr(
                "{option} {text!r}: write ISO 8601, as 2025-07-10T12:36:52+00:00",
                option=option,
                text=text,
            )
        ) from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def now(text: str | None) -> datetime:
    """What --now says, or the clock. Raises UsageError."""
    return datetime.now(UTC) if text is None else instant("--now", text)


def run(program: str, body: Callable[[Sequence[str]], int], argv: Sequence[str] | None) -> int:
    """Run a program's body and give the exit status; no traceback is shown.

    PITR_DEBUG=1 in the environment shows it, for whoever reports the error.
    """
    deadline.name(program)
    return deadline.finish(_run(program, body, argv))


def _run(program: str, body: Callable[[Sequence[str]], int], argv: Sequence[str] | None) -> int:
    words = sys.argv[1:] if argv is None else argv
    open_closed_streams()
    _print_anything()
    if os.environ.get("PITR_DEBUG"):
        _show_debug_log()
    try:
        interrupts_raise()
        try:
            words = words_of(argv)
            choose(words)
            if os.environ.get("PITR_ENGINE") and "--version" not in words:
                from agent.engine import check_choice

                check_choice()
            return body(words)
        finally:
            _flush()  # while its failure can still become a status
            interrupts_end()
    except UsageError as error:
        return _end(program, say(error), USAGE, words)
    except CannotCheck as error:
        return _end(program, say(error), UNKNOWN, words)
    except KeyboardInterrupt as error:
        return _end(program, say(deadline.why(error)), UNKNOWN, words)
    except ImportError as error:
        if os.environ.get("PITR_DEBUG"):
            raise
        why = tr("the installation is not complete: {error}", error=error)
        return _end(program, say(why), UNKNOWN, words)
    except Exception as error:
        if isinstance(error.__cause__, KeyboardInterrupt):  # Python wraps one in __set_name__
            return _end(program, say(tr("interrupted")), UNKNOWN, words)
        if isinstance(error, BrokenPipeError) and _nobody_reads(sys.stdout):
            _discard(sys.stdout)
            return UNKNOWN
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            _discard(sys.stdout)
            return _end(program, str(error), UNKNOWN, words)
        if os.environ.get("PITR_DEBUG"):
            raise
        why = tr(
            "unexpected {kind}: {error} "
            "(this is a bug; PITR_DEBUG=1 shows where: please report it)",
            kind=type(error).__name__,
            error=error,
        )
        return _end(program, say(why), UNKNOWN, words)


def _shown(message: str, words: Sequence[str] = ()) -> str:
    """With all that a terminal would obey escaped: names are anybody's, also those typed."""
    for word in words:
        for typed in (word, word.partition("=")[2]):
            if not typed.isprintable():
                message = message.replace(typed, printable(typed))
    return "\n".join(map(printable, message.split("\n")))


def _print_anything() -> None:
    """Bytes of a file's name that are no text are shown as escapes, in the form of JSON."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _show_debug_log() -> None:
    """Also what is the matter with a single file, which ends nothing."""
    import logging

    logging.basicConfig()
    logging.getLogger("pitr").setLevel(logging.DEBUG)


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _discard(sys.stdout)
        why = tr("cannot write to stdout: {reason}", reason=error.strerror)
        raise CannotCheck(why) from None


def _nobody_reads(stream: TextIO) -> bool:
    """Whether a stream is a pipe or socket whose other end is closed: another's may be as well."""
    try:
        poll = select.poll()
        poll.register(stream.fileno(), select.POLLOUT)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    except (OSError, ValueError):
        return False


def _discard(stream: TextIO) -> None:
    """What is still buffered would fail again when the interpreter ends."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _end(program: str, message: str, status: int, words: Sequence[str] = ()) -> int:
    try:
        print(f"{program}: {_shown(message, words)}", file=sys.stderr, flush=True)
    except OSError:
        _discard(sys.stderr)
    return status
