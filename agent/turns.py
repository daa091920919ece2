"""Turns at something that costs much: bounded in all and for each client, and fair between them.

Whoever asks a thousand times waits behind himself: clients are served one after the other, each in
the order of its own questions. What has no room is refused at once, not kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from typing import Final

_IPV6_NETWORK_BITS: Final = 64  # what one host is given


class Crowded(Exception):
    """There is no room to wait in."""


class Turns:
    """Belongs to one event loop. `on_refused` is called for each that had no room."""

    def __init__(
        self,
        at_once: int,
        *,
        waiting_per_client: int,
        waiting: int,
        on_refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._free = at_once
        self._per_client = waiting_per_client
        self._waiting_max = waiting
        self._on_refused = on_refused
        # Those to be served first, and all others: who waits, by client; the next client is first.
        self._lanes: tuple[_Lane, _Lane] = (OrderedDict(), OrderedDict())

    @contextlib.asynccontextmanager
    async def turn(self, client: str, *, first: bool = False) -> AsyncIterator[None]:
        """Wait for a turn, and hold it inside the block. Raises Crowded.

        `first`: before all that are not, among its like as fair as ever.
        """
        await self._wait(client, self._lanes[0 if first else 1])
        try:
            yield
        finally:
            self._hand_on()

    async def _wait(self, client: str, lane: _Lane) -> None:
        if self._free:
            self._free -= 1
            return
        self._find_room(client, lane)
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane.setdefault(client, deque()).append(told)
        try:
            await told
        except asyncio.CancelledError:
            if told.done() and not told.cancelled() and told.exception() is None:
                self._hand_on()  # the turn came together with the cancellation
            else:
                _leave(lane, client, told)
            raise

    def _find_room(self, client: str, lane: _Lane) -> None:
        """Room for one more of the client: the longest queue gives way to a shorter one."""
        own = len(lane.get(client, ()))
        if own >= self._per_client:
            self._refuse()
        if sum(map(len, lane.values())) < self._waiting_max:
            return
        longest = max(lane, key=lambda each: len(lane[each]))
        if len(lane[longest]) <= own + 1:
            self._refuse()
        last = lane[longest][-1]
        _leave(lane, longest, last)
        last.set_exception(Crowded())
        self._on_refused()

    def _refuse(self) -> None:
        self._on_refused()
        raise Crowded

    def _hand_on(self) -> None:
        for lane in self._lanes:
            while lane:
                client, waiting = lane.popitem(last=False)
                told = waiting.popleft()
                if waiting:
                    lane[client] = waiting  # behind the others
                if not told.done():
                    told.set_result(None)
                    return
        self._free += 1


_Lane = OrderedDict[str, deque[asyncio.Future[None]]]


def _leave(lane: _Lane, client: str, told: asyncio.Future[None]) -> None:
    waiting = lane.get(client)
    if waiting is not None and told in waiting:
        waiting.remove(told)
        if not waiting:
            del lane[client]


def client_at(host: str) -> str:
    """Who is behind an address: of IPv6 the network, of which one host has every address.

    >>> client_at("::ffff:192.0.2.1"), client_at("2001:db8::1%eth0"), client_at("")
    ('192.0.2.1', '2001:db8::/64', '')
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_NETWORK_BITS), strict=False))
