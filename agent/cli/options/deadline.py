"""--timeout: a command ends in time, whatever a source that hangs does.

At the deadline the main thread is interrupted, as by Ctrl-C, so that what it began is ended and a
program gets its document. What hangs all the same, a thread that waits for a mount that is gone or
for a host that was stopped, is left behind a few seconds later, with the same line and status.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from agent.errors import UNKNOWN, UsageError
from agent.language import say
from parsers.sentences import message_of, tr

_GRACE_SECONDS: Final = 5.0
_LEAST_SECONDS: Final = 0.01
_LONGEST_SECONDS: Final = 10 * 86400.0


class TimeLimit:
    """The end of one command's time."""

    def __init__(self, program: str, seconds: float, status: int = UNKNOWN) -> None:
        self._program, self._status = program, status
        self._seconds = min(seconds, _LONGEST_SECONDS)
        self._begun_at = time.monotonic()
        self._said = False
        self.print_document: Callable[[str], None] | None = None
        self.is_over = False
        self._timer = threading.Timer(self._seconds + _GRACE_SECONDS, self._leave)
        self._timer.daemon = True

    @property
    def line(self) -> str:
        """What a person is told."""
        return tr(
            "not done within {seconds:g}s (--timeout): a source does not answer in time",
            seconds=self._seconds,
        )

    def start(self) -> None:
        """Count from now on."""
        self._timer.start()

    def arm(self) -> None:
        """From now on the main thread can be interrupted: there is somebody to tell why."""
        if threading.current_thread() is threading.main_thread():
            left = self._seconds - (time.monotonic() - self._begun_at)
            signal.signal(signal.SIGALRM, self._interrupt)
            signal.setitimer(signal.ITIMER_REAL, max(left, _LEAST_SECONDS))

    def finish(self, status: int) -> None:
        """The command is done. After its deadline no thread that still waits is waited for."""
        self._said = True
        if self.is_over:
            self._exit(status)
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._timer.cancel()

    def _interrupt(self, *_: object) -> None:
        """As Ctrl-C would, for which a server that is just starting is waited."""
        self.is_over = True
        if not callable(signal.getsignal(signal.SIGINT)):  # a job that a shell put behind itself
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)

    def _leave(self) -> None:
        if not self._said:
            with contextlib.suppress(Exception):
                if self.print_document is not None:
                    self.print_document(self.line)
                    sys.stdout.flush()
            with contextlib.suppress(OSError):
                os.write(2, f"{self._program}: {say(self.line)}\n".encode())
        self._exit(self._status)

    def _exit(self, status: int) -> None:
        if "multiprocessing" in sys.modules:
            import multiprocessing

            for child in multiprocessing.active_children():
                child.kill()
        if self._said:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
        os._exit(status)


_running: list[TimeLimit] = []
_names: list[str] = ["pitr-check"]


def name(program: str) -> None:
    """What a command is called, where a person is told of its end."""
    _names[:] = [program]


def begin(seconds: float | None, status: int = UNKNOWN) -> None:
    """Give a command so long; None: as long as it takes."""
    if seconds is not None:
        _running[:] = [TimeLimit(_names[0], seconds, status)]
        _running[0].start()


@contextlib.contextmanager
def documented(print_document: Callable[[str], None] | None) -> Iterator[None]:
    """Give a program its document whatever happens inside; None: it is a person who asks."""
    at_worst(print_document)
    try:
        yield
    except UsageError:
        raise
    except (Exception, KeyboardInterrupt) as error:
        if print_document is not None:
            print_document(why(error))
        raise


def at_worst(print_document: Callable[[str], None] | None) -> None:
    """What a program is to get, with the reason, where what it waits for cannot be interrupted."""
    for each in _running:
        each.print_document = print_document
        each.arm()


def why(interruption: BaseException) -> str:
    """What ended a command: its deadline, or somebody."""
    over = (each.line for each in _running if each.is_over)
    return message_of(interruption) or next(over, tr("interrupted"))


def finish(status: int) -> int:
    """Take the deadline away, if there is one: the command has said what it had to say."""
    for deadline in _running:
        deadline.finish(status)
    _running.clear()
    return status
