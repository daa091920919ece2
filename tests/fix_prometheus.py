"""A real Prometheus (Debian package `prometheus`) that scrapes what a test serves."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fix_tools import PATIENCE_SECONDS, need_program
from tests.ports import free_port
from tests.waiting import wait_until


def ask(url: str) -> Any:
    """GET a JSON document; None while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
            return json.load(answer)
    except (OSError, urllib.error.URLError):
        return None


class Program:
    """One process of a Debian package, in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self, name: str, *options: str) -> None:
        with (self._directory / f"{name}.log").open("ab") as log:
            command = [need_program(name), *options]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE_SECONDS)
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
