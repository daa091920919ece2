"""glibc's allocator, set for a process of many threads that hold Python's lock in turns.

By itself it gives each thread an arena, of which each keeps what it has freed: of 200 clusters a
fifth of what was resident was free. One arena is enough where one thread works at a time, and with
a fixed threshold every large buffer goes back to the system when it is freed.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

_LARGE_BYTES: Final = 256 << 10
_PARAMETERS: Final = {  # of mallopt, with the variable by which a person sets it otherwise
    "MALLOC_ARENA_MAX": (-8, 1),
    "MALLOC_MMAP_THRESHOLD_": (-3, _LARGE_BYTES),
    "MALLOC_TRIM_THRESHOLD_": (-1, _LARGE_BYTES),
}


def allocate_together() -> None:
    """Set it, before there are threads. Another C library than glibc has nothing to set."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for variable, (parameter, value) in _PARAMETERS.items():
            if variable not in os.environ:
                mallopt(parameter, value)


def give_back() -> None:
    """Give the system what is free between what is not."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
