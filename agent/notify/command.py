"""A command that is run for each change, with the alert as JSON on its standard input.

No shell, a session of its own (so that its children end with it), and a deadline. Exit status 0
means that it took the notification; with any other it is run again later.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from typing import IO, Final

from agent.notify.document import webhook_document
from agent.notify.receiver import NotTaken
from rules.alerting.notifications import Notification

_SAID_BYTES: Final = 300  # of its standard error


class CommandReceiver:
    """Told of each change once, or more than once where it was cut short."""

    kind = "command"
    repeat_seconds: float | None = None

    def __init__(self, argv: Sequence[str], timeout_seconds: float) -> None:
        self._argv = list(argv)
        self.identity = f"{self.kind}-{hashlib.sha256(repr(self._argv).encode()).hexdigest()[:16]}"
        self.where = self._argv[0]  # an argument may be a secret
        self.timeout_seconds = timeout_seconds

    def deliver(self, notifications: Sequence[Notification]) -> None:
        """Run it for each. Raises NotTaken."""
        for notification in notifications:
            self._run(json.dumps(webhook_document(notification, self.kind)).encode())

    def close(self) -> None:
        """Nothing is held between two runs."""

    def _run(self, document: bytes) -> None:
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(document)
            given.seek(0)
            try:
                process = subprocess.Popen(
                    self._argv,
                    stdin=given,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    start_new_session=True,
                )
            except OSError as error:
                raise NotTaken(f"{self.where}: {error.strerror}") from None
            self._wait(process, said)

    def _wait(self, process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
        try:
            status = process.wait(self.timeout_seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise NotTaken(f"{self.where} did not end in {self.timeout_seconds:g} s") from None
        if status:
            said.seek(0)
            text = said.read(_SAID_BYTES).decode(errors="replace").strip()
            line = f": {text.splitlines()[0]}" if text else ""
            raise NotTaken(f"{self.where} ended with {status}{line}")
