"""HTTP: a Starlette application on uvicorn, inside the agent's own loop.

Handlers render what the last readings left in memory; none of them reads a source.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime

import uvicorn
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from agent.exporter import make_registry
from agent.watched import WatchedCluster


class WebServer:
    """Listens where it is told, and nowhere else."""

    def __init__(
        self, clusters: Sequence[WatchedCluster], listen_address: str, telemetry_path: str
    ) -> None:
        self._listen_address = listen_address
        self._application = make_application(clusters, telemetry_path)

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


def make_application(clusters: Sequence[WatchedCluster], telemetry_path: str) -> Starlette:
    """The routes: the metrics, the health of the agent itself, and a word to a lost visitor."""
    registry = make_registry(clusters)

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"Content-Type": content_type})

    async def healthz(_: Request) -> Response:
        now = datetime.now(UTC)
        late = [c.name for c in clusters if _is_late(c, now)]
        body = {"status": "late" if late else "ok", "clusters": len(clusters), "late": late}
        return JSONResponse(body, status_code=503 if late else 200)

    async def index(_: Request) -> Response:
        lines = [f"pitr-agent\n\n{telemetry_path}  metrics\n/healthz  is the agent itself alive\n"]
        for cluster in clusters:
            found = [f for fs in cluster.findings.values() for f in fs]
            lines.append(f"{cluster.name}")
            lines += [f"  {f.severity.value}  {f.id}: {f.summary}" for f in found]
            lines += [f"  unknown  {check}: not enough evidence" for check in _blind(cluster)]
            if not found and not _blind(cluster):
                lines.append("  nothing found")
        return PlainTextResponse("\n".join(lines) + "\n")

    return Starlette(
        routes=[Route(telemetry_path, metrics), Route("/healthz", healthz), Route("/", index)]
    )


def _blind(cluster: WatchedCluster) -> list[str]:
    return [check for check, known in cluster.known.items() if not known]


def _is_late(cluster: WatchedCluster, now: datetime) -> bool:
    """Whether the schedule itself has stopped: nothing was judged for several of its intervals."""
    if cluster.judged_at is None:
        return False
    interval = cluster.config.poll if cluster.config.dsn else cluster.config.scan
    patience = 3 * (interval or 300.0) + 3 * (cluster.config.timeout or 10.0)
    return (now - cluster.judged_at).total_seconds() > patience
