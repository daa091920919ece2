"""The command lines: one file a program; `entry` turns every end into an exit status.

While a program of ours is imported or taken down, Ctrl-C ends it as it ends any other, with no
traceback: only `entry.run` has something to say of it.
"""

from __future__ import annotations

import signal
import sys
from typing import Final

_IS_PROGRAM: Final = sys.argv[:1] != [] and sys.argv[0].rpartition("/")[2].startswith("pitr-")


def interrupts_end() -> None:
    """From here on Ctrl-C is the system's, not a KeyboardInterrupt; only where we are a program."""
    if _IS_PROGRAM and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupts_raise() -> None:
    """From here on Ctrl-C is a KeyboardInterrupt again; an ignored one stays ignored."""
    if _IS_PROGRAM and signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = _raise_again


def _raise_again(ignored: sys.UnraisableHookArgs) -> None:
    """One that arrived in a destructor would be printed and lost there: let it come once more."""
    if issubclass(ignored.exc_type, KeyboardInterrupt):
        from threading import Timer

        Timer(0.01, signal.raise_signal, [signal.SIGINT]).start()
    else:
        sys.__unraisablehook__(ignored)


interrupts_end()
