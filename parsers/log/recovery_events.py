"""What a server's log says happened during a recovery: the values that the log stream yields.

One shape for all: an `Event` as its name, and its fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Final

from parsers.log.messages.event import Event
from parsers.values import dataclass

FieldValue = str | int | datetime | None

# The startup process's first line: what pg_control held.
FIRST_WORDS: Final = frozenset({
    Event.WAS_SHUT_DOWN, Event.WAS_SHUT_DOWN_IN_RECOVERY, Event.SHUTDOWN_INTERRUPTED,
    Event.INTERRUPTED, Event.INTERRUPTED_IN_CRASH_RECOVERY, Event.INTERRUPTED_IN_ARCHIVE_RECOVERY,
})  # fmt: skip

NAMES: Final = frozenset(Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryEvent:
    """One thing that the log says happened."""

    name: Event
    at: datetime | None  # UTC; None when the log has no time, or only an ambiguous one
    fields: Mapping[str, FieldValue] = field(default_factory=dict)  # LSNs int, instants aware UTC
    severity: str = "LOG"  # in English
    message: str = ""  # as logged
    detail: str | None = None
    hint: str | None = None
    process: str = ""  # who writes such a message, see messages.message; "": no server's
    pid: int | None = None
    proven: bool = True  # False: the format cannot show that no client wrote it
    placed: bool = True  # False: of a file beside the log: when it came among its lines is lost

    def lsn(self, name: str = "lsn") -> int | None:
        """A field that is an LSN; None when it is absent."""
        value = self.fields.get(name)
        return value if isinstance(value, int) else None

    def text(self, name: str) -> str | None:
        """A field that is text; None when it is absent."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else None

    def number(self, name: str) -> int | None:
        """A field that is a number; None when it is absent."""
        return self.lsn(name)

    def instant(self, name: str = "time") -> datetime | None:
        """A field that is an instant; None when it is absent or beyond the calendar."""
        value = self.fields.get(name)
        return value if isinstance(value, datetime) else None
