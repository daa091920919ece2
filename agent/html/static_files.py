"""The stylesheet, the scripts and the icon: files of the package, sent with their version.

A link names the digest of its file, so that a browser keeps it for a year and asks for another
when the file is another. Nothing else of the package can be asked for: the table is made at start.
"""

from __future__ import annotations

import functools
import hashlib
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from agent.html.answers import ASK_AGAIN, answer

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FOR_A_YEAR: Final = "public, max-age=31536000, immutable"


class StaticFile(NamedTuple):
    """One file, ready to send."""

    content: bytes
    content_type: str
    digest: str


@functools.cache
def static_files() -> dict[str, StaticFile]:
    """By their path below static/."""
    return {
        path: StaticFile(
            content, _TYPES[path[path.rindex(".") :]], hashlib.sha256(content).hexdigest()[:16]
        )
        for path, content in _read(resources.files("agent.html") / "static", "")
    }


def static_link(path: str) -> str:
    """The link below the page's root."""
    return f"static/{path}?v={static_files()[path].digest}"


async def serve_static(request: Request) -> Response:
    """GET /static/…"""
    found = static_files().get(request.path_params["path"])
    if found is None:
        return PlainTextResponse("there is no such file\n", 404)
    lasting = request.query_params.get("v") == found.digest
    keep = _FOR_A_YEAR if lasting else ASK_AGAIN
    return answer(request, found.content, found.content_type, keep=keep)


def _read(directory: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    files: list[tuple[str, bytes]] = []
    for entry in directory.iterdir():
        if entry.is_dir():
            files += _read(entry, f"{prefix}{entry.name}/")
        elif any(entry.name.endswith(suffix) for suffix in _TYPES):
            files.append((prefix + entry.name, entry.read_bytes()))
    return files
