"""The port that the laboratory's agent will listen on."""

from __future__ import annotations

import socket

import pytest

from agent.lab.agent_process import hold_port


def test_a_port_that_is_held_is_nobody_elses_and_a_servers_to_listen_on() -> None:
    with hold_port() as held, socket.socket() as other, socket.socket() as server:
        place = held.getsockname()
        with pytest.raises(OSError, match="in use"):
            other.bind(place)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(place)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(place)
        server.listen()
        socket.create_connection(place).close()
