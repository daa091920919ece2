"""OpenSSH's own server on loopback, for whoever runs the tests: with Debian's sftp-server."""

from __future__ import annotations

import getpass
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.store import objects, urls
from tests.fix_tools import PATIENCE_SECONDS, need_program
from tests.ports import free_ports

_SUBSYSTEM = Path("/usr/lib/openssh/sftp-server")


@dataclass
class Host:
    """A running server, and the files of who connects."""

    home: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def key_file(self) -> Path:
        return self.home / "user"

    @property
    def known_hosts_file(self) -> Path:
        return self.home / "known_hosts"

    def bare(self, path: Path) -> str:
        """The address as it is shown."""
        return f"sftp://{getpass.getuser()}@127.0.0.1:{self.port}{path}"

    def url(self, path: Path) -> str:
        files = f"key_file={self.key_file}&known_hosts_file={self.known_hosts_file}"
        return f"{self.bare(path)}?{files}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [need_program("sshd"), "-D", "-f", self.home / "sshd_config", "-E", self.home / "log"]
        )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            assert self.process.poll() is None, (self.home / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5):
                return True
        except OSError:
            return False

    def stop(self) -> None:
        """The server, and the sessions that it began."""
        if self.process is None:
            return
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True
        )
        for pid in (self.process.pid, *map(int, listed.stdout.split())):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    need_program("sshd")
    home = tmp_path / "ssh"
    home.mkdir()
    for name in ("host", "user", "stranger"):
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / name]
        subprocess.run(keygen, check=True)
    (port,) = free_ports(1)
    made = Host(home, port)
    key = (home / "host.pub").read_text().split()
    made.known_hosts_file.write_text(f"[127.0.0.1]:{port} {key[0]} {key[1]}\n")
    (home / "authorized").write_text((home / "user.pub").read_text())
    (home / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {home}/host\nPidFile {home}/pid\n"
        f"AuthorizedKeysFile {home}/authorized\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
        f"PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        f"Subsystem sftp {_SUBSYSTEM}\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where it gives up its rights
    made.start()
    _begin_anew()
    yield made
    made.stop()
    _begin_anew()


def _begin_anew() -> None:
    objects._store.cache_clear()
    urls.adopt({})
