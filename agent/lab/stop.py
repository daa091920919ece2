"""Where a recovery stopped: as the laboratory recorded it, and as PostgreSQL says it.

The lines are those of recoveryStopsBefore, recoveryStopsAfter and PerformWalRecovery in
src/backend/access/transam/xlogrecovery.c, read here with expressions of the laboratory's own:
what judges the product must not be the product.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from datetime import datetime
from itertools import takewhile
from typing import Final

from parsers.lsn import format_lsn, parse_lsn
from parsers.sentences import tr
from parsers.values import dataclass

_KINDS: Final = {"lsn": tr("record"), "restore_point": tr("restore point")}  # for a person


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedStop:
    """One stop point. None is what this witness does not state."""

    position: str  # before, after, at
    kind: str  # commit, abort, lsn, restore_point
    xid: int | None = None
    name: str | None = None  # of the restore point
    lsn: int | None = None  # start of the record at which recovery stopped
    time: datetime | None = None  # stamped into that record
    last_transaction_at: datetime | None = None  # the last commit that was replayed

    def disagreements(self, other: RecordedStop) -> Iterator[str]:
        """What this witness states, and the other states differently or not at all."""
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if mine is not None and mine != theirs:
                yield tr(
                    "{field}: {mine} and {theirs}",
                    field=field.name, mine=_text(mine), theirs=_text(theirs),
                )  # fmt: skip

    def lines(self) -> tuple[str, ...]:
        """Say it in a few words a line."""
        kind = _KINDS.get(self.kind) or self.kind.replace("_", " ")
        name = f" {self.name}" if self.name else ""
        if self.position == "at":
            what = tr("at the {kind}{name}", kind=kind, name=name)
        else:
            position = tr(self.position)
            what = tr("{position} the {kind}{name}", position=position, kind=kind, name=name)
        words: list[str] = [
            what if self.xid is None else tr("{stop} of {xid}", stop=what, xid=self.xid)
        ]
        if self.lsn is not None:
            words.append(tr("at {lsn}", lsn=format_lsn(self.lsn)))
        if self.time is not None:
            words.append(self.time.isoformat(" "))
        return tuple(words)


def _text(value: object) -> str:
    return value.isoformat(" ") if isinstance(value, datetime) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What a server's log says about its stop: the lines themselves, and what they mean."""

    lines: tuple[str, ...]  # without their prefix, in the log's order
    stop: RecordedStop | None  # None when no line says that it stopped


_TRANSACTION: Final = re.compile(
    r"recovery stopping (before|after) (commit|abort) of transaction (\d+), time (.+)$"
)
_LSN: Final = re.compile(r'recovery stopping (before|after) WAL location \(LSN\) "(.+)"$')
_NAME: Final = re.compile(r'recovery stopping at restore point "(.+)", time (.+)$')
_REDO_DONE: Final = re.compile(r"redo done at ([0-9A-F]+/[0-9A-F]+)")
LAST_TRANSACTION: Final = "last completed transaction was at log time "
_LAST_TRANSACTION: Final = re.compile(LAST_TRANSACTION + "(.+)$")
_USAGE: Final = " system usage: "  # what "redo done" adds from 14 on
_STOPPED: Final = re.compile(r"received \w+ shutdown request$")
_FATAL: Final = re.compile(r"(?:FATAL|PANIC):  (.+)$")


def read_report(log_lines: Iterable[str]) -> Reported:
    """Find the stop in the log of one restore: its line, and what `redo done` adds to it."""
    stated: dict[str, object] = {}
    kept: list[str] = []
    for line in takewhile(_is_before_the_end, log_lines):
        facts = _facts(line)
        if facts is not None:
            stated = facts | stated  # the stop's own line comes first, and counts
            kept.append(line.partition(":  ")[2].partition(_USAGE)[0])
    stop = RecordedStop(**stated) if "position" in stated else None  # type: ignore[arg-type]
    return Reported(lines=tuple(kept), stop=stop)


def _is_before_the_end(line: str) -> bool:
    """A session that is still there when the server is stopped gets a FATAL of its own."""
    return not _STOPPED.search(line)


def _facts(line: str) -> dict[str, object] | None:
    """The fields that one line states; None for a line about something else."""
    if match := _TRANSACTION.search(line):
        return {
            "position": match[1],
            "kind": match[2],
            "xid": int(match[3]),
            "time": datetime.fromisoformat(match[4]),
        }
    if match := _LSN.search(line):
        return {"position": match[1], "kind": "lsn", "lsn": parse_lsn(match[2])}
    if match := _NAME.search(line):
        time = datetime.fromisoformat(match[2])
        return {"position": "at", "kind": "restore_point", "name": match[1], "time": time}
    if match := _REDO_DONE.search(line):
        return {"lsn": parse_lsn(match[1])}
    if match := _LAST_TRANSACTION.search(line):
        return {"last_transaction_at": datetime.fromisoformat(match[1])}
    return {} if _FATAL.search(line) else None
