"""The boundary of one file: whatever goes wrong while it is read is said of that file alone.

A segment that this program fails on must not hide the others, and is not damaged for it: nobody
has looked. Imports are few on purpose: fetch-wal runs once a segment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from agent.denied import reason
from parsers.sentences import message_of, tr

if TYPE_CHECKING:
    from agent.store.meter import StoreUsage

T = TypeVar("T")


class Unreadable(Exception):
    """A file whose content is unknown. One line for a person; its cause is chained to it."""

    is_cold = False  # its store keeps it where nothing can be read
    usage: StoreUsage | None = None  # what was asked of its store


def read_guarded(read: Callable[[], T]) -> T:
    """Read one file. Raises FileNotFoundError when it is gone, else nothing but Unreadable."""
    try:
        return read()
    except FileNotFoundError:
        raise
    except Exception as failure:
        unreadable = Unreadable(why_unreadable(failure))
        unreadable.is_cold = getattr(failure, "is_cold", False)
        raise unreadable from failure


def why_unreadable(failure: BaseException) -> str:
    """Say in one line why a file could not be read."""
    if isinstance(failure, Unreadable):
        return message_of(failure)
    said = " ".join(str(failure).split())
    if isinstance(failure, OSError):
        return tr("cannot be read: {reason}", reason=reason(failure) or type(failure).__name__)
    name = type(failure).__name__
    error = f"{name}: {said[:200]}" if said else name
    return tr("unexpected {error} (this is a bug, please report it)", error=error)
