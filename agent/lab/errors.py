"""The laboratory's one way to fail."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from parsers.sentences import tr

_TAIL_LINES: Final = 15


class LabFailed(Exception):
    """The laboratory itself could not go on: says nothing about any backup.

    `log` is the log whose end tells more, read at once: the laboratory's files may be about to
    go. `next_step` is what the person can type.
    """

    def __init__(self, what: str, *, log: Path | None = None, next_step: str = "") -> None:
        super().__init__(
            tr("{what}: {next_step}", what=what, next_step=next_step) if next_step else what
        )
        self.log = log
        self.log_tail = () if log is None else _tail(log)


def _tail(log: Path) -> tuple[str, ...]:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    return tuple(lines[-_TAIL_LINES:])


class BadPlace(LabFailed):
    """The directory that the person named cannot be used."""
