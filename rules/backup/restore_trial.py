"""What a restore_command did when it was tried: facts for the checks, and how it is spelled out.

Follows BuildRestoreCommand in src/common/archive.c (replace_percent_placeholders from 16 on) and
RestoreArchivedFile in xlogarchive.c for what the server makes of a status.
"""

from __future__ import annotations

from typing import Final

from parsers.sentences import tr
from parsers.values import dataclass

ABORTS_ABOVE: Final = (
    125  # the server takes 1 to 125 for "not there"; a signal and more for the end
)


class BadPlaceholder(ValueError):
    """The server would refuse the command: from 16 on, a % that has no meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The command, asked for one file."""

    asked: str
    archived: bool  # whether the archive has it
    status: int | None  # None: it did not end in time; negative: a signal ended it
    size_bytes: int | None  # of what it put at %p; None: nothing
    same: bool | None  # as the archive's content; None where there is nothing to compare
    said: str  # the last line of its error output


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialFacts:
    """All that was tried."""

    command: str
    read_from: str
    account: str  # under which it ran
    timeout_seconds: float
    segment_size_bytes: int
    trials: tuple[Trial, ...]
    refused: str | None = None  # why the server would not even run it


def expand_command(command: str, *, path: str, file: str, restart: str, major: int) -> str:
    """Put in what %p, %f, %r and %% stand for. Raises BadPlaceholder.

    >>> expand_command("cp /wal/%f %p 100%%", path="x", file="F", restart="R", major=16)
    'cp /wal/F x 100%'
    """
    meaning = {"p": path, "f": file, "r": restart, "%": "%"}
    out: list[str] = []
    rest = iter(command)
    for letter in rest:
        if letter != "%":
            out.append(letter)
            continue
        following = next(rest, "")
        if following not in meaning and major >= 16:
            raise BadPlaceholder(tr('"{placeholder}" has no meaning', placeholder=f"%{following}"))
        out.append(meaning.get(following, f"%{following}"))
    return "".join(out)
