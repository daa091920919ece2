"""HTTP/1.1 of one connection: uvicorn's, with a time for each part of a request.

uvicorn waits for the rest of a request, and for an answer to be taken, for as long as the client
likes.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from agent.web.connections import RequestPhase, Seat
from agent.web.refusals import Refusals


class Protocol(H11Protocol):
    """Tells its seat what the connection is about."""

    def __init__(
        self,
        seat: Seat,
        refusals: Refusals,
        config: Config,
        state: ServerState,
        application_state: dict[str, Any],
    ) -> None:
        super().__init__(config, state, application_state)
        self._seat = seat
        self._refusals = refusals
        self._is_about: tuple[RequestPhase, object] = (RequestPhase.HEAD, None)  # and which request

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._seat.close = transport.abort

    def connection_lost(self, exc: Exception | None) -> None:
        self._seat.leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._note(begun=True)  # uvicorn waits no longer for something to come

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._note(begun=bool(self.conn.trailing_data[0]))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._note()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._note()

    def send_400_response(self, msg: str) -> None:
        """Say so where an answer can still be given, and count it."""
        self._refusals.note("malformed")
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # what is answered to the head goes nowhere
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:  # an answer is under way, or given: h11 would take no other
            self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """A client's wish is no news for the agent's log."""

    def _note(self, *, begun: bool = False) -> None:
        is_about = (self._phase(begun), self.cycle)
        if is_about != self._is_about:
            self._is_about = is_about
            self._seat.enter(is_about[0])

    def _phase(self, begun: bool) -> RequestPhase:
        if self.transport.get_write_buffer_size():
            return RequestPhase.ANSWER
        if self.conn.their_state is h11.SEND_BODY:
            return RequestPhase.BODY
        if self.cycle is not None and not self.cycle.response_complete:
            return RequestPhase.ANSWER
        return RequestPhase.HEAD if begun or self.cycle is None else RequestPhase.IDLE
