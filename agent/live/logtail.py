"""Follow a server log as it grows: rotated, truncated, in a directory, not there yet.

`LogTail.read_new()` is synchronous and bounded: it reads what is there, at most `READ_BYTES`, and
never waits. Call it again and again, from a thread with a deadline where the file may be on a
network file system.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Final

from parsers.log.stream import LogStream, StreamItem

READ_BYTES: Final = 8 << 20  # read by one call
_CHUNK: Final = 1 << 20
_HOLD_SECONDS: Final = 0.5  # a record waits this long for its DETAIL or STATEMENT lines
LOG_SUFFIXES: Final = (".json", ".csv", ".log")

NewStream = Callable[[], LogStream]


class LogTail:
    """One log, by file or by directory. Lets OSError through, except for what is not there yet."""

    def __init__(
        self,
        path: Path,
        new_stream: NewStream = LogStream,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.stream = new_stream()
        self._new_stream = new_stream
        self._clock = clock
        self._file: FileIO | None = None
        self._offset = 0
        self._pending = False
        self._current: Path | None = None
        self._grown_at = clock()
        self.at_end = False  # the last call read all that there was

    @property
    def current(self) -> Path | None:
        """The file that is being read; None while there is none."""
        return self._current

    @property
    def unreadable(self) -> bool:
        """Nothing in it is a server's or a child command's, or its prefix was misunderstood."""
        return self.stream.counts.unreadable

    def read_new(self) -> list[StreamItem]:
        """Give what was logged since the last call. Reads READ_BYTES at most."""
        found: list[StreamItem] = []
        budget = READ_BYTES
        while budget > 0:
            budget -= self._read_current(found, budget)
            if budget <= 0 or not self._advance(found):
                break
        self.at_end = budget > 0 and not self._pending
        if self._clock() - self._grown_at >= _HOLD_SECONDS:
            found += self.stream.settle()
        return found

    def close(self) -> list[StreamItem]:
        """Give what was held, and let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
        return self.stream.end()

    # -- the file that is open -------------------------------------------------------------------

    def _read_current(self, found: list[StreamItem], budget: int) -> int:
        """Read the open file to its end, or to the budget. Gives the bytes read."""
        total = 0
        self._pending = False
        while self._file is not None and total < budget:
            data = self._file.read(min(_CHUNK, budget - total))
            if not data:
                self._pending = data is None  # a pipe whose writer is still there
                break
            total += len(data)
            self._offset += len(data)
            self._grown_at = self._clock()
            found += self.stream.feed(data)
        return total

    def _advance(self, found: list[StreamItem]) -> bool:
        """At the end of the open file: go where the log goes on. False when it is here."""
        following = self._following()
        if following is None:
            return False
        if self._current is not None and following != self._current:
            found += self.stream.end()
            if following.suffix != self._current.suffix:
                self.stream = self._new_stream()
        return self._open(following)

    def _following(self) -> Path | None:
        """The file to read next; None to stay."""
        if self._file is None or self._current is None:
            return self._newest()
        opened = os.fstat(self._file.fileno())
        if not stat.S_ISREG(opened.st_mode):
            return None  # a pipe: it has no name to come back under
        if opened.st_size < self._offset:
            return self._current  # truncated: from its start
        later = self._later()
        if later is not None:
            return later
        try:
            named = self._current.stat()
        except FileNotFoundError:
            return None  # rotated away, the new one is not there yet
        if (named.st_dev, named.st_ino) != (opened.st_dev, opened.st_ino):
            return self._current
        return None

    def _open(self, path: Path) -> bool:
        try:
            file = FileIO(path, opener=_open_without_waiting)
        except FileNotFoundError:
            return False
        if self._file is not None:
            self._file.close()
        self._file, self._current, self._offset = file, path, 0
        return True

    # -- a directory of logs ---------------------------------------------------------------------

    def _newest(self) -> Path | None:
        if not self.path.is_dir():
            return self.path if self.path.exists() else None
        files = self._files()
        return files[-1] if files else None

    def _later(self) -> Path | None:
        """The oldest file of the directory that was begun after the open one."""
        if self._current is None or not self.path.is_dir():
            return None
        files = [file for file in self._files() if file.suffix == self._current.suffix]
        if self._current not in files:
            return files[-1] if files else None
        after = files[files.index(self._current) + 1 :]
        return after[0] if after else None

    def _files(self) -> list[Path]:
        """The directory's logs by age of their last line; the richer format of one name last."""
        found: list[tuple[int, int, Path]] = []
        for entry in os.scandir(self.path):
            suffix = Path(entry.name).suffix
            try:
                if suffix in LOG_SUFFIXES and entry.is_file():
                    age = entry.stat().st_mtime_ns // 1_000_000_000
                    found.append((age, -LOG_SUFFIXES.index(suffix), self.path / entry.name))
            except FileNotFoundError:
                continue  # removed while we looked
        return [path for _, _, path in sorted(found)]


def _open_without_waiting(path: str, flags: int) -> int:
    """A pipe without a writer must not hold us up; files do not care."""
    return os.open(path, flags | os.O_NONBLOCK)
