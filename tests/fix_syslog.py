"""A syslog daemon of the test's own: rsyslogd on /dev/log, where this machine has none."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fix_tools import PATIENCE_SECONDS, need, need_program
from tests.waiting import wait_until

_SOCKET = Path("/dev/log")  # the C library's syslog() knows no other
# rsyslog's own templates: RFC 3164 with either time, and RFC 5424.
TEMPLATES = {
    "traditional": "RSYSLOG_TraditionalFileFormat",
    "file": "RSYSLOG_FileFormat",
    "protocol": "RSYSLOG_SyslogProtocol23Format",
}
_CONFIGURATION = """
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{socket}" RateLimit.Interval="0" CreatePath="off")
{actions}
"""


@dataclass(frozen=True, slots=True)
class Syslog:
    """Where the daemon writes: one file a template."""

    directory: Path

    def file(self, template: str) -> Path:
        return self.directory / f"{template}.log"

    def wait_for(self, text: str) -> None:
        """Wait until every file holds the text."""
        wait_until(
            lambda: all(text in self._read(template) for template in TEMPLATES),
            f"syslog writes {text!r}",
        )

    def _read(self, template: str) -> str:
        path = self.file(template)
        return path.read_text(errors="replace") if path.exists() else ""


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One of pytest's processes at a time has the socket."""
    directory = os.open(_SOCKET.parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


@pytest.fixture
def syslog(tmp_path: Path) -> Iterator[Syslog]:
    program = need_program("rsyslogd")
    with _alone():
        need("/dev/log")
        with _running(program, tmp_path) as syslog:
            yield syslog


@contextlib.contextmanager
def _running(program: str, tmp_path: Path) -> Iterator[Syslog]:
    configuration = tmp_path / "rsyslog.conf"
    actions = (
        f'action(type="omfile" file="{tmp_path / name}.log" template="{template}")'
        for name, template in TEMPLATES.items()
    )
    configuration.write_text(_CONFIGURATION.format(socket=_SOCKET, actions="\n".join(actions)))
    daemon = subprocess.Popen(
        [program, "-n", "-f", str(configuration), "-i", str(tmp_path / "rsyslogd.pid")],
        stdin=subprocess.DEVNULL,
    )
    try:
        wait_until(_SOCKET.exists, "rsyslogd listens")
        _SOCKET.chmod(0o666)
        yield Syslog(tmp_path)
    finally:
        daemon.terminate()
        daemon.wait(PATIENCE_SECONDS)
        _SOCKET.unlink(missing_ok=True)
