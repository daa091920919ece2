"""Who may look: basic authentication before every page, and the headers that the owner wants.

bcrypt is slow on purpose: it runs on a thread, one check at a time, so that whoever guesses
passwords delays no reading. What was right or wrong once is remembered by a keyed digest; what was
not tried before waits for its turn, few at a time of each client, and first whoever was let in
before (agent.web.acquainted).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

import bcrypt
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.turns import Crowded, Turns, client_at
from agent.web.acquainted import Acquainted
from agent.web.config import WebConfig

_RIGHT_MAX: Final = 100
_WRONG_MAX: Final = 1000
_WAITING_PER_CLIENT: Final = 4
_WAITING: Final = 64
_PASSWORD_BYTES: Final = 72  # bcrypt looks at no more
# Checked for a name that does not exist, so that the time tells nothing.
_NOBODY: Final = b"$2b$10$z2vMx7LOuEkIAtsDHH/QU.hWVcygaVZYygeT4sdYuCJMeRxpnLAk."


class Guard:
    """ASGI middleware. `config` may be replaced while it serves."""

    def __init__(
        self,
        application: ASGIApp,
        config: WebConfig,
        acquainted: Acquainted | None = None,
        *,
        on_refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._application = application
        self._acquainted = acquainted or Acquainted(None)
        self._key = os.urandom(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()  # digests; the oldest first
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._asked: dict[bytes, asyncio.Task[bool]] = {}
        self._turns = Turns(
            1, waiting_per_client=_WAITING_PER_CLIENT, waiting=_WAITING, on_refused=on_refused
        )
        self.use(config)

    def use(self, config: WebConfig) -> None:
        """Ask for these users, and send these headers, from now on."""
        self._headers = config.headers
        self._users = {name: value.get_secret_value().encode() for name, value in config.users}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        application = self._application if not self._users else await self._admit(scope)
        await application(scope, receive, _with_headers(send, self._headers))

    async def _admit(self, scope: Scope) -> ASGIApp:
        """The application, or what a stranger gets."""
        try:
            admitted = await self._may_pass(Headers(scope=scope).get("authorization"), scope)
        except Crowded:
            return PlainTextResponse("Too many passwords to check\n", 429, {"Retry-After": "1"})
        if admitted:
            return self._application
        return PlainTextResponse(
            "Unauthorized\n", 401, {"WWW-Authenticate": 'Basic realm="pitr-agent"'}
        )

    async def _may_pass(self, authorization: str | None, scope: Scope) -> bool:
        """Raises Crowded when the answer would have to wait for too many others."""
        given = _credentials(authorization or "")
        if given is None:
            return False
        name, password = given
        hashed = self._users.get(name, _NOBODY)
        # With the hash, so that a digest says nothing any more once the password is another.
        said = b"\0".join((hashed, name.encode(), password))
        digest = hmac.digest(self._key, said, "sha256")
        if digest in self._right:
            return self._users.get(name) == hashed
        if digest in self._wrong:
            return False
        if digest not in self._asked:  # the same at once is checked once
            task = asyncio.create_task(self._try(digest, name, hashed, password, scope))
            self._asked[digest] = task
            task.add_done_callback(lambda _: self._asked.pop(digest, None))
        return await asyncio.shield(self._asked[digest])

    async def _try(
        self, digest: bytes, name: str, hashed: bytes, password: bytes, scope: Scope
    ) -> bool:
        known = self._acquainted.seems(name, hashed, password)
        async with self._turns.turn(client_of(scope), first=known):
            right = await asyncio.to_thread(_check, password, hashed)
        right = right and self._users.get(name) == hashed
        _remember(digest, *((self._right, _RIGHT_MAX) if right else (self._wrong, _WRONG_MAX)))
        if right:
            self._acquainted.remember(name, hashed, password)
        return right


def client_of(scope: Scope) -> str:
    """Whom a request comes from; behind a reverse proxy on this machine, whom that names."""
    client = scope.get("client")
    return client_at(client[0]) if client else ""


def _remember(digest: bytes, among: OrderedDict[bytes, None], most: int) -> None:
    among[digest] = None
    while len(among) > most:
        among.popitem(last=False)


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
