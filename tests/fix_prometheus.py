"""A real Prometheus (Debian package `prometheus`) that scrapes what a test serves."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fix_postgres import IN_CI

PATIENCE_SECONDS = 60


def find_program(name: str, *, package: str = "prometheus") -> str:
    """The program's path. Its absence skips the test on a laptop and fails it in CI."""
    found = shutil.which(name)
    if found is None:
        assert not IN_CI, f"{name} (Debian package {package}) must be there in CI"
        pytest.skip(f"{name} is not installed")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(url: str) -> Any:
    """GET a JSON document; None while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)
    except (OSError, urllib.error.URLError):
        return None


def wait_until(what: Callable[[], Any], why: str, *, seconds: float = PATIENCE_SECONDS) -> Any:
    """The first true value of `what`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := what():
            return value
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s: {why}")


class Program:
    """One process of a Debian package, in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self, name: str, *options: str, package: str) -> None:
        with (self._directory / f"{name}.log").open("ab") as log:
            command = [find_program(name, package=package), *options]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None


class Prometheus(Program):
    """With its own configuration and storage."""

    url = ""

    def start(
        self,
        scrape: str,
        rules: Path | None = None,
        *,
        alertmanager: str | None = None,
        **scrape_options: object,
    ) -> None:
        """Scrape `host:port` every second, and evaluate the rules as often."""
        job = {"job_name": "pitr", "static_configs": [{"targets": [scrape]}], **scrape_options}
        config: dict[str, Any] = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(rules)] if rules else [],
            "scrape_configs": [job],
        }
        if alertmanager:
            targets = [{"static_configs": [{"targets": [alertmanager]}]}]
            config["alerting"] = {"alertmanagers": targets}
        path = self._directory / "prometheus.yml"
        path.write_text(yaml.safe_dump(config))
        address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{address}"
        self.launch(
            "prometheus",
            f"--config.file={path}",
            f"--storage.tsdb.path={self._directory / 'data'}",
            f"--web.listen-address={address}",
            package="prometheus",
        )
        wait_until(lambda: ask(f"{self.url}/api/v1/status/buildinfo"), "Prometheus answers")

    def alerts(self, state: str = "firing") -> set[str]:
        """Names of the alerts in this state."""
        answer = ask(f"{self.url}/api/v1/alerts") or {"data": {"alerts": []}}
        alerts: list[Mapping[str, Any]] = answer["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == state}


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    directory = tmp_path / "prometheus"
    directory.mkdir()
    server = Prometheus(directory)
    yield server
    server.stop()
