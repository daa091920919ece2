"""A forecast of the next start, and the log of that start."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.watch.follow import Follower
from agent.watch.options import Options
from parsers.log.stream import LogStream

STOPPED = b"""\
2026-11-28 20:00:00.000 UTC [10] LOG:  starting PostgreSQL 16.14 on x86_64-pc-linux-gnu
2026-11-28 20:00:00.100 UTC [11] LOG:  database system was interrupted; last known up at 2026-11-28
2026-11-28 20:00:00.200 UTC [11] LOG:  starting point-in-time recovery to XID 700
2026-11-28 20:00:01.000 UTC [10] LOG:  received fast shutdown request
2026-11-28 20:00:01.200 UTC [10] LOG:  database system is shut down
"""
STARTED = b"""\
2026-11-28 20:01:00.000 UTC [20] LOG:  starting PostgreSQL 16.14 on x86_64-pc-linux-gnu
2026-11-28 20:01:00.100 UTC [21] LOG:  database system was shut down in recovery at 2026-11-28
2026-11-28 20:01:00.200 UTC [21] LOG:  starting archive recovery
2026-11-28 20:01:00.500 UTC [20] LOG:  database system is ready to accept connections
"""
REFUSED = b"""\
2026-11-28 20:01:00.000 UTC [20] FATAL:  lock file "postmaster.pid" already exists
"""


@pytest.mark.parametrize(("then", "about_next"), [(STARTED, False), (REFUSED, True), (b"", True)])
def test_a_forecast_is_of_the_next_start_until_the_log_has_it(
    tmp_path: Path, then: bytes, about_next: bool
) -> None:
    """Whatever the last look at the processes saw: one that is seconds old may have missed it."""
    follower = Follower(
        Options(
            pgdata=None,
            log=tmp_path / "server.log",
            dsn=None,
            archive=None,
            once=True,
            format="text",
            timeout_seconds=None,
            prefix=None,
            zone=None,
            localedir=None,
        )
    )
    stream = LogStream()
    assert not follower.forecasts_next_start
    follower.restore.apply_all(stream.feed(STOPPED))
    follower._stopped = follower.restore.attempt  # as when it was asked
    follower.restore.apply_all([*stream.feed(then), *stream.end()])
    assert follower.forecasts_next_start == about_next
