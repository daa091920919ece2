"""The agent behind `--web.config.file`, as its clients see it."""

from __future__ import annotations

import contextlib
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import yaml

from tests.fix_tools import PATIENCE_SECONDS, need_program
from tests.ports import free_port
from tests.waiting import wait_until

PASSWORD = "s3cret-Password"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()


class Guarded:
    """The agent with a web configuration."""

    def __init__(self, directory: Path, web: dict[str, Any]) -> None:
        self.web_file = directory / "web.yaml"
        self.log = directory / "agent.log"
        self.address = f"127.0.0.1:{free_port()}"
        config = directory / "pitr.yaml"
        config.write_text(
            f"clusters: [{{name: a, archives: [{{url: {directory}}}]}}]\n"
            f"ledger: {directory}/state/ledger.sqlite\n"
        )
        (directory / "state").mkdir()
        self.write(web)
        self.config = config
        self.start()

    def start(self) -> None:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    Path(sys.executable).parent / "pitr-agent", "run", "--config", self.config,
                    "--web.listen-address", self.address, "--web.config.file", self.web_file,
                    "--log.level", "debug",
                ],
                stdout=log, stderr=log,
            )  # fmt: skip
        wait_until(lambda: "serving" in self.log.read_text(), "the agent serves")

    def write(self, web: dict[str, Any]) -> None:
        self.web_file.write_text(yaml.safe_dump(web))

    def reload(self) -> None:
        before = self.log.read_text().count("reloaded")
        self._process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.log.read_text().count("reloaded") > before, "it is reloaded")

    def curl(self, *arguments: object, scheme: str = "https", path: str = "/metrics") -> str:
        """The status, "000" when no connection came to be; the page's headers stand before it."""
        command = [need_program("curl"), "-s", "-o", "/dev/null", "-D", "-"]
        url = f"{scheme}://{self.address}{path}"
        result = subprocess.run(
            [*command, "-w", "%{http_code}", *map(str, arguments), url],
            capture_output=True, text=True, timeout=PATIENCE_SECONDS,
        )  # fmt: skip
        return result.stdout

    def subject(self, certificates: Path) -> str:
        """Who the server says that it is."""
        context = ssl.create_default_context(cafile=certificates / "ca.pem")
        host, port = self.address.split(":")
        with (
            socket.create_connection((host, int(port)), PATIENCE_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            certificate: Any = secured.getpeercert()
        return dict(pair[0] for pair in certificate["subject"])["commonName"]

    def stop(self) -> int:
        self._process.terminate()
        return self._process.wait(PATIENCE_SECONDS)


@contextlib.contextmanager
def guarded(directory: Path, web: dict[str, Any]) -> Iterator[Guarded]:
    agent = Guarded(directory, web)
    try:
        yield agent
    finally:
        agent.stop()
