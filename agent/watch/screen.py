"""The terminal view: one screen, redrawn, that a person keeps open during a restore."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from agent.printable import printable
from agent.watch.follow import Follower, Item
from agent.watch.lines import Line, screen_lines, verdict_line
from agent.watch.live import check_readable, follow
from agent.watch.present import Presenter

if TYPE_CHECKING:
    from agent.cli.watch import Options


def watch_screen(options: Options) -> int:
    """Draw until the restore has ended or the person leaves; the last screen stays."""
    follower = Follower(options)
    presenter = Presenter(follower)
    console = Console(highlight=False)
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def show(items: list[Item]) -> None:
            lines = screen_lines(presenter.view(), console.width, console.height - 1)
            live.update(Group(*map(_text, lines)), refresh=True)

        follow(follower, show)
    follower.finish()
    _print_lines(console, screen_lines(presenter.view(), console.width))
    check_readable(follower)
    _print_lines(console, [verdict_line(follower.summary)])
    return follower.summary.verdict.status


def _text(line: Line) -> Text:
    text, style = line
    return Text(printable(text), style=style, no_wrap=True, overflow="ellipsis")


def _print_lines(console: Console, lines: Iterable[Line]) -> None:
    for text, style in lines:
        console.print(Text(printable(text), style=style))
