"""The real pitr-agent beside the laboratory: a process of its own, read over HTTP."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from agent.lab.errors import LabFailed
from agent.lab.metrics_page import MetricsPage, parse_metrics_page
from agent.lab.programs import program_path
from agent.postgres.guardian import Guardian
from parsers.sentences import tr

PROGRAM: Final = "pitr-agent"


class AgentProcess:
    """`pitr-agent run` on a configuration of the laboratory's, on a loopback port of its choice.

    `prefix` is a command that runs it, `environment` is added to ours.
    """

    start_seconds = 120.0  # until it has answered once
    stop_seconds = 30.0  # until it is killed

    def __init__(
        self,
        directory: Path,
        *,
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._prefix = prefix
        self._environment = {**os.environ, **(environment or {})}
        self.config = directory / "pitr.yaml"
        self.log = directory / "pitr-agent.log"
        self.url = ""  # http://127.0.0.1:port once it serves
        self._log_begins = 0  # where in its log that of the process begins
        self._process: subprocess.Popen[bytes] | None = None
        self._guardian: Guardian | None = None

    def start(self, config: Mapping[str, Any]) -> None:
        """Write the configuration, start the agent, wait for its first metrics page."""
        self.config.write_text(yaml.safe_dump(dict(config), sort_keys=False), encoding="utf-8")
        self.url, self._log_begins = "", self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *self._prefix,
                    program_path(PROGRAM),
                    "run",
                    "--config",
                    self.config,
                    "--web.listen-address",
                    "127.0.0.1:0",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        self._guardian = Guardian(self._process.pid, signal.SIGTERM)
        deadline = time.monotonic() + self.start_seconds
        while self.read() is None:
            if self._process.poll() is not None:
                raise LabFailed(
                    tr("pitr-agent ended with {n} at its start", n=self._process.returncode),
                    log=self.log,
                )
            if time.monotonic() > deadline:
                raise LabFailed(
                    tr("pitr-agent did not answer in {time:.0f} s", time=self.start_seconds),
                    log=self.log,
                )
            time.sleep(0.1)

    def read(self) -> MetricsPage | None:
        """The metrics of this moment; None while the agent does not answer."""
        self.url = self.url or self._told_url()
        if not self.url:
            return None
        try:
            with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as answer:
                return parse_metrics_page(answer.read().decode())
        except (OSError, http.client.HTTPException):  # it may end in the middle of its answer
            return None

    def _told_url(self) -> str:
        """Where it says that it serves; empty before."""
        said = re.search(rb"serving (http:\S+)/metrics", self.log.read_bytes()[self._log_begins :])
        return said[1].decode() if said else ""

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait(self, seconds: float) -> int:
        """Its exit status, once it has ended. Raises subprocess.TimeoutExpired."""
        assert self._process is not None
        return self._process.wait(seconds)

    def stop(self) -> None:
        """Ask it to end, and insist if it does not."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._guardian is not None:
            self._guardian.dismiss()
        self._process = None
