"""A progress bar on the terminal of a person who waits; nothing for programs."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from agent.inputs.gather import OnProgress


@contextlib.contextmanager
def progress_bar(shown: bool) -> Iterator[OnProgress | None]:
    """Give the function that is told (done, total) segments; None without a terminal."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (
        TextColumn("reading segments"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        Remaining(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, rate="")

        def tell(done: int, total: int) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:.1f} segments/s" if speed else ""
            bar.update(task, completed=done, total=total, rate=rate)

        yield tell
