"""Waiting for what happens in another process, as long as a machine under load needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from parsers.lsn import format_lsn, parse_lsn
from tests.fix_tools import PATIENCE_SECONDS

if TYPE_CHECKING:
    from agent.postgres.cluster import Cluster
    from tests.fix_debian import DebianCluster

    Server = Cluster | DebianCluster


def wait_until(what: Callable[[], Any], why: str = "it did not happen") -> Any:
    """The first true value of `what`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if value := what():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {PATIENCE_SECONDS} s: {why}")


def wait_archived(cluster: Server) -> None:
    """Until the server's archiver has done every segment that is ended: `cp` has filled them."""
    status = cluster.data / "pg_wal" / "archive_status"
    wait_until(lambda: not list(status.glob("*.ready")), f"{status} has no .ready file")


def wait_replayed(standby: Cluster, primary: Cluster) -> None:
    """Until a standby has replayed all that the primary archived up to its last switch.

    What the background writer has begun the next segment with meanwhile is not in the archive.
    """
    ((now, size),) = primary.sql(
        "SELECT pg_current_wal_lsn()::text, pg_size_bytes(current_setting('wal_segment_size'))"
    )
    ended = format_lsn(parse_lsn(now) // size * size)
    query = "SELECT coalesce(pg_last_wal_replay_lsn() >= %s::pg_lsn, false)"
    wait_until(lambda: standby.sql(query, ended) == [(True,)], f"the standby reaches {ended}")


def reload(server: Server) -> None:
    """Have it read its configuration again, and wait until it has.

    Who asks for that is answered at once. A session that begins later inherits the time from the
    postmaster, which takes nobody before it has read pg_hba.conf too.
    """
    query: Final = "SELECT pg_conf_load_time()"
    before = server.sql(query)
    server.sql("SELECT pg_reload_conf()")
    wait_until(lambda: server.sql(query) != before, "the server reads its configuration")


def wait_logged(logs: Sequence[Path], *words: str) -> None:
    """Until each of them holds one of the words: the logging collector writes when it can."""
    wait_until(
        lambda: all(any(word.encode() in log.read_bytes() for word in words) for log in logs),
        f"the logs say {' or '.join(words)}",
    )
