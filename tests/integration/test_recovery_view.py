"""pg_stat_recovery of PostgreSQL 19: one query for what the replay says, of one instant.

No package has a server of 19 yet. Where there is none, a standby of 18 has a view of 19's columns
whose values tell it from 18's functions, and a relay between it and its clients calls it 19.
Where PITR_PG19_BINDIR names a real one, the real view is held to 19's own functions.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from agent.pollers.positions import poll_positions
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from agent.watch.probe import probe
from parsers.lsn import parse_lsn
from tests.fix_postgres import BINDIR_OF_19, NewCluster
from tests.fix_tools import lack
from tests.integration.restores import wait_until

_AHEAD = 8  # what the stand-in says more than the function that 18 has
_TIMELINE = 77
_VIEW = f"""
CREATE VIEW pg_catalog.pg_stat_recovery AS
SELECT false AS promote_triggered, pg_last_wal_replay_lsn() AS last_replayed_read_lsn,
       pg_last_wal_replay_lsn() + {_AHEAD} AS last_replayed_end_lsn,
       {_TIMELINE} AS last_replayed_tli, pg_last_wal_replay_lsn() AS replay_end_lsn,
       {_TIMELINE} AS replay_end_tli, timestamptz '2001-01-01 UTC' AS recovery_last_xact_time,
       NULL::timestamptz AS current_chunk_start_time,
       pg_get_wal_replay_pause_state() AS pause_state
WHERE pg_is_in_recovery() AND pg_has_role('pg_read_all_stats', 'USAGE')
"""
_ROLES = ("CREATE ROLE watcher LOGIN IN ROLE pg_monitor", "CREATE ROLE nobody LOGIN")


def standby_of(pg: Installation, new_cluster: NewCluster, *statements: str) -> Cluster:
    """A paused standby of a server that had these statements."""
    primary = new_cluster(pg, archive=False)
    with primary.connect() as connection:
        for statement in ("SET allow_system_table_mods = on", *_ROLES, *statements):
            connection.execute(statement)  # type: ignore[call-overload]
    backup = primary.home / "backup"
    primary.base_backup(backup, "-X", "stream")
    standby = new_cluster(pg, initdb=False)
    standby.restore_from(backup, log_statement="all", restore_command="false", hot_standby=True)
    standby.signal("standby.signal")
    standby.start()
    standby.sql("SELECT pg_wal_replay_pause()")
    paused = "SELECT pg_get_wal_replay_pause_state() = 'paused'"
    wait_until(lambda: standby.sql(paused)[0][0])  # type: ignore[arg-type]
    return standby


@contextlib.contextmanager
def said_to_be_19(standby: Cluster, place: Path) -> Iterator[str]:
    """The DSN of a relay to a server, with 19.0 in what it says of its version."""
    version = standby.installation.version.encode()
    assert len(version) == len(b"19.0")
    told, as_19 = (b"server_version\0" + each for each in (version, b"19.0"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place / ".s.PGSQL.5432"))
        listener.listen()

        def carry(source: socket.socket, target: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    target.sendall(data.replace(told, as_19))
                target.shutdown(socket.SHUT_WR)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    server = socket.socket(socket.AF_UNIX)
                    server.connect(str(standby.sockets / ".s.PGSQL.5432"))
                    for pair in ((client, server), (server, client)):
                        threading.Thread(target=carry, args=pair, daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"host={place} dbname=postgres"
        listener.shutdown(socket.SHUT_RDWR)


def statements(standby: Cluster, since: int) -> list[str]:
    """The statements of the log from this character on."""
    text = standby.log.read_text()[since:]
    return re.split(r"LOG:  (?:statement|execute [^:]*): ", text)[1:]


def naming_the_view(texts: list[str]) -> list[str]:
    return [text for text in texts if re.search(r"\bpg_stat_recovery\b", text)]


@pytest.fixture
def of_18(new_cluster: NewCluster, installations: dict[int, Installation]) -> Cluster:
    return standby_of(installations[18], new_cluster, _VIEW,
                      "GRANT SELECT ON pg_catalog.pg_stat_recovery TO PUBLIC")  # fmt: skip


def test_the_agent_asks_once(of_18: Cluster, short_directory: Path) -> None:
    (replayed, last_at), *_ = of_18.sql(
        "SELECT pg_last_wal_replay_lsn()::text, pg_last_xact_replay_timestamp()"
    )
    with said_to_be_19(of_18, short_directory) as dsn:
        for role, ahead in (("watcher", _AHEAD), ("nobody", 0)):
            with psycopg.connect(f"{dsn} user={role}", autocommit=True) as connection:
                assert connection.info.server_version == 190000
                before = len(of_18.log.read_text())
                found = poll_positions(connection)
                (asked,) = statements(of_18, before)
            assert naming_the_view([asked])
            assert found.replay_lsn == parse_lsn(replayed) + ahead
            assert (found.last_replay_at == last_at) is not bool(ahead)
            assert found.in_recovery and found.replay_paused
    with of_18.connect() as connection:
        before = len(of_18.log.read_text())
        assert poll_positions(connection).replay_lsn == parse_lsn(replayed)
    (asked,) = statements(of_18, before)
    assert not naming_the_view([asked])


def test_a_watcher_asks_once(of_18: Cluster, short_directory: Path) -> None:
    with said_to_be_19(of_18, short_directory) as dsn:
        for role, has_row in (("watcher", True), ("nobody", False)):
            before = len(of_18.log.read_text())
            found = probe(None, None, f"{dsn} user={role}")
            assert len(naming_the_view(statements(of_18, before))) == 1
            assert (found.sql_error, found.pause_state) == (None, "paused")
            assert (found.timeline == _TIMELINE) is has_row
    before = len(of_18.log.read_text())
    assert probe(None, None, of_18.dsn).timeline == 1
    assert not naming_the_view(statements(of_18, before))


def test_the_view_of_a_real_19(
    new_cluster: NewCluster, installations: dict[int, Installation]
) -> None:
    if 19 not in installations:
        lack("PostgreSQL 19", f"{BINDIR_OF_19}=the directory of one that was built", in_ci=False)
    standby = standby_of(installations[19], new_cluster)
    (expected,) = standby.sql(
        "SELECT pg_last_wal_replay_lsn()::text, pg_last_xact_replay_timestamp()"
    )
    dsn = standby.dsn.replace("user=postgres", "user=watcher")
    with psycopg.connect(dsn, autocommit=True) as connection:
        agent: Any = poll_positions(connection)
    watcher = probe(None, None, dsn)
    assert (agent.replay_lsn, agent.last_replay_at) == (parse_lsn(expected[0]), expected[1])
    assert (watcher.replay_lsn, watcher.replayed_at) == (agent.replay_lsn, agent.last_replay_at)
    assert (agent.replay_paused, watcher.pause_state, watcher.timeline) == (True, "paused", 1)
