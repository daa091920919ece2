"""Whether work grows with its input or with a power of it, told also on a machine that is busy."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

FACTOR = 8  # from the small input to the large one
# Between 8, what its length makes it, and 64, what the square of it would: their geometric mean.
_LIMIT = 22
_LEAST_SECONDS = 0.05  # what is faster is not measured: the clock, the allocator, the caches
_TRIES = 4
_TOO_LONG_SECONDS = 20.0  # for the small one: the large one is not waited for


def grows_too_fast(small: Callable[[], object], large: Callable[[], object]) -> bool:
    """Whether `large`, with FACTOR times the input of `small`, takes far more than FACTOR times it.

    Processor time without the collector, which walks all that the tests before have left; the least
    of several runs of each, for a neighbour makes some of them long and none short.
    """
    gc.disable()
    try:
        least_small = least_large = float("inf")
        for _ in range(_TRIES):
            least_small = min(least_small, _seconds(small))
            if least_small > _TOO_LONG_SECONDS:
                return True
            least_large = min(least_large, _seconds(large))
            if least_large < _LIMIT * max(least_small, _LEAST_SECONDS):
                return False
        return True
    finally:
        gc.enable()


def _seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin
