"""The scratch server's life: started, followed through its log until recovery has ended, stopped.

The server is our own child, not pg_ctl's: its end is seen at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Final

import psutil

from agent.drill.area import Area
from agent.drill.settings import LOG_LINE_PREFIX
from agent.postgres.installation import Installation
from agent.private_file import write_private
from parsers.log.recovery_events import RecoveryEvent
from parsers.log.stream import LogStream, StreamItem
from rules.live.facts import RestoreRecord
from rules.live.phase import Phase
from rules.live.summary import Summary, summarize

_LOOK_SECONDS: Final = 0.02
_WATCH_SECONDS: Final = 0.5
_STOP_SECONDS: Final = 60.0
_ENDED: Final = frozenset({Phase.PAUSED_AT_TARGET, Phase.PAUSED, Phase.SHUT_DOWN, Phase.FAILED})


class ScratchServer:
    """One server in one area. Use as a context manager: it is down at the end."""

    def __init__(
        self,
        installation: Installation,
        area: Area,
        settings: Mapping[str, str],
        environment: Mapping[str, str],
        prefix: Sequence[str] = (),
    ) -> None:
        self._area = area
        self._prefix = prefix  # the confinement that it is started in
        self._environment = environment  # of its restore_command
        self._command = [str(installation.program("postgres")), "-D", str(area.data)]
        for name, value in settings.items():
            self._command += ["-c", f"{name}={value}"]
        self._stream = LogStream(format="stderr", prefix=LOG_LINE_PREFIX)
        self.restore = RestoreRecord()
        self.logged: dict[str, datetime] = {}  # event -> the log's own time of its first line
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ScratchServer:
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
        environment |= self._environment
        with write_private(self._area.log) as log:
            self._process = self._area.guardian.start(
                "server",
                self._command,
                options=self._area.account.popen_options(),
                prefix=self._prefix,
                stdout=log,
                stderr=log,
                env=environment,
            )
        self._log = self._area.log.open("rb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop(signal.SIGQUIT)
        self._log.close()

    # -- following it ----------------------------------------------------------------------------

    def wait_for_recovery(self, watch: Callable[[], None]) -> Summary:
        """Wait until recovery has ended one way or another; `watch` is called now and then.

        Lets through what `watch` raises.
        """
        watched_at = -_WATCH_SECONDS
        while True:
            down = not self.is_running()
            self._read_log(at_end=down)
            if down or self._has_ended():
                return summarize(self.restore)
            if time.monotonic() - watched_at >= _WATCH_SECONDS:
                watch()
                watched_at = time.monotonic()
            time.sleep(_LOOK_SECONDS)

    def _has_ended(self) -> bool:
        attempt = self.restore.attempt
        if attempt.phase in _ENDED:
            # A server that gives up is gone in a moment, and says more until then.
            return attempt.phase in (Phase.PAUSED_AT_TARGET, Phase.PAUSED)
        return attempt.opened

    def _read_log(self, *, at_end: bool) -> None:
        data = self._log.read()
        if data:
            self._take(self._stream.feed(data))
        else:  # nothing since the last look: no line is added to the last record
            self._take(self._stream.settle())
        if at_end:
            self._take(self._stream.end())

    def _take(self, items: Sequence[StreamItem]) -> None:
        self.restore.apply_all(items)
        for item in items:
            if isinstance(item, RecoveryEvent) and item.at is not None:
                self.logged.setdefault(item.name, item.at)

    # -- ending it -------------------------------------------------------------------------------

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self, how: signal.Signals = signal.SIGINT) -> bool:
        """Stop it; tell whether it went down as it was told, and not only when it was killed."""
        assert self._process is not None, "asked only of a server that was started"
        try:
            for number in (how, signal.SIGQUIT):
                self._signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_STOP_SECONDS)
                    return number is how
            self._process.kill()
            self._process.wait()
            return False
        finally:
            self._area.guardian.forget("server")

    def _signal(self, number: signal.Signals) -> None:
        """The server is the one child of what it is confined by, which passes nothing on."""
        assert self._process is not None
        if not self._prefix:
            self._process.send_signal(number)
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self._process.pid).children():
                child.send_signal(number)
