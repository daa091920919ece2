"""Ports for programs that cannot be told to choose one, and say which.

Between its choice and the program's listening a port is nobody's. These lie below those that the
kernel gives away by itself, each of pytest's processes has its own, and none is given twice.
"""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator
from typing import Final

_FIRST: Final = 10_000
_EACH: Final = 1_000  # of each process; ip_local_port_range begins at 32768
_PROCESSES: Final = 20


def free_port() -> int:
    return next(_ports)


def free_ports(count: int) -> list[int]:
    return list(itertools.islice(_ports, count))


def _give() -> Iterator[int]:
    """Another run of the tests may have begun elsewhere in the same ones: what is taken shows."""
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PROCESSES
    begin = os.getpid()
    for number in itertools.count():
        port = _FIRST + process * _EACH + (begin + number) % _EACH
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port


_ports: Final = _give()
