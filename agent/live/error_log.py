"""The .log beside a csvlog or jsonlog: there lands what restore_command itself writes.

The collector gives both the same name. Only lines of child commands are taken from it; where it
holds the server's records as well, only those since the last start of a server.
"""

from __future__ import annotations

from dataclasses import replace

from agent.live.logtail import LogTail, NewStream
from parsers.log.messages.event import Event
from parsers.log.recovery_events import RecoveryEvent
from parsers.log.stream import StreamItem


class ErrorLog:
    """Follows the .log that belongs to the log which a tail reads now."""

    def __init__(self, new_stream: NewStream) -> None:
        self._new_stream = new_stream
        self._tail: LogTail | None = None

    @property
    def at_end(self) -> bool:
        return self._tail is None or self._tail.at_end

    def read_new(self, tail: LogTail | None) -> list[StreamItem]:
        """Give the child commands' lines that are new in the .log beside `tail`'s file."""
        current = tail.current if tail is not None else None
        if current is None or current.suffix not in (".csv", ".json"):
            return []
        beside = current.with_suffix(".log")
        if self._tail is None or self._tail.path != beside:
            self._tail = LogTail(beside, self._new_stream)
        return _of_commands(self._tail.read_new())

    def close(self) -> list[StreamItem]:
        """Give what was held."""
        return _of_commands(self._tail.close()) if self._tail is not None else []


def _of_commands(items: list[StreamItem]) -> list[StreamItem]:
    found: list[StreamItem] = []
    for item in items:
        if isinstance(item, RecoveryEvent):
            if item.name == Event.SERVER_STARTING:
                found.clear()
            elif item.name in (Event.FILE_MISSING, Event.COMMAND_OUTPUT):
                found.append(replace(item, placed=False))
    return found
