"""What is served: a FastAPI application.

Handlers render what the last readings left in memory; none of them reads a source.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Sequence
from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from agent import __version__
from agent.html.answers import takes_gzip
from agent.monitor.late import is_late
from agent.monitor.watched import WatchedCluster
from agent.page.headers import SecurityHeaders
from agent.page.routes import Page
from agent.web.api import make_api
from agent.web.exposition import Exposition

_WORTH_IT_BYTES: Final = 1 << 16
_LEVEL: Final = 1


def make_application(
    clusters: Sequence[WatchedCluster],
    telemetry_path: str,
    exposition: Exposition,
    stands_still: Callable[[], bool] = lambda: False,
    *,
    on_instant_refused: Callable[[], None] = lambda: None,
) -> FastAPI:
    """The routes: metrics, the agent's own health, the API, and the page."""

    async def metrics(request: Request) -> Response:
        accepted = request.headers.get("accept", "")
        await exposition.warm(accepted)
        page, content_type = exposition.render(accepted)
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if takes_gzip(request) and len(page) > _WORTH_IT_BYTES:
            headers["Content-Encoding"] = "gzip"
            # Beside the loop: of a thousand clusters it takes a tenth of a second.
            page = await asyncio.to_thread(gzip.compress, page, _LEVEL, mtime=0)
        return Response(page, headers=headers)

    async def healthz(_: Request) -> Response:
        late = [cluster.name for cluster in clusters if is_late(cluster)]
        still = stands_still()
        status = "standing still" if still else "late" if late else "ok"
        body = {"status": status, "clusters": len(clusters), "late": late}
        # A restart helps the agent; it does not help one cluster whose mount hangs.
        ill = still or (bool(late) and len(late) == len(clusters))
        return JSONResponse(body, status_code=503 if ill else 200)

    async def readyz(_: Request) -> Response:
        waiting = [c.name for c in clusters if c.judged_at is None]
        body = {"status": "waiting" if waiting else "ok", "waiting": waiting}
        return JSONResponse(body, status_code=503 if waiting else 200)

    application = FastAPI(title="pitr-agent", version=__version__, docs_url=None, redoc_url=None)
    application.include_router(make_api(clusters))
    for path, handler in (
        (telemetry_path, metrics),
        ("/healthz", healthz),
        ("/readyz", readyz),
    ):
        application.add_route(path, handler)
    page = Page(clusters, telemetry_path, on_instant_refused)
    application.router.routes.extend(page.routes())
    application.add_middleware(SecurityHeaders)
    return application
