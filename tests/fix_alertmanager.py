"""A real Alertmanager (Debian package `prometheus-alertmanager`), down and up as a test likes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fix_prometheus import Program, ask
from tests.ports import free_port
from tests.waiting import wait_until


class Alertmanager(Program):
    """On a loopback port that stays the same, without peers."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.address}"

    def start(self) -> None:
        config = self._directory / "alertmanager.yml"
        document = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}
        config.write_text(yaml.safe_dump(document))
        self.launch(
            "prometheus-alertmanager",
            f"--config.file={config}",
            f"--storage.path={self._directory / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        )
        wait_until(lambda: ask(f"{self.url}/api/v2/status"), "Alertmanager answers")

    def alerts(self) -> list[Mapping[str, Any]]:
        """What is active now."""
        answer: list[Mapping[str, Any]] = ask(f"{self.url}/api/v2/alerts") or []
        return answer

    def names(self) -> list[str]:
        return sorted(alert["labels"]["alertname"] for alert in self.alerts())


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    """Not started yet: its address is known."""
    directory = tmp_path / "alertmanager"
    directory.mkdir()
    server = Alertmanager(directory)
    yield server
    server.stop()
