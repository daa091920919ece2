"""The fleet as a table for a terminal, and below it why each goal will be broken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from agent.documents import fleet_words as words
from agent.language import say
from agent.printable import printable
from parsers.sentences import indented, joined, tr
from rules.fleet.line import FleetLine

_HEADS: Final = (
    tr("verdict"), tr("cluster"), tr("class"), tr("window"), tr("unprotected"), tr("goal broken"),
    tr("backup by"), tr("obsolete"), tr("space needed"), tr("last drill"),
)  # fmt: skip


def fleet_text(lines: Sequence[FleetLine], now: datetime, within: timedelta) -> Iterator[str]:
    """The worst verdict first; then a line a cluster, in the order given."""
    answer = words.in_a_line(lines)
    yield tr("{verdict}: {answer}", verdict=lines[0].verdict.word, answer=answer)
    yield words.needs_backup(lines, now, within)
    yield ""
    cells = [[*map(say, row)] for row in (_HEADS, *(_cells(line, now) for line in lines))]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(map(str.ljust, row, widths)).rstrip()
    for line in lines:
        why = list(_why(line, now))
        if why:
            yield ""
            yield printable(line.name)
            yield from why


def _cells(line: FleetLine, now: datetime) -> tuple[str, ...]:
    return (
        line.verdict.word, printable(line.name), printable(line.protection_class or "-"),
        words.window(line), words.unprotected(line), words.first_breach(line, now),
        words.backup_by(line, now), words.obsolete(line), words.space(line),
        words.drilled(line, now),
    )  # fmt: skip


def _why(line: FleetLine, now: datetime) -> Iterator[str]:
    if line.summary:
        yield indented(printable(say(line.summary)))
    for each in line.breaches:
        when: str = tr("since when is not known")
        if each.at is not None:
            at = f"{each.at:%Y-%m-%d %H:%M %Z}"
            when = joined(", ", (at, words.until(each.at, now)))
        basis = printable(say(each.basis))
        if each.at is None or each.at <= now:
            yield tr("  {goal} is broken ({when}): {basis}", goal=each.goal, when=when, basis=basis)
        else:
            yield tr(
                "  {goal} will be broken ({when}): {basis}", goal=each.goal, when=when, basis=basis
            )
