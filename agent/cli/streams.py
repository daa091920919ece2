"""Standard streams that were closed before the program began (`2>&-`).

A closed descriptor is given to the next file that is opened: what is said to stderr would be
written into a ledger. And Python's `print` to a stream that is None goes to stdout.
"""

from __future__ import annotations

import os
import sys
from typing import Final

_STREAMS: Final = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def open_closed_streams() -> None:
    """Have /dev/null stand for each stream that is closed, here and in what is started from here.

    Call it before any file is opened.
    """
    for name, mode in _STREAMS:
        if getattr(sys, name) is not None:
            continue
        null = os.open(os.devnull, os.O_RDWR)  # the lowest that is free: as a rule that descriptor
        os.set_inheritable(null, True)
        stream = open(null, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
