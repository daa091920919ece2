"""The fleet as a table for a terminal, and below it why each goal will be broken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from agent.documents import fleet_words as words
from agent.printable import printable
from rules.fleet.line import FleetLine

_HEADS: Final = (
    "verdict", "cluster", "class", "window", "unprotected", "goal broken", "backup by",
    "obsolete", "space needed", "last drill",
)  # fmt: skip


def fleet_text(lines: Sequence[FleetLine], now: datetime, within: timedelta) -> Iterator[str]:
    """The worst verdict first; then a line a cluster, in the order given."""
    yield f"{lines[0].verdict.value.upper()}: {words.in_a_line(lines)}"
    yield words.needs_backup(lines, now, within)
    yield ""
    cells = [_HEADS, *(_cells(line, now) for line in lines)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(map(str.ljust, row, widths)).rstrip()
    for line in lines:
        why = list(_why(line, now))
        if why:
            yield ""
            yield f"{printable(line.name)}"
            yield from why


def _cells(line: FleetLine, now: datetime) -> tuple[str, ...]:
    return (
        line.verdict.value.upper(), printable(line.name), printable(line.protection_class or "-"),
        words.window(line), words.unprotected(line), words.first_breach(line, now),
        words.backup_by(line, now), words.obsolete(line), words.space(line),
        words.drilled(line, now),
    )  # fmt: skip


def _why(line: FleetLine, now: datetime) -> Iterator[str]:
    if line.summary:
        yield f"  {printable(line.summary)}"
    for each in line.breaches:
        when = "since when is not known"
        if each.at is not None:
            when = f"{each.at:%Y-%m-%d %H:%M %Z}, {words.until(each.at, now)}"
        is_broken = "is broken" if each.at is None or each.at <= now else "will be broken"
        yield f"  {each.goal} {is_broken} ({when}): {printable(each.basis)}"
