"""Who may look: basic authentication before every page, and the headers that the owner wants.

bcrypt is slow on purpose: it runs on a thread, one check at a time, so that whoever guesses
passwords delays no reading; what was right once is remembered by a keyed digest.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Sequence
from typing import Final

import bcrypt
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.web.config import WebConfig

_REMEMBERED_MAX: Final = 100
_PASSWORD_BYTES: Final = 72  # bcrypt looks at no more
# Checked for a name that nobody has, so that the time tells nothing.
_NOBODY: Final = b"$2b$10$z2vMx7LOuEkIAtsDHH/QU.hWVcygaVZYygeT4sdYuCJMeRxpnLAk."


class Guard:
    """ASGI middleware. `config` may be replaced while it serves."""

    def __init__(self, application: ASGIApp, config: WebConfig) -> None:
        self._application = application
        self._key = os.urandom(32)
        self._right: set[bytes] = set()
        self._one_at_a_time = asyncio.Semaphore(1)
        self.use(config)

    def use(self, config: WebConfig) -> None:
        """Ask for these users, and send these headers, from now on."""
        self._right = set()
        self._headers = config.headers
        self._users = {name: value.get_secret_value().encode() for name, value in config.users}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        application = self._application
        if self._users and not await self._may_pass(Headers(scope=scope).get("authorization")):
            application = PlainTextResponse(
                "Unauthorized\n", 401, {"WWW-Authenticate": 'Basic realm="pitr-agent"'}
            )
        await application(scope, receive, _with_headers(send, self._headers))

    async def _may_pass(self, authorization: str | None) -> bool:
        given = _credentials(authorization or "")
        if given is None:
            return False
        name, password = given
        digest = hmac.new(self._key, b"\0".join((name.encode(), password)), hashlib.sha256).digest()
        if digest in self._right:
            return True
        users = self._users
        async with self._one_at_a_time:
            right = await asyncio.to_thread(_check, password, users.get(name, _NOBODY))
        right = right and name in users and users is self._users
        if right and len(self._right) < _REMEMBERED_MAX:
            self._right.add(digest)
        return right


def _check(password: bytes, hashed: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:_PASSWORD_BYTES], hashed)
    except ValueError:
        return False


def _credentials(authorization: str) -> tuple[str, bytes] | None:
    """Name and password of an Authorization header (RFC 7617)."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded, validate=True).partition(b":")
        return (name.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None


def _with_headers(send: Send, headers: Sequence[tuple[str, str]]) -> Send:
    if not headers:
        return send

    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(dict(headers))
        await send(message)

    return send_with
