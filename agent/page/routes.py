"""The page's addresses: `/`, `/clusters/{name}`, `/findings/…`, `/runbooks/…`, `/static/…`.

The state of a view stands in its address (`q`, `sort`, an instant), never in the server. The same
address with `part=live` gives what the page refreshes in itself, so that links in it, which are all
relative, mean the same: behind a reverse proxy the page works below any prefix.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from agent.html.addresses import names_meant
from agent.html.answers import answer
from agent.html.environment import language_tag, render
from agent.html.static_files import serve_static
from agent.language import locale_of_header, speaking
from agent.monitor.watched import WatchedCluster
from agent.page.cluster import cluster_context
from agent.page.explained import (
    Explained,
    explain_alert,
    explain_finding,
    list_findings,
    where_found,
)
from agent.page.fleet import Fleet
from agent.page.instant import Instants
from agent.page.visit import Visit
from agent.turns import client_at
from parsers.sentences import tr

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
_REFRESHED: Final = ("fleet", "cluster")  # the templates that have a part named _live


class Page:
    """The handlers, over the clusters that are watched."""

    def __init__(
        self,
        clusters: Sequence[WatchedCluster],
        telemetry_path: str,
        on_instant_refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._clusters = clusters
        self._telemetry_path = telemetry_path
        self._fleet = Fleet(clusters)
        self._instants = Instants(on_instant_refused)

    def routes(self) -> list[BaseRoute]:
        """To be added to the application."""
        return [
            Route("/", _as_read(self.show_fleet)),
            Route("/clusters/{name:path}", _as_read(self.show_cluster)),
            Route("/findings/", _as_read(self.list_findings)),
            Route("/findings/{id}", _as_read(self.show_finding)),
            Route("/runbooks/{alert}", _as_read(self.show_runbook)),
            Route("/static/{path:path}", serve_static),
        ]

    async def show_fleet(self, request: Request) -> Response:
        """All clusters."""
        look = _look(request)
        return self._answer(request, look, "fleet", self._fleet.context(look))

    async def show_cluster(self, request: Request) -> Response:
        """One cluster, or a word that there is none of that name."""
        look, segment = _look(request), request.path_params["name"]
        for name in names_meant(segment):
            for cluster in self._clusters:
                if cluster.name == name:
                    shown = cluster_context(cluster, look)
                    shown["picked"] = await self._instants.answer(cluster, look)
                    return self._answer(request, look, "cluster", shown)
        return self._nothing(request, tr("No cluster of that name is watched"), segment)

    async def list_findings(self, request: Request) -> Response:
        """The catalogue."""
        return self._answer(request, _look(request), "findings_list", {"groups": list_findings()})

    async def show_finding(self, request: Request) -> Response:
        """What `pitr-check explain` says."""
        asked = request.path_params["id"]
        return self._explain(request, explain_finding(asked), tr("No finding has that id"), asked)

    async def show_runbook(self, request: Request) -> Response:
        """What docs/runbooks says."""
        asked = request.path_params["alert"]
        return self._explain(request, explain_alert(asked), tr("No alert has that name"), asked)

    def _explain(self, request: Request, page: Explained | None, what: str, asked: str) -> Response:
        if page is None:
            return self._nothing(request, what, asked)
        shown = {"page": page, "where": where_found(self._clusters, page.check)}
        return self._answer(request, _look(request), "explained", shown)

    def _nothing(self, request: Request, what: str, asked: str) -> Response:
        return self._answer(request, _look(request), "nothing", {"what": what, "asked": asked}, 404)

    def _answer(
        self, request: Request, look: Visit, template: str, shown: dict[str, Any], status: int = 200
    ) -> Response:
        live = template in _REFRESHED and look.query.get("part") == "live"
        html = render(
            f"{template}_live.html" if live else f"{template}.html",
            root=_root(request),
            now=look.now,
            telemetry_path=self._telemetry_path,
            query=look.query,
            **shown,
        ).encode()
        return answer(request, html, status=status, language=language_tag())


def _as_read(show: Handler) -> Handler:
    """In the language that the browser asks for, where there is one, else in the agent's."""

    async def shown(request: Request) -> Response:
        asked = locale_of_header(request.headers.get("accept-language", ""))
        with speaking(asked) if asked else nullcontext():
            return await show(request)

    return shown


def _look(request: Request) -> Visit:
    client = client_at(request.client.host) if request.client else ""
    return Visit(now=datetime.now(UTC), query=request.query_params, client=client)


def _root(request: Request) -> str:
    """The way from the address that was asked for back to the page's root, as written there."""
    path = request.scope.get("raw_path") or request.scope["path"].encode()
    return "../" * (path.count(b"/") - 1) or "./"
