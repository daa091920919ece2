"""The one place where a program's end becomes an exit status.

    0 ok, 1 warning, 2 critical, 3 unknown (and every error nobody foresaw), 64 usage

argparse exits 2 and an uncaught exception 1; both mean something else here.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn, TextIO

OK, WARNING, CRITICAL, UNKNOWN, USAGE = 0, 1, 2, 3, 64

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

EXIT_STATUSES = """\
exit status:
  0  ok
  1  warning
  2  critical: proven not restorable, or the restore failed
  3  unknown: it could not be checked
  64 the command line or the configuration is wrong
"""


class UsageError(Exception):
    """The person typed something that cannot be right: what, where, what to type next."""


class CannotCheck(Exception):
    """Something needed could not be read. Ends in 3, with one line."""


class Parser(argparse.ArgumentParser):
    """argparse with this product's usage status, and the statuses in every `--help`."""

    def __init__(self, **options: Any) -> None:
        epilog = options.pop("epilog", None)
        super().__init__(
            epilog=f"{epilog}\n{EXIT_STATUSES}" if epilog else EXIT_STATUSES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **options,
        )

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (type  {self.prog} --help)")


def duration(text: str) -> float:
    """An option's duration, in seconds."""
    from agent.durations import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def instant(option: str, text: str) -> datetime:
    """An option's instant; without a zone it is UTC. Raises UsageError."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} {text!r}: write ISO 8601, as 2025-07-10T12:36:52+00:00"
        ) from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def run(program: str, body: Callable[[Sequence[str]], int], argv: Sequence[str] | None) -> int:
    """Run a program's body and give the exit status; nobody sees a traceback.

    PITR_DEBUG=1 in the environment shows it, for whoever reports the error.
    """
    _print_anything()
    try:
        try:
            return body(sys.argv[1:] if argv is None else argv)
        finally:
            _flush()  # while its failure can still become a status
    except UsageError as error:
        return _end(program, str(error), USAGE)
    except CannotCheck as error:
        return _end(program, str(error), UNKNOWN)
    except KeyboardInterrupt:
        return _end(program, "interrupted", UNKNOWN)
    except BrokenPipeError:
        _discard(sys.stdout)
        return UNKNOWN
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            _discard(sys.stdout)
            return _end(program, str(error), UNKNOWN)
        if os.environ.get("PITR_DEBUG"):
            raise
        return _end(
            program,
            f"unexpected {type(error).__name__}: {error} "
            "(this is a bug; PITR_DEBUG=1 shows where: please report it)",
            UNKNOWN,
        )


def _print_anything() -> None:
    """Bytes of a file's name that are no text are shown as escapes, in the form of JSON."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _flush() -> None:
    if sys.stdout is not None:  # None: it was closed before the program began
        sys.stdout.flush()


def _discard(stream: TextIO) -> None:
    """What is still buffered would fail again when the interpreter ends."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _end(program: str, message: str, status: int) -> int:
    try:
        print(f"{program}: {message}", file=sys.stderr, flush=True)
    except OSError:
        _discard(sys.stderr)
    return status
