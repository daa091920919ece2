"""What reading from stores costs: requests, failures, seconds and bytes, counted for who asks.

`counting` holds for the thread that enters it. Worker processes count for themselves, and what they
counted comes back with what they read.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field
from typing import Final, TypeVar

from parsers.values import dataclass

A = TypeVar("A")
R = TypeVar("R")

OPERATIONS: Final = ("list", "read", "head")


@dataclass(slots=True)
class StoreUsage:
    """Requests and what they brought, by operation."""

    requests: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    read_bytes: int = 0

    def add(self, other: StoreUsage | None) -> None:
        if other is None:
            return
        self.requests += other.requests
        self.failures += other.failures
        for operation, seconds in other.seconds.items():
            self.seconds[operation] = self.seconds.get(operation, 0.0) + seconds
        self.read_bytes += other.read_bytes


class _Current(threading.local):
    usage: StoreUsage | None = None


_current = _Current()


@contextmanager
def counting(usage: StoreUsage) -> Iterator[StoreUsage]:
    """Have this thread's requests counted in `usage`, and in nothing else."""
    before, _current.usage = _current.usage, usage
    try:
        yield usage
    finally:
        _current.usage = before


def shared(function: Callable[[A], R]) -> Callable[[A], R]:
    """The function for other threads: what they ask for is counted where this one counts."""
    usage, lock = _current.usage, threading.Lock()

    def counted(argument: A) -> R:
        with counting(StoreUsage()) as own:
            result = function(argument)
        if usage is not None:
            with lock:
                usage.add(own)
        return result

    return counted


@dataclass(slots=True)
class Request:
    """What may be one request; `was_made` is set to False when nothing was asked after all."""

    was_made: bool = True


@contextmanager
def request(operation: str) -> Iterator[Request]:
    """One request. What raises inside has failed, but for an object that is not there."""
    begun, made = time.monotonic(), Request()
    try:
        yield made
    except Exception as error:
        _note(operation, begun, failed=not isinstance(error, FileNotFoundError))
        raise
    if made.was_made:
        _note(operation, begun, failed=False)


def note_bytes(count: int) -> None:
    """Count what an answer held."""
    if _current.usage is not None:
        _current.usage.read_bytes += count


def _note(operation: str, begun: float, *, failed: bool) -> None:
    usage = _current.usage
    if usage is None:
        return
    usage.requests[operation] += 1
    usage.failures[operation] += failed
    usage.seconds[operation] = usage.seconds.get(operation, 0.0) + time.monotonic() - begun
