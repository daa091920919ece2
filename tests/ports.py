"""Ports of loopback that nobody else is given before they are listened on."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from agent.lab.agent_process import hold_port

if TYPE_CHECKING:
    import socket

_held: Final[deque[socket.socket]] = deque(maxlen=200)  # in order, those of tests that are over


def free_ports(count: int) -> list[int]:
    """Ports on which nobody listens."""
    held = [hold_port() for _ in range(count)]
    _held.extend(held)
    return [each.getsockname()[1] for each in held]
