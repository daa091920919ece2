"""HTTP: the application on uvicorn, inside the agent's own loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Final

import uvicorn
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.registry import Collector
from uvicorn.protocols.http.h11_impl import H11Protocol

from agent.config.file import ConfigError
from agent.monitor.watched import WatchedCluster
from agent.web.acquainted import Acquainted
from agent.web.application import make_application
from agent.web.config import WebConfig, new_context
from agent.web.connections import Connections, Seat
from agent.web.exposition import Exposition
from agent.web.guard import Guard
from agent.web.protocol import Protocol
from agent.web.refusals import Refusals

_FAREWELL_SECONDS: Final = 5  # a client that does not take its answer delays no stop


class WebServer:
    """Listens where it is told, and nowhere else."""

    def __init__(
        self,
        clusters: Sequence[WatchedCluster],
        listen_address: str,
        telemetry_path: str,
        collectors: Iterable[Collector] = (),
        config: WebConfig | None = None,
        *,
        stands_still: Callable[[], bool] = lambda: False,
        refusals: Refusals | None = None,
        acquainted: Acquainted | None = None,
    ) -> None:
        self._listen_address = listen_address
        config = config or WebConfig()
        self._refusals = refusals or Refusals()
        self._exposition = Exposition(clusters, _registry(collectors))
        application = make_application(
            clusters,
            telemetry_path,
            self._exposition,
            stands_still,
            on_instant_refused=lambda: self._refusals.note("instants"),
        )
        self._guard = Guard(
            application,
            config,
            acquainted,
            on_refused=lambda: self._refusals.note("passwords"),
        )
        self._context = new_context() if config.tls else None
        if self._context is not None:
            config.apply_tls(self._context)

    def use(self, config: WebConfig) -> None:
        """Serve by this from the next connection on. Raises ConfigError when only a start can."""
        if (config.tls is None) != (self._context is None):
            raise ConfigError("adding or removing tls_server_config needs a restart of the agent")
        if self._context is not None:
            config.apply_tls(self._context)
        self._guard.use(config)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve inside the block; gives the base URL. Raises OSError if the port is taken."""
        listening = listen(self._listen_address)
        host, port = listening.getsockname()[:2]
        config = uvicorn.Config(
            self._guard,
            log_config=None,  # the service has set up logging
            log_level="error",  # what clients do wrong is counted, not logged
            access_log=False,
            server_header=False,
            http=H11Protocol,
            ws="none",
            lifespan="off",
            timeout_graceful_shutdown=_FAREWELL_SECONDS,
        )
        config.load()
        config.ssl = self._context
        server = _Server(config, listening, self._refusals)
        task = asyncio.create_task(server.serve())
        warm = asyncio.create_task(self._exposition.keep_warm())
        try:
            scheme = "https" if self._context else "http"
            yield f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        finally:
            warm.cancel()
            server.should_exit = True
            await task
            listening.close()


def _registry(collectors: Iterable[Collector]) -> CollectorRegistry:
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


class _Server(uvicorn.Server):
    """uvicorn's, over connections that we accept ourselves."""

    def __init__(
        self, config: uvicorn.Config, listening: socket.socket, refusals: Refusals
    ) -> None:
        super().__init__(config)
        self._listening = listening
        self._refusals = refusals

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept from now on."""

        def make(seat: Seat) -> Protocol:
            return Protocol(seat, self._refusals, self.config, self.server_state, {})

        connections = Connections(self._listening, make, self.config.ssl, self._refusals)
        connections.start()
        self.servers = [connections]  # type: ignore[list-item]  # it closes alike
        self.started = True

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
