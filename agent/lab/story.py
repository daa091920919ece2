"""The laboratory on a terminal: numbered steps, what is being run, how long it took, what held.

On anything that is not a roomy colour terminal it is plain text, one unwrapped line a fact.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from agent.lab.narrator import Narrator
from agent.language import say
from parsers.sentences import tr
from parsers.values import dataclass

_WIDEST: Final = 100
_ROOMY: Final = 72


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
    """The few signs, in what the terminal can write."""

    good: str
    bad: str
    eye: str  # the agent
    log: str  # the server's log
    dot: str  # between facts


_UNICODE: Final = Glyphs(good="✓", bad="✗", eye=tr("◉ the agent:"), log="│", dot="·")
_ASCII: Final = Glyphs(good=tr("ok:"), bad=tr("NOT:"), eye=tr("agent:"), log="|", dot="-")


class _Console(Console):
    """Lets a closed pipe end the program as it does everywhere else; rich would exit with 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def make_console() -> Console:
    """A console for stdout: plain when it is no terminal, a dumb one, or NO_COLOR is set."""
    console = _Console(highlight=False, emoji=False)
    plain = not console.is_terminal or console.is_dumb_terminal or "NO_COLOR" in os.environ
    if plain or console.width < _ROOMY:
        return _Console(highlight=False, emoji=False, force_terminal=False, color_system=None)
    return console


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRow:
    """One restore in the final table."""

    target: tuple[str, ...]  # lines
    witnesses: Mapping[str, tuple[str, ...]]  # each witness's lines
    agree: bool


class TerminalStory(Narrator):
    """Draws what the laboratory's parts tell."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._plain = not console.is_terminal
        self._width = min(console.width, _WIDEST)
        self._glyphs = _UNICODE if "utf" in console.encoding.lower() else _ASCII
        self._step_count = 0

    def title(self, text: str, *below: str) -> None:
        self._line(f"[bold]{escape(say(text))}[/bold]")
        for line in below:
            self._line(f"[dim]{escape(say(line))}[/dim]")

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One numbered step; its time is told at its end."""
        self._step_count += 1
        self._line("")
        self._line(f"[bold cyan]{self._step_count:>2}  {escape(say(title))}[/bold cyan]")
        started = time.monotonic()
        yield
        took = tr(
            "step {number}: {time:.1f} s", number=self._step_count, time=time.monotonic() - started
        )
        self._line(f"    [dim]{say(took)}[/dim]")

    @contextlib.contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Something that takes a while; a terminal shows that it goes on."""
        with contextlib.nullcontext() if self._plain else self._console.status(escape(say(text))):
            yield

    @contextlib.contextmanager
    def shell(self, command: str) -> Iterator[None]:
        started = time.monotonic()
        with self.waiting(command):
            yield
        self._timed(f"$ {command}", "green", started)

    @contextlib.contextmanager
    def sql(self, statement: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self._timed(f"postgres=# {statement}", "magenta", started)

    def _timed(self, text: str, style: str, started: float) -> None:
        first, *more = text.splitlines()
        took = say(tr("{time:.2f} s", time=time.monotonic() - started))
        if self._plain:
            self._line(f"    {escape(first)}  ({took})")
        else:
            grid = Table.grid(expand=True)
            grid.add_column(width=4)
            grid.add_column(ratio=1)
            grid.add_column(justify="right", no_wrap=True)
            grid.add_row("", Text(first, style=style), Text(f" {took}", style="dim"))
            self._console.print(grid, width=self._width)
        for line in more:
            self._line(f"    [{style}]{escape(line)}[/{style}]")

    def result(self, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        cells = [list(headings), *([str(value) for value in row] for row in rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(headings))]
        if not self._plain and sum(widths) + 2 * len(widths) + 4 > self._width:
            self._expanded(headings, cells[1:])
            return
        for number, row in enumerate(cells):
            style = "dim" if number == 0 else "default"
            text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self._line(f"      [{style}]{escape(text.rstrip())}[/{style}]")

    def _expanded(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A column a line, as psql's \\x."""
        widest = max(len(heading) for heading in headings)
        for row in rows:
            for heading, cell in zip(headings, row, strict=True):
                self._line(f"      [dim]{escape(heading.ljust(widest))}[/dim]  {escape(cell)}")

    def note(self, text: str) -> None:
        self._said("", text, "dim")

    def proof(self, text: str, *, holds: bool = True) -> None:
        if holds:
            self._said(self._glyphs.good, text, "green")
        else:
            self._said(self._glyphs.bad, text, "bold red")

    def server_says(self, line: str) -> None:
        self._said(self._glyphs.log, line, "yellow")

    def agent_says(self, text: str, *, holds: bool = True) -> None:
        self._said(self._glyphs.eye, text, "blue" if holds else "bold red")

    def _said(self, glyph: str, text: str, style: str) -> None:
        """One remark under its step; on a terminal it wraps below its own beginning."""
        glyph = f"{say(glyph)} " if glyph else ""
        text = say(text).replace(_UNICODE.dot, self._glyphs.dot)
        if self._plain:
            self._line(f"    {glyph}{escape(text)}")
            return
        grid = Table.grid()
        grid.add_column(width=4 + len(glyph), no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(Text(f"    {glyph}", style=style), Text(text, style=style))
        self._console.print(grid, width=self._width)

    def to_type(self, command: str) -> None:
        """A command for the person, in one piece however long: it is there to be copied."""
        self._console.print(escape(f"    $ {command}"), soft_wrap=True)

    def comparison(self, title: str, rows: Sequence[ComparisonRow]) -> None:
        """The final table: a row a restore, a column a witness, and whether they agree."""
        self._line("")
        if self._plain:
            self._comparison_as_text(title, rows)
            return
        witnesses = list(rows[0].witnesses)
        table = Table(title=say(title), title_justify="left", box=box.ROUNDED, width=self._width,
                      show_lines=True, title_style="bold")  # fmt: skip
        table.add_column(say(tr("restore to")), overflow="fold")
        for witness in witnesses:
            table.add_column(say(witness), overflow="fold")
        table.add_column("", no_wrap=True)
        for row in rows:
            said = (Text("\n".join(map(say, row.witnesses[name]))) for name in witnesses)
            glyph, style = (
                (self._glyphs.good, "bold green") if row.agree else (self._glyphs.bad, "bold red")
            )
            table.add_row(Text("\n".join(row.target)), *said, Text(say(glyph), style))
        self._console.print(table)

    def _comparison_as_text(self, title: str, rows: Sequence[ComparisonRow]) -> None:
        self._line(escape(say(title)))
        for row in rows:
            verdict = tr("agree") if row.agree else tr("DIFFER")
            self._line(f"  {escape(', '.join(row.target))}: {say(verdict)}")
            longest = max(len(say(witness)) for witness in row.witnesses)
            for witness, lines in row.witnesses.items():
                said = escape("; ".join(map(say, lines)))
                self._line(f"    {say(witness).ljust(longest)}  {said}")

    def verdict(self, text: str, *, holds: bool) -> None:
        """The last line."""
        style = "bold green" if holds else "bold red"
        self._line("")
        self._line(f"[{style}]{escape(say(text))}[/{style}]")

    def _line(self, markup: str) -> None:
        """One line; as plain text it is never wrapped."""
        self._console.print(
            markup, soft_wrap=self._plain, width=None if self._plain else self._width
        )
