"""What systemd is told: that the agent serves, reloads, stops, and still lives.

Follows sd_notify(3) and sd_watchdog_enabled(3): one datagram of lines to the socket that the
environment names. Without one, nothing is said.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time

READY = "READY=1"
STOPPING = "STOPPING=1"
ALIVE = "WATCHDOG=1"
_PATIENCE_SECONDS = 1.0  # with a manager that has much to read


def tell_systemd(*lines: str) -> None:
    """Say it. Never raises: a manager that does not listen is no reason to stop working."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):  # a name without a file, see unix(7)
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.settimeout(0 if lines == (ALIVE,) else _PATIENCE_SECONDS)  # that is said again soon
        to.sendto("\n".join(lines).encode(), address)


def reloading() -> tuple[str, str]:
    """What is said before a reload; READY follows when it is over."""
    return "RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}"


def watchdog_seconds() -> float | None:
    """How often systemd wants to hear that the agent lives; None when it does not ask."""
    asked, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID")
    if not asked.isdecimal() or int(asked) == 0 or pid not in (None, str(os.getpid())):
        return None
    return int(asked) / 1_000_000 / 2  # in half of the time, as the manual advises
