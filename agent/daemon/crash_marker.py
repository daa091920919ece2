"""A file that outlives a crash in native code, and that the agent's next start finds.

The compiled engine and the codecs read segments in threads: a crash there ends the whole agent,
where it used to end one worker process. faulthandler then writes what every thread was at; if one
of ours read segments in the thread that crashed, the next start reads with the numpy engine, in
processes, until another build of the engine is there or somebody removes the file.
"""

from __future__ import annotations

import faulthandler
import logging
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from agent.engine import VARIABLE, kernel_source
from agent.private_file import write_private
from parsers.sentences import tr
from parsers.wal import kernel
from rules.model.evidence import EngineCrashFacts

log: Final = logging.getLogger("pitr.service")

_READER: Final = "agent/archive/workers.py"  # on the stack of every thread that reads segments
_MOST_BYTES: Final = 1 << 20


class CrashMarker:
    """Found at the start, then laid out for the next crash."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self.crash = self._find()
        if self.crash is not None:
            kernel.choose("numpy")
            log.error(
                "a crash in native code ended the agent while it read segments (%s): reading them"
                " with the numpy engine; remove %s to use the compiled one again",
                self.crash.place, self.crash.marker,
            )  # fmt: skip
        elif path is not None and kernel.running() == "c":
            self._lay_out(path)

    def close(self) -> None:
        """Take the file away: this is no crash."""
        file, self._file = self._file, None
        if file is None or self._path is None:
            return
        faulthandler.disable()
        file.close()
        with suppress(OSError):
            self._path.unlink()

    def _find(self) -> EngineCrashFacts | None:
        if self._path is None or os.environ.get(VARIABLE) == "c":  # somebody insists
            return None
        try:
            with self._path.open("rb") as file:
                text = file.read(_MOST_BYTES).decode(errors="replace")
                changed = os.fstat(file.fileno()).st_mtime
        except OSError:
            return None
        source, _, said = text.partition("\n")
        frames = _crashed_thread(said)
        if source != kernel_source() or not any(_READER in frame for frame in frames):
            return None
        signal = said.partition("\n")[0].removeprefix("Fatal Python error: ")
        return EngineCrashFacts(
            crashed_at=datetime.fromtimestamp(changed, UTC),
            place=tr("{signal} in {place}", signal=signal, place=frames[0].rpartition(" in ")[2]),
            marker=str(self._path),
        )

    def _lay_out(self, path: Path) -> None:
        try:
            self._file = write_private(path)
            self._file.write(kernel_source().encode() + b"\n")
            faulthandler.enable(self._file)
        except OSError as error:
            log.warning("%s: %s: a crash would not be known at the next start", path, error)


def _crashed_thread(said: str) -> list[str]:
    """The stack of the thread that crashed, the innermost call first."""
    _, _, after = said.partition("\nCurrent thread ")
    lines = after.partition("\n\n")[0].splitlines()[1:]
    return [line.strip() for line in lines if line.startswith("  File ")]
