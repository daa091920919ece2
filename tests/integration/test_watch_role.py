"""pitr-watch under an account that has no role in the server, which it must not ask for."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator

import pytest
from psycopg import sql

from agent.postgres.account import Account, server_account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from agent.watch.prober import Prober
from agent.watch.role import choose_role, read_roles
from tests.fix_postgres import NewCluster
from tests.integration.restores import watch

ODD = "Ana 'n' \\ Bob"


def stranger() -> Account:
    """An account whose name is no role: never `postgres`."""
    if os.geteuid() != 0:
        return server_account()
    entry = pwd.getpwnam("games")
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid, drop=True)


@pytest.fixture
def strange(pg: Installation, new_cluster: NewCluster) -> Iterator[Cluster]:
    """A running server of that account; its superuser is `postgres`."""
    own = new_cluster(pg, initdb=False)
    cluster = Cluster(pg, own.home.parent / "strange", stranger())
    cluster.initdb()
    with cluster.running():
        yield cluster


def role_of(cluster: Cluster) -> str:
    cluster.sql("CHECKPOINT")
    return choose_role(cluster.data, cluster.account.name)


@pytest.mark.pg("== 16")
def test_no_look_asks_for_a_role_that_is_not_there(strange: Cluster) -> None:
    reading = Prober(strange.data, None).look().reading
    assert (reading.in_recovery, reading.sql_error) == (False, None)
    watch("--pgdata", str(strange.data), "--once")
    assert [line for line in strange.log_lines() if "FATAL" in line] == []


@pytest.mark.pg("== 16")
@pytest.mark.parametrize("name", [ODD, "niño"])
def test_the_superuser_s_name_may_be_any(strange: Cluster, name: str) -> None:
    with strange.connect() as connection:
        connection.execute("CREATE ROLE other SUPERUSER LOGIN")
        connection.execute("SET SESSION AUTHORIZATION other")
        rename = sql.SQL("ALTER ROLE postgres RENAME TO {}").format(sql.Identifier(name))
        connection.execute(rename)
        connection.execute("CHECKPOINT")
    watch("--pgdata", str(strange.data), "--once")
    assert [line for line in strange.log_lines() if "FATAL" in line] == []
    assert choose_role(strange.data, strange.account.name) == name


@pytest.mark.pg(">= 13", npm=True)
def test_the_roles_are_those_that_the_server_lists(strange: Cluster) -> None:
    owner = strange.account.name
    assert role_of(strange) == "postgres"
    strange.sql("CREATE ROLE gone")
    strange.sql("DROP ROLE gone")
    for number in range(150):  # more than a page
        strange.sql(f"CREATE ROLE r{number}")  # type: ignore[arg-type]
    strange.sql("ALTER ROLE r7 PASSWORD 'x'")
    strange.sql("ALTER ROLE r8 RENAME TO r8b")
    for rewrite in ("CHECKPOINT", "VACUUM FULL pg_authid"):
        strange.sql(rewrite)  # type: ignore[arg-type]
        strange.sql("CHECKPOINT")
        listed = strange.sql("SELECT oid::bigint, rolname::text FROM pg_roles")
        assert sorted(read_roles(strange.data)) == sorted(listed)
    strange.sql(f'CREATE ROLE "{owner}"')  # type: ignore[arg-type]
    assert role_of(strange) == owner
    strange.sql(f'DROP ROLE "{owner}"')  # type: ignore[arg-type]
    assert role_of(strange) == "postgres"
