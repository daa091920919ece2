"""A progress bar on the terminal of a person who waits; nothing for programs."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

from agent.archive.progress import OnProgress
from agent.language import say
from parsers.sentences import tr
from rules.model.counted import sized


@contextlib.contextmanager
def progress_bar(shown: bool) -> Iterator[OnProgress | None]:
    """Give the function that is told how far it is; None without a terminal."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (
        TextColumn(say(tr("reading segments"))),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        Remaining(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, rate="")

        begun = time.monotonic()

        def tell(done: int, total: int, read_bytes: int = 0, by: str = "", /) -> None:
            rate = rate_of(done, read_bytes, by, time.monotonic() - begun)
            bar.update(task, completed=done, total=total, rate=rate)

        yield tell


def rate_of(done: int, read_bytes: int, by: str, seconds: float) -> str:
    """How fast it goes, and who reads.

    >>> rate_of(120, 120 << 24, "4 workers", 10.0)
    '12.0 segments/s, 192 MiB/s, 4 workers'
    """
    if not done or not seconds:
        return ""
    parts = [say(tr("{rate:.1f} segments/s", rate=done / seconds))]
    if read_bytes:
        parts.append(f"{say(sized(read_bytes / seconds))}/s")
    return ", ".join([*parts, say(by)] if by else parts)
