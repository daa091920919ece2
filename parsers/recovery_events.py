"""What a server's log says happened during a recovery: the values that the log stream yields.

One shape for all: a name (the `event` of the message catalogue) and its fields. `NAMES` lists what
can come; the names are part of the contract of `pitr-watch --format json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from parsers.messages import TABLE

FieldValue = str | int | datetime | None

# Names of events that no server message makes.
FILE_MISSING: Final = "file_missing"  # restore_command said that the archive does not hold `file`
COMMAND_OUTPUT: Final = "command_output"  # restore_command, or another child, said something else
LANGUAGE_UNREADABLE: Final = "language_unreadable"  # the log is in a language without catalogue
UNLISTED_FATAL: Final = "unlisted_fatal"  # a FATAL or PANIC of recovery that no table knows
TIME_ZONE_AMBIGUOUS: Final = "time_zone_ambiguous"  # stamps end in an abbreviation of several zones

NAMES: Final = frozenset(message.event for message in TABLE) | {
    FILE_MISSING, COMMAND_OUTPUT, LANGUAGE_UNREADABLE, TIME_ZONE_AMBIGUOUS, UNLISTED_FATAL,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryEvent:
    """One thing that the log says happened."""

    name: str
    at: datetime | None  # UTC; None when the log has no time, or only an ambiguous one
    fields: Mapping[str, FieldValue] = field(default_factory=dict)  # LSNs int, instants aware UTC
    severity: str = "LOG"  # in English
    message: str = ""  # as logged
    detail: str | None = None
    hint: str | None = None
    process: str = ""  # who writes such a message, see parsers.messages.message; "" : no server's
    pid: int | None = None
    proven: bool = True  # False: the format cannot show that no client wrote it

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
