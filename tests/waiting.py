"""Waiting for what happens in another process, as long as a machine under load needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fix_tools import PATIENCE_SECONDS

if TYPE_CHECKING:
    from agent.postgres.cluster import Cluster


def wait_until(what: Callable[[], Any], why: str = "it did not happen") -> Any:
    """The first true value of `what`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if value := what():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {PATIENCE_SECONDS} s: {why}")


def wait_archived(cluster: Cluster) -> None:
    """Until the server's archiver has done every segment that is ended: `cp` has filled them."""
    status = cluster.data / "pg_wal" / "archive_status"
    wait_until(lambda: not list(status.glob("*.ready")), f"{status} has no .ready file")


def wait_logged(logs: Sequence[Path], *words: str) -> None:
    """Until each of them holds one of the words: the logging collector writes when it can."""
    wait_until(
        lambda: all(any(word.encode() in log.read_bytes() for word in words) for log in logs),
        f"the logs say {' or '.join(words)}",
    )
