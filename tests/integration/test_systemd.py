"""What the unit of Type=notify hears: ready, alive, reloading, stopping."""

from __future__ import annotations

import contextlib
import queue
import signal
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from agent.config.model import Config
from agent.daemon.systemd import tell_systemd, watchdog_seconds
from agent.monitor.late import is_late
from agent.monitor.watched import WatchedCluster
from rules.model.findings import Verdict
from tests.fix_tools import PATIENCE_SECONDS
from tests.fix_watched import Watched, make_older


class Manager:
    """systemd's end of the socket, which holds ten datagrams: what is one too many is not sent."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._heard: queue.Queue[list[str]] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):  # it is closed
            while heard := self._socket.recv(4096):
                self._heard.put(heard.decode().splitlines())

    def hear(self, *lines: str) -> list[str]:
        """The next datagram that has all these lines; what comes before it is passed over."""
        while True:
            heard = self._heard.get(timeout=PATIENCE_SECONDS)
            if set(lines) <= {line.split("USEC=")[0] for line in heard}:
                return heard

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RD)  # which ends the thread's wait
        self._socket.close()


@pytest.fixture
def manager(short_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    address = str(short_directory / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    manager = Manager(address)
    yield manager
    manager.close()


def test_systemd_hears_how_the_agent_is(manager: Manager, watched: Watched) -> None:
    watched.start()
    assert "STATUS=watching 1 cluster" in manager.hear("READY=1")
    manager.hear("WATCHDOG=1")
    manager.hear("WATCHDOG=1")
    watched.signal(signal.SIGHUP)
    manager.hear("RELOADING=1", "MONOTONIC_")
    manager.hear("READY=1")
    watched.signal(signal.SIGTERM)
    manager.hear("STOPPING=1")


def test_nobody_who_listens_and_a_socket_that_is_gone_stop_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for address in ("", "relative", str(tmp_path / "absent"), "@" + "x" * 200):
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        tell_systemd("READY=1")


@pytest.mark.parametrize("abstract", [True, False])
def test_a_socket_is_found_whatever_it_is_called(
    abstract: bool, short_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"@pitr-test{short_directory}" if abstract else str(short_directory / "unit@1")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    manager = Manager(address)
    tell_systemd("READY=1")
    assert manager.hear("READY=1") == ["READY=1"]
    manager.close()


@pytest.mark.parametrize(
    ("microseconds", "pid", "expected"),
    [("60000000", None, 30.0), ("60000000", "1", None), ("0", None, None), ("soon", None, None)],
)
def test_how_often_the_watchdog_is_fed(
    microseconds: str, pid: str | None, expected: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if pid is not None:
        monkeypatch.setenv("WATCHDOG_PID", pid)
    assert watchdog_seconds() == expected


def test_a_schedule_that_stands_still_is_late(tmp_path: Path) -> None:
    clusters = [{"name": "a", "archives": [{"url": str(tmp_path)}]}]
    (config,) = Config.model_validate({"clusters": clusters}).resolved()
    cluster = WatchedCluster(config, {})
    assert not is_late(cluster), "it has not begun"
    cluster.judge()
    assert not is_late(cluster)
    verdicts = cluster._verdicts
    for hours in (-24, 24):  # the wall clock was set
        assert verdicts.judged_at is not None
        verdicts.judged_at += timedelta(hours=hours)
        assert not is_late(cluster)
    with cluster.jobs.rounds.round("scan"):
        pass
    make_older(cluster, 1000)
    assert is_late(cluster)
    assert cluster.verdict is Verdict.UNKNOWN
