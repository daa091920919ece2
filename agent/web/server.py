"""HTTP: the application on uvicorn, inside the agent's own loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

import uvicorn
from prometheus_client.registry import Collector

from agent.watched import WatchedCluster
from agent.web.application import make_application


class WebServer:
    """Listens where it is told, and nowhere else."""

    def __init__(
        self,
        clusters: Sequence[WatchedCluster],
        listen_address: str,
        telemetry_path: str,
        collectors: Iterable[Collector] = (),
    ) -> None:
        self._listen_address = listen_address
        self._application = make_application(clusters, telemetry_path, collectors)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve inside the block; gives the base URL. Raises OSError if the port is taken."""
        listening = listen(self._listen_address)
        host, port = listening.getsockname()[:2]
        server = _Server(
            uvicorn.Config(self._application, log_level="warning", access_log=False, lifespan="off")
        )
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield f"http://{f'[{host}]' if ':' in host else host}:{port}"
        finally:
            server.should_exit = True
            await task
            listening.close()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the service."""
        yield


def listen(address: str) -> socket.socket:
    """A listening socket for `host:port`, `[v6]:port` or `:port` (every interface)."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host or not host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if not host:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind((host, int(port)))
        listening.listen(128)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening
