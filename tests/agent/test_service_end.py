"""However the agent ends, it closes what it opened and writes down what it knows."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.config.model import Config
from agent.daemon.service import Service
from agent.notify.memory import AlertMemory
from agent.web.config import WebConfig
from parsers.wal import kernel
from rules.capacity.exposure import KeptTrail
from tests.wal_writer import WalWriter

Load = tuple[Config, WebConfig]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """One cluster over an archive that is read with a ledger."""
    wal, archive = WalWriter(), tmp_path / "wal"
    wal.commit(700, 1)
    wal.fill_to(0)
    archive.mkdir()
    (archive / "000000010000000000000001").write_bytes(wal.segments()[0])
    return Config.model_validate(
        {
            "clusters": [{"name": "lab", "archives": [{"url": str(archive)}], "scan": "500ms"}],
            "ledger": str(tmp_path / "ledger.sqlite"),
        }
    )


@pytest.fixture
def port() -> Iterator[int]:
    """Taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def make(config: Config, address: str) -> Service:
    def load() -> Load:
        raise AssertionError("nobody asked for it")

    return Service(config, load, WebConfig(), listen_address=address, telemetry_path="/metrics")


def opened_in(directory: Path) -> list[str]:
    """The files in a directory that this process holds open."""
    held = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            held.append(str(descriptor.readlink()))
        except OSError:
            continue
    return [path for path in held if path.startswith(str(directory))]


def test_an_address_that_is_taken_leaves_no_file_open(
    config: Config, port: int, tmp_path: Path
) -> None:
    service = make(config, f"127.0.0.1:{port}")
    marker = kernel.running() == "c"  # it is laid out where threads read
    assert len(opened_in(tmp_path)) == 2 + marker, "alerts, drills, the crash marker"
    with pytest.raises(OSError, match="in use"):
        asyncio.run(service.run())
    assert opened_in(tmp_path) == []


def test_what_nobody_foresaw_ends_it_with_everything_closed_and_saved(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make(config, "127.0.0.1:0")
    trail = KeptTrail(system_identifier=1, trail=())
    left: list[asyncio.Task[None]] = []

    async def fail_once_judged(self: Service) -> None:
        """One of the endless tasks, with a bug."""
        while not (tmp_path / "ledger.sqlite").exists():  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.05)
        self._memory.keep_trail("lab", trail)  # not saved yet
        raise ZeroDivisionError("a bug")

    async def story() -> None:
        with pytest.raises(ZeroDivisionError):
            await service.run()
        left.extend(task for task in asyncio.all_tasks() if task is not asyncio.current_task())

    monkeypatch.setattr(Service, "_keep_trails", fail_once_judged)
    asyncio.run(story())
    assert opened_in(tmp_path) == []
    assert not left
    memory = AlertMemory(tmp_path / "ledger-alerts.sqlite")
    assert memory.trail_of("lab") == trail
    memory.close()
