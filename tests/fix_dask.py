"""A real Dask cluster on loopback: a scheduler and workers, each a process that a test may end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest

from tests.fix_tools import PATIENCE_SECONDS, need
from tests.ports import free_ports

SCHEDULER: Final = "comm.timeouts.connect"
WORKERS: Final = "scheduler.no-workers-timeout"
_BOTH: Final = (SCHEDULER, WORKERS)


@dataclass
class DaskCluster:
    """What runs, and how to end it."""

    home: Path
    port: int
    scheme: str = "tcp"
    environment: Mapping[str, str] = field(default_factory=dict)  # of each program
    scheduler: subprocess.Popen[bytes] | None = None
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)  # by address

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def start_scheduler(self) -> None:
        words = ["--host", f"{self.scheme}://127.0.0.1", "--port", str(self.port), "--no-dashboard"]
        self.scheduler = self._start("scheduler", *words)
        _wait_for(lambda: _listens(self.port), self.scheduler, self.home / "scheduler.log")

    def start_worker(
        self, environment: Mapping[str, str] | None = None, prefix: Sequence[str] = ()
    ) -> str:
        """Give its address; the scheduler will know it."""
        (port,) = free_ports(1)
        words = [self.url, "--host", "127.0.0.1", "--worker-port", str(port), "--no-dashboard"]
        words += ["--nthreads", "1", "--no-nanny", "--memory-limit", "0"]
        name = f"worker-{port}"
        address = f"{self.scheme}://127.0.0.1:{port}"
        self.workers[address] = self._start(
            "worker", *words, name=name, environment=environment, prefix=prefix
        )
        return address

    def wait_for_workers(self) -> None:
        """Until each is registered."""
        for address, process in self.workers.items():
            log = self.home / f"worker-{address.rpartition(':')[2]}.log"
            _wait_for(lambda log=log: b"Registered to" in log.read_bytes(), process, log)

    def tasks(self) -> dict[str, int]:
        """How many tasks each worker has that is registered."""
        with self._client() as client:
            return {name: len(keys) for name, keys in client.processing().items()}

    def known_tasks(self) -> int:
        """How many tasks the scheduler knows."""
        with self._client() as client:
            found: int = client.run_on_scheduler(_count_tasks)
            return found

    def _client(self) -> Any:
        from distributed import Client

        return Client(self.url, timeout=PATIENCE_SECONDS, set_as_default=False)

    def kill_worker(self, address: str) -> None:
        process = self.workers.pop(address)
        process.kill()
        process.wait()

    def kill_scheduler(self) -> None:
        assert self.scheduler is not None
        self.scheduler.kill()
        self.scheduler.wait()
        self.scheduler = None

    def end(self) -> None:
        for process in (*self.workers.values(), *filter(None, [self.scheduler])):
            process.kill()  # which ends a stopped one as well
            process.wait()
        self.workers.clear()
        self.scheduler = None

    def _start(
        self,
        what: str,
        *words: str,
        name: str | None = None,
        environment: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> subprocess.Popen[bytes]:
        log = (self.home / f"{name or what}.log").open("wb")
        with log:
            return subprocess.Popen(
                [*prefix, sys.executable, "-m", f"distributed.cli.dask_{what}", *words],
                stdout=log,
                stderr=log,
                cwd=self.home,
                env=os.environ | dict(self.environment) | dict(environment or {}),
            )


@contextmanager
def running_cluster(
    home: Path, count: int, environment: Mapping[str, str] | None = None, scheme: str = "tcp"
) -> Iterator[DaskCluster]:
    """A scheduler and some workers of one thread each, until the end of the block."""
    need("distributed")
    home.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    cluster = DaskCluster(home, port, scheme, environment or {})
    try:
        cluster.start_scheduler()
        for _ in range(count):
            cluster.start_worker()
        cluster.wait_for_workers()
        yield cluster
    finally:
        cluster.end()


@contextmanager
def waiting_for(seconds: float, *whom: str) -> Iterator[None]:
    """Dask's own settings end the wait for an answer, and for workers: for both, or one of them."""
    need("distributed")
    from dask import config

    # Else the end of the first set() takes away the defaults too that it came with since.
    import_module("distributed")
    with config.set({f"distributed.{each}": f"{seconds} s" for each in whom or _BOTH}):
        yield


def stop(process: subprocess.Popen[bytes] | None) -> None:
    """Have a process do nothing any more, its connections open."""
    assert process is not None
    process.send_signal(signal.SIGSTOP)


def resume(process: subprocess.Popen[bytes] | None) -> None:
    assert process is not None
    process.send_signal(signal.SIGCONT)


def _wait_for(is_so: Callable[[], object], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(log.read_text(errors="replace")[-2000:])
        time.sleep(0.05)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _count_tasks(dask_scheduler: Any) -> int:
    return len(dask_scheduler.tasks)
