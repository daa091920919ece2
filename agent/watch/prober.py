"""Look at the data directory, the processes and SQL again and again, on a thread of its own.

A server under restore may take seconds to answer, and a file system that is gone never does: the
log is read meanwhile. The latest look is there to be taken; how old it is says whether one hangs.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from agent.errors import CannotCheck
from agent.watch.probe import probe
from agent.watch.sources import NOTHING, RestoreSources, find_sources
from agent.zones import find_zone
from parsers.values import dataclass
from rules.live.observation import Observation

LOOK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What was seen, and when it was complete, by the monotonic clock."""

    sources: RestoreSources
    reading: Observation
    at: float


class Prober:
    """The latest look at one restore."""

    def __init__(self, pgdata: Path | None, dsn: str | None) -> None:
        self._pgdata, self._dsn = pgdata, dsn
        self._thread: threading.Thread | None = None
        self._over = threading.Event()
        self._error: CannotCheck | None = None
        self.accepts = True  # connections, as far as the log tells
        self._latest = Probed(sources=NOTHING, reading=Observation(), at=time.monotonic())

    @property
    def latest(self) -> Probed:
        """The latest look. Raises CannotCheck when it is not a data directory, or not readable."""
        if self._error is not None:
            raise self._error
        return self._latest

    def look(self) -> Probed:
        """Look now, and wait for it. Raises CannotCheck."""
        sources = find_sources(self._pgdata)
        dsn = (self._dsn or sources.dsn) if sources.accepts and self.accepts else None
        seen = probe(self._pgdata, sources.postmaster_pid, dsn)
        reading = replace(
            seen,
            configured=sources.settings,
            configured_known=sources.settings_known,
            complaint=sources.complaint,
            absent_places=sources.absent_places,
            absent_files=sources.absent_files,
            elsewhere=sources.elsewhere,
            find_zone=find_zone,
        )
        self._latest = Probed(sources=sources, reading=reading, at=time.monotonic())
        return self._latest

    def start(self) -> None:
        """Go on looking beside the caller, until `stop`."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="lookout", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End with the look under way, which is not waited for."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            try:
                self.look()
            except CannotCheck as error:
                self._error = error
                return
