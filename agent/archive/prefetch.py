"""Segments fetched ahead: while the server replays one, a process beside it fetches the next.

`fetch-wal --prefetch N` hands over what lies in the spool directory, tells there what was asked
for, and starts the process if none is there. That fetches the N segments after the last one asked
for, several at a time, and goes away with all that it has fetched when recovery has ended or nobody
has asked for a while.

A segment is handed over only whole (it gets its name by a rename), only to the cluster whose it is
and only while the archive's file is the one that was read and holds the same: else it is fetched
again. The directory is the server's account's alone, and has a name that nobody can foresee where
others may write beside it. So nothing
depends on the spool: without it, or with a broken one, fetch-wal does what it does without. What
fetch-wal itself does is in `agent.archive.spool`; here is what the process does.

    <spool>/asked          the last segment asked for, and its size
    <spool>/lock           held with flock() while the process lives
    <spool>/SEGMENT        fetched; SEGMENT.source tells its digest and from which files it is,
                           SEGMENT.begun that it is being fetched
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from agent.archive.fetch import FileRefused, StoredAt, fetch
from agent.archive.spool import (
    BEGUN,
    LOOK_SECONDS,
    SOURCE,
    describe,
    digest_of,
    forget_spool,
)
from agent.errors import CannotCheck, UsageError
from agent.private_file import write_private
from agent.store.local import open_file
from parsers.segment import parse_segment_name, segment_name

_THREADS: Final = 4
_IDLE_SECONDS: Final = 60.0


class Spool:
    """The process's own view: what was asked for, what it has fetched."""

    def __init__(
        self,
        path: str,
        data_directory: str,
        roots: Sequence[str],
        find_further: Callable[[str], Sequence[StoredAt]] = lambda name: (),
    ) -> None:
        self._path = path
        self._data_directory = data_directory
        self._roots = roots
        self._find_further = find_further

    def asked(self) -> tuple[str, int] | None:
        """The last segment asked for, and its size in bytes."""
        try:
            with open(f"{self._path}/asked") as file:  # noqa: PTH123
                name, size = file.read().split()
            return name, int(size)
        except (OSError, ValueError):
            return None

    def keep_only(self, wanted: Sequence[str]) -> None:
        """Remove the segments that will not be asked for any more."""
        for name in os.listdir(self._path):  # noqa: PTH208
            segment = name.partition(".")[0]
            if len(segment) == 24 and segment not in wanted:
                self._remove(name)

    def fetch(self, name: str) -> bool:
        """Fetch one segment, unless it is there; False when no archive has it, or it is no good.

        What is wrong with it is for fetch-wal to say, when the server asks for it.
        """
        target = f"{self._path}/{name}"
        if os.path.exists(target):  # noqa: PTH110
            return True
        sources: list[str] = []
        write_private(Path(target + BEGUN)).close()
        try:
            whole = f"{target}.whole"
            found = fetch(
                name, whole, self._roots, data_directory=self._data_directory,
                complain=lambda _: None, durable=False, sources=sources,
                further=self._find_further(name),
            )  # fmt: skip
            if found:
                with open_file(whole) as file:
                    digest = digest_of(file)
                with write_private(Path(target + SOURCE)) as file:
                    file.write(os.fsencode(f"{digest}\n{describe(sources)}"))
                os.replace(whole, target)  # noqa: PTH105
            return found
        except (FileRefused, OSError, CannotCheck, UsageError):
            return False
        finally:
            self._remove(name + BEGUN)

    def is_recovering(self) -> bool:
        """Tell whether the server still wants WAL: it removes the signal when it has ended."""
        return any(
            os.path.exists(f"{self._data_directory}/{signal}.signal")  # noqa: PTH110
            for signal in ("recovery", "standby")
        )

    def clear(self) -> None:
        """Remove the spool with all that is in it."""
        for name in os.listdir(self._path):  # noqa: PTH208
            self._remove(name)
        with contextlib.suppress(OSError):
            os.rmdir(self._path)  # noqa: PTH106
        forget_spool(self._path, self._data_directory)

    def _remove(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(f"{self._path}/{name}")  # noqa: PTH108


def following(name: str, size: int, count: int) -> list[str]:
    """The names of the segments after one of this size.

    >>> following("0000000100000000000000FF", 1 << 24, 2)
    ['000000010000000100000000', '000000010000000100000001']
    """
    timeline, number = parse_segment_name(name, size)
    return [segment_name(timeline, number + step, size) for step in range(1, count + 1)]


def serve(spool: Spool, count: int) -> None:
    """Fetch ahead until recovery has ended, or nobody asks any more."""
    from concurrent.futures import Future, ThreadPoolExecutor

    asked: tuple[str, int] | None = None
    asked_at = time.monotonic()
    under_way: dict[str, Future[bool]] = {}
    with ThreadPoolExecutor(min(count, _THREADS)) as pool:
        while spool.is_recovering() and time.monotonic() - asked_at < _IDLE_SECONDS:
            now_asked = spool.asked()
            if now_asked is not None and now_asked != asked:
                asked, asked_at = now_asked, time.monotonic()
                wanted = following(*asked, count)
                spool.keep_only(wanted)
                # One that was not there may be by now.
                under_way = {
                    name: task for name, task in under_way.items()
                    if name in wanted and not (task.done() and not task.result())
                }  # fmt: skip
                for name in wanted:
                    if name not in under_way:
                        under_way[name] = pool.submit(spool.fetch, name)
            time.sleep(LOOK_SECONDS)
