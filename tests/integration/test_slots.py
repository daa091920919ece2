"""A forgotten replication slot on a real server: named, since when, what it holds, until when."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.lab.metrics_page import MetricsPage
from agent.postgres.cluster import Cluster
from tests.fix_agent import UNHURRIED, WatchedAgent
from tests.fix_postgres import NewCluster
from tests.fix_tools import PATIENCE_SECONDS

NewAgent = Callable[..., WatchedAgent]
FULL = "pitr_wal_directory_full_timestamp_seconds"


def finding(agent: WatchedAgent, wanted: str) -> dict[str, Any] | None:
    url = f"{agent.url}/api/v1/clusters/lab"
    with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
        found = json.loads(answer.read())["findings"]
    return next((each for each in found if each["id"] == wanted), None)


def writing(
    cluster: Cluster, then: Callable[[MetricsPage], Any], rows: int = 20_000
) -> Callable[[MetricsPage], Any]:
    """Write some WAL between two looks, so that there is a rate."""

    def look(page: MetricsPage) -> Any:
        cluster.sql("INSERT INTO t SELECT generate_series(1, %s)", rows)
        return then(page)

    return look


@pytest.mark.parametrize("major", [18, pytest.param(16, marks=pytest.mark.campaign)])
def test_a_forgotten_slot_is_named_while_the_archiver_is_well(
    new_cluster: NewCluster, new_agent: NewAgent, major: int
) -> None:
    primary = new_cluster(major, max_wal_size="4MB", min_wal_size="2MB")
    primary.sql("CREATE TABLE t (n int)")
    began = datetime.now(UTC)
    primary.sql("SELECT pg_create_physical_replication_slot('forgotten', true)")
    archives = [{"url": str(primary.home / "archive")}]
    agent = new_agent(UNHURRIED, dsn=primary.dsn, archives=archives)
    fires = writing(primary, lambda page: page.total("pitr_finding", id="slot_keeps_wal") == 1)
    agent.wait_for(fires)
    told = finding(agent, "slot_keeps_wal")
    assert told is not None
    assert "replication slot forgotten, inactive since" in told["summary"]
    evidence = told["evidence"]
    assert began < datetime.fromisoformat(evidence["inactive_since"]) < datetime.now(UTC)
    ((held,),) = primary.sql(
        "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn)::bigint"
        " FROM pg_replication_slots"
    )
    assert 4 << 20 < evidence["held_bytes"] <= held
    page = agent.wait_for(writing(primary, lambda page: page.total(FULL)))
    assert page.total(FULL) > began.timestamp()
    assert page.total("pitr_finding", id="archiver_failing") == 0

    filling = writing(  # faster than half of the volume a day
        primary, lambda page: page.total("pitr_finding", id="wal_directory_filling") == 1, 200_000
    )
    agent.wait_for(filling)
    told = finding(agent, "wal_directory_filling")
    assert told is not None and "replication slot forgotten" in told["summary"]

    primary.sql("SELECT pg_drop_replication_slot('forgotten')")
    agent.wait_for(lambda page: page.total("pitr_finding", id="slot_keeps_wal") == 0)


def test_a_slot_that_is_read_is_no_finding(new_cluster: NewCluster, new_agent: NewAgent) -> None:
    """Neither while it is active, nor when it holds less than the server means to keep."""
    primary = new_cluster(16, max_wal_size="1GB")
    primary.sql("CREATE TABLE t (n int)")
    primary.sql("SELECT pg_create_physical_replication_slot('quiet', true)")
    agent = new_agent(UNHURRIED, dsn=primary.dsn)
    known = writing(primary, lambda page: page.total("pitr_check_known", id="slot_keeps_wal") == 1)
    page = agent.wait_for(known)
    assert page.total("pitr_finding", id="slot_keeps_wal") == 0


def test_a_limit_that_fits_is_no_end_of_the_room(
    new_cluster: NewCluster, new_agent: NewAgent
) -> None:
    primary = new_cluster(
        16, max_wal_size="4MB", min_wal_size="2MB", max_slot_wal_keep_size="64MB",
        archive_mode="off",
    )  # fmt: skip
    primary.sql("CREATE TABLE t (n int)")
    primary.sql("SELECT pg_create_physical_replication_slot('bounded', true)")
    agent = new_agent(UNHURRIED, dsn=primary.dsn)
    fires = writing(primary, lambda page: page.total("pitr_finding", id="slot_keeps_wal") == 1)
    page = agent.wait_for(fires)
    assert not page.total(FULL)
