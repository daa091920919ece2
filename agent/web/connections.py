"""Connections: how many there may be, how long each may take, and which one gives way.

A connection that asks for nothing (its request is half open, or it waits for the next) costs a
file descriptor, of which the agent's own readings need theirs: HTTP has a quarter at most, and none
of the last ones. When there is no room, the connection that has asked for nothing for the longest
gives way, one of the client that has most of them: whoever opens many displaces himself, and the
others of his address find room, for a request that comes whole is answered at once.

asyncio's own server does none of that, and logs a traceback for each connection that it cannot
accept; so the listening socket is read here.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import Final

from agent.turns import client_at
from agent.web.refusals import Refusals

log: Final = logging.getLogger("pitr.web")

CONNECTIONS_MAX: Final = 128
_RESERVED_MAX: Final = 64  # descriptors that no connection gets
_ACCEPTED_AT_ONCE: Final = 32  # then the loop has other things to do
_PAUSE_SECONDS: Final = 1.0  # after an error of accept()
_SAID_AGAIN_SECONDS: Final = 60.0


class RequestPhase(Enum):
    """What a connection is about; the value is how long it may be, in seconds."""

    IDLE = ("idle", 60.0)  # between two requests; uvicorn closes it after five
    HEAD = ("head", 10.0)  # a TLS handshake counts as part of it
    BODY = ("body", 30.0)
    ANSWER = ("answer", 60.0)

    @property
    def reason(self) -> str:
        """The label of `Refusals`."""
        return self.value[0]

    @property
    def seconds(self) -> float:
        return self.value[1]


_GIVES_WAY: Final = (RequestPhase.IDLE, RequestPhase.HEAD, RequestPhase.BODY)  # the first the first


class Seat:
    """One connection among all, from accept() on."""

    def __init__(self, connections: Connections, client: str, close: Callable[[], None]) -> None:
        self.client = client
        self.close = close  # at once, whatever was not sent yet
        self.phase = RequestPhase.HEAD
        self.since = 0.0
        self._connections = connections
        self._timer: asyncio.TimerHandle | None = None
        self.enter(RequestPhase.HEAD)

    def enter(self, phase: RequestPhase) -> None:
        """A phase begins: its time runs from now."""
        loop = asyncio.get_running_loop()
        self.phase, self.since = phase, loop.time()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(phase.seconds, self._expire)

    def leave(self) -> None:
        """The connection is closed."""
        if self._timer is not None:
            self._timer.cancel()
        seats = self._connections.seats
        seats.pop(self, None)
        self._connections.refusals.connection_count = len(seats)

    def end(self, reason: str) -> None:
        """Close it, and count why."""
        self._connections.refusals.note(reason)
        self.leave()
        self.close()

    def _expire(self) -> None:
        if self.phase is RequestPhase.IDLE:
            self.leave()
            self.close()
        else:
            self.end(self.phase.reason)


class Connections:
    """Accepts from a listening socket. `make` gives the protocol of one that has a seat."""

    def __init__(
        self,
        listening: socket.socket,
        make: Callable[[Seat], asyncio.Protocol],
        context: ssl.SSLContext | None,
        refusals: Refusals,
    ) -> None:
        self.seats: dict[Seat, None] = {}  # the oldest first
        self.refusals = refusals
        self._listening = listening
        self._make = make
        self._context = context
        self._opening: set[asyncio.Task[None]] = set()
        self._resume: asyncio.TimerHandle | None = None
        self._said_at = -_SAID_AGAIN_SECONDS
        self._unsaid_count = 0
        self._closed = False

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def close(self) -> None:
        """Accept no more. What is open is its protocol's."""
        if not self._closed:
            self._closed = True
            asyncio.get_running_loop().remove_reader(self._listening)
            if self._resume is not None:
                self._resume.cancel()
            for task in self._opening:
                task.cancel()

    async def wait_closed(self) -> None:
        if self._opening:
            await asyncio.wait(self._opening)

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                connection, address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._note_error(error)
                loop = asyncio.get_running_loop()
                loop.remove_reader(self._listening)
                self._resume = loop.call_later(_PAUSE_SECONDS, self.start)
                return
            connection.setblocking(False)
            self._take(connection, client_at(str(address[0])))

    def _note_error(self, error: OSError) -> None:
        self.refusals.accept_error_count += 1
        self._unsaid_count += 1
        now = time.monotonic()
        if now - self._said_at >= _SAID_AGAIN_SECONDS:
            log.error(
                "cannot accept a connection: %s (%d times since this was last said)",
                error.strerror or error,
                self._unsaid_count,
            )
            self._said_at, self._unsaid_count = now, 0

    def _take(self, connection: socket.socket, client: str) -> None:
        reason = "" if _spares_enough(connection.fileno()) else "descriptors"
        if not reason and len(self.seats) >= connections_max():
            giving_way = self._giving_way(client)
            if giving_way is not None:
                giving_way.end("displaced")
            else:
                reason = "limit"
        if reason:
            self.refusals.note(reason)
            connection.close()
            return
        task: asyncio.Task[None]

        def cancel() -> None:
            task.cancel()

        seat = Seat(self, client, cancel)
        self.seats[seat] = None
        self.refusals.connection_count = len(self.seats)
        task = asyncio.create_task(self._open(connection, seat))
        self._opening.add(task)

        def opened(task: asyncio.Task[None]) -> None:
            self._opening.discard(task)
            if task.cancelled():  # before it began
                seat.leave()
                connection.close()

        task.add_done_callback(opened)

    async def _open(self, connection: socket.socket, seat: Seat) -> None:
        """Shake hands, and give the connection to its protocol; what fails closes it."""
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: self._make(seat),
                connection,
                ssl=self._context,
                ssl_handshake_timeout=2 * RequestPhase.HEAD.seconds if self._context else None,
            )
        except OSError:  # ssl.SSLError is one: whoever it was did not speak TLS, or has gone
            self.refusals.note("malformed")
            seat.leave()
        except asyncio.CancelledError:  # it gave way, was too slow, or the agent stops
            seat.leave()

    def _giving_way(self, newcomer: str) -> Seat | None:
        """Which connection a new one of this client displaces; None: it is refused itself."""
        counts = Counter(seat.client for seat in self.seats)
        waiting = [seat for seat in self.seats if seat.phase is not RequestPhase.ANSWER]
        if waiting:
            most = max(counts[seat.client] for seat in waiting)
            those = [seat for seat in waiting if counts[seat.client] == most]
            return min(those, key=lambda seat: (_GIVES_WAY.index(seat.phase), seat.since))
        share = max(connections_max() // 2, counts[newcomer])  # of answers that nobody takes
        return next((seat for seat in self.seats if counts[seat.client] > share), None)


def connections_max() -> int:
    """How many connections there may be: a quarter of the descriptors, if that is less."""
    return max(4, min(CONNECTIONS_MAX, _descriptors_max() // 4))


def _spares_enough(descriptor: int) -> bool:
    """Whether the last descriptors are left to readings: a new one is the lowest that is free."""
    most = _descriptors_max()
    return descriptor < most - min(_RESERVED_MAX, most // 4)


def _descriptors_max() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 1 << 20
