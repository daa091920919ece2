"""Who did it, as far as the server's log tells.

Proof is a line that names the transaction (`%x`, csvlog's transaction_id, jsonlog's txid). A
statement that was logged before its transaction had a number proves nothing: it is offered as what
it is, the likely one, when it names the relation and came shortly before the commit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal

from parsers.values import dataclass
from parsers.wal.facts import instant
from rules.events.path_event import PathEvent

_LIKELY_SECONDS: Final = 600.0
_TAKES_AWAY: Final = re.compile(
    r"\b(?:drop|truncate|alter|vacuum|cluster|reindex)\b", re.IGNORECASE
)
_MAX_TEXT: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One record of a client's session."""

    at: datetime | None  # None: its zone is not known
    user: str | None
    database: str | None
    pid: int | None
    xid: int | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A line of the log about a happening."""

    line: LogLine
    by: Literal["transaction", "statement"]  # proof, or only likely


def find_witnesses(
    happenings: Iterable[PathEvent], lines: Iterable[LogLine]
) -> dict[int, list[Witness]]:
    """The lines about each transaction, by the LSN of its end. One pass through the log."""
    by_xid: dict[int, list[PathEvent]] = {}
    named: list[tuple[PathEvent, frozenset[str]]] = []
    found: dict[int, list[Witness]] = {}
    for happening in happenings:
        if happening.xid:
            for xid in (happening.xid, *happening.subxids):
                by_xid.setdefault(xid, []).append(happening)
        names = _names(happening)
        if names:
            named.append((happening, names))
    for line in lines:
        for happening in by_xid.get(line.xid or 0, ()):
            found.setdefault(happening.lsn, []).append(Witness(line=line, by="transaction"))
        if not line.xid and _TAKES_AWAY.search(line.text):
            words = frozenset(re.findall(r"\w+", line.text))
            for happening, names in named:
                if names <= words and _just_before(line, happening):
                    witness = Witness(line=line, by="statement")
                    found.setdefault(happening.lsn, []).append(witness)
    return {lsn: _best(witnesses) for lsn, witnesses in found.items()}


def _names(happening: PathEvent) -> frozenset[str]:
    """The words that a statement must have that did this to its first relation."""
    if happening.database_name:
        return frozenset(re.findall(r"\w+", happening.database_name))
    rows = (e.row for e in happening.relations if e.action in ("dropped", "truncated"))
    first = next((row for row in rows if row is not None), None)
    return frozenset(re.findall(r"\w+", first.name)) if first else frozenset()


def _just_before(line: LogLine, happening: PathEvent) -> bool:
    if line.at is None or happening.time_us is None:
        return False
    return 0 <= (instant(happening.time_us) - line.at).total_seconds() <= _LIKELY_SECONDS


def _best(witnesses: list[Witness]) -> list[Witness]:
    """Proof alone where there is any; else the last likely statement."""
    proof = [witness for witness in witnesses if witness.by == "transaction"]
    return proof or witnesses[-1:]


def shorten(text: str) -> str:
    """A statement on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= _MAX_TEXT else f"{line[:_MAX_TEXT]} …"
