"""The keys of the terminal view, read one by one without waiting.

Without a terminal in front of it, or as a background job, there are none: whoever changes the
terminal's mode from the background is stopped by the kernel (SIGTTOU, termios(3)).
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from typing import Any, Final

LEAVE: Final = "q"
PAUSE: Final = "p"
_LOCAL_MODES: Final = 3  # of what tcgetattr gives


class Keys:
    """What was typed since the last look."""

    def __init__(self, terminal: int | None) -> None:
        self._terminal = terminal

    @property
    def are_read(self) -> bool:
        return self._terminal is not None

    def typed(self) -> str:
        """Every key, in lower case; nothing where none is read."""
        fd = self._terminal
        if fd is None or not _is_ours(fd):
            return ""
        with contextlib.suppress(OSError, termios.error):
            _take(fd)  # a shell gives back its own modes after Ctrl-Z and fg
            keys = b""
            while select.select([fd], [], [], 0)[0]:
                more = os.read(fd, 64)
                if not more:
                    self._terminal = None  # it is closed
                    break
                keys += more
            return keys.decode(errors="ignore").lower()
        return ""


@contextlib.contextmanager
def reading_keys() -> Iterator[Keys]:
    """Read keys as they are typed; the terminal is given back as it was."""
    fd = _terminal()
    if fd is None:
        yield Keys(None)
        return
    before: list[Any] = termios.tcgetattr(fd)
    _take(fd)
    try:
        yield Keys(fd)
    finally:
        if _is_ours(fd):
            with contextlib.suppress(termios.error):
                termios.tcsetattr(fd, termios.TCSADRAIN, before)


def _terminal() -> int | None:
    try:
        fd = sys.stdin.fileno()
        return fd if os.isatty(fd) and _is_ours(fd) else None
    except (OSError, ValueError, AttributeError):
        return None


def _is_ours(fd: int) -> bool:
    """Whether this process is in the foreground of the terminal."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False


def _take(fd: int) -> None:
    """No line, no echo; Ctrl-C stays a signal."""
    if termios.tcgetattr(fd)[_LOCAL_MODES] & (termios.ICANON | termios.ECHO):
        tty.setcbreak(fd, termios.TCSANOW)
