"""The terminal view: one screen, redrawn, that a person keeps open during a restore."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from agent.language import say
from agent.live.words import Line, verdict_line
from agent.printable import printable
from agent.watch.follow import Follower, Item
from agent.watch.keys import LEAVE, PAUSE, reading_keys
from agent.watch.lines import Bar, screen_lines
from agent.watch.loop import check_readable, follow
from agent.watch.present import Presenter

if TYPE_CHECKING:
    from agent.watch.options import Options


_RECENT_AT_THE_END: Final = 8  # events on the screen that stays


def watch_screen(options: Options) -> int:
    """Draw until the restore has ended or the person leaves; the last screen stays."""
    follower = Follower(options)
    presenter = Presenter(follower)
    console = Console(highlight=False)
    with _Canvas(console) as canvas, reading_keys() as keys:
        hint = False

        def show(items: list[Item]) -> None:
            nonlocal hint
            typed = keys.typed()
            hint ^= typed.count(PAUSE) % 2 == 1
            lines = screen_lines(
                presenter.view(),
                console.width,
                console.height - 1,
                bar=Bar(clock=datetime.now(UTC), keys=keys.are_read, pause_hint=hint),
            )
            canvas.draw(lines)
            if LEAVE in typed:
                raise KeyboardInterrupt

        follow(follower, show)
    follower.finish()
    view = presenter.view()
    last = replace(view, recent=view.recent[-_RECENT_AT_THE_END:])
    _print_lines(console, screen_lines(last, console.width))
    check_readable(follower)
    _print_lines(console, [verdict_line(follower.summary)])
    return follower.summary.verdict.status


class _Canvas:
    """The live screen, taken away at its end. After a resize it begins on an empty one.

    A terminal that changes its width wraps the lines anew: how far up the last drawing begins is
    then known to nobody.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._size = console.size
        self._live = self._begin()

    def _begin(self) -> Live:
        return Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> _Canvas:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def draw(self, lines: Iterable[Line]) -> None:
        with drawn_whole():
            if self._console.size != self._size:
                self._size = self._console.size
                self._live.stop()
                self._console.clear()
                self._live = self._begin()
                self._live.start()
            self._live.update(Group(*map(_text, lines)), refresh=True)


@contextlib.contextmanager
def drawn_whole() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait: a screen that is half drawn cannot be taken away."""
    if threading.current_thread() is not threading.main_thread():
        yield  # it gets no signals
        return
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        signal.raise_signal(came[0])


def _text(line: Line) -> Text:
    text, style = line
    return Text(printable(say(text)), style=style, no_wrap=True, overflow="ellipsis")


def _print_lines(console: Console, lines: Iterable[Line]) -> None:
    for text, style in lines:
        console.print(Text(printable(say(text)), style=style))
