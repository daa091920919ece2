"""Servers that are well and do nothing: hours of an idle primary, and a standby, raise no alert.

What the checks are given is read of real servers; only the hours are made up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.archive.directory import list_archive
from agent.backups.find import read_backups
from agent.config.model import Config, ResolvedCluster
from agent.monitor.expected import expected_facts
from agent.monitor.over_time import OverTime
from agent.monitor.recovery_log import RecoveryLog
from agent.pollers.lane import connect
from agent.pollers.registry import POLLERS
from agent.postgres.cluster import Cluster
from rules.alerting.state import AlertState, advance
from rules.case.case import Case
from rules.live.logged import LoggedRecovery
from rules.model.facts import (
    ArchiveFacts,
    ArchiverFacts,
    ArchiveStatusFacts,
    BackupsFacts,
    PositionFacts,
)
from rules.verdict.check import load_catalogue
from rules.verdict.judgement import judge_case
from tests.fix_postgres import NewCluster
from tests.waiting import wait_until

CHECKS = load_catalogue()
HOURS, STEP = 12, timedelta(minutes=1)
OBJECTIVES = {"rpo": "5m", "rto": "1h"}


@dataclass(frozen=True)
class Pair:
    """A primary that archives, and a standby that streams from it and reads the same archive."""

    primary: Cluster
    standby: Cluster

    @property
    def archive(self) -> Path:
        return self.primary.home / "archive"

    @property
    def backups(self) -> Path:
        return self.primary.home / "backups"


@pytest.fixture
def pair(new_cluster: NewCluster) -> Pair:
    primary = new_cluster(16, autovacuum=False, archive_timeout=3600)
    backup = primary.account.make_directory(primary.home / "backups") / "one"
    primary.base_backup(backup)
    primary.sql("CREATE TABLE t (n int)")
    primary.sql("SELECT pg_log_standby_snapshot()")
    standby = new_cluster(16, initdb=False)
    standby.restore_from(
        backup,
        archive_mode="on",  # as on the primary: it archives once it is promoted, and not before
        archive_command=f"cp %p {primary.home}/archive/%f",
        primary_conninfo=f"{primary.dsn} application_name=standby",
        restore_command=f"cp {primary.home}/archive/%f %p",
    )
    (standby.data / "recovery.signal").rename(standby.data / "standby.signal")
    standby.start()
    return Pair(primary, standby)


def read(pair: Pair, server: Cluster) -> dict[type, Any]:
    """One reading of everything that an agent would be given of this server."""
    facts: dict[type, Any] = {}
    with connect(server.dsn, 30) as connection:
        for poller in POLLERS:
            facts[poller.facts] = poller.poll(connection)
    facts[ArchiveFacts] = list_archive(str(pair.archive))
    facts[BackupsFacts] = read_backups(str(pair.backups))
    facts[LoggedRecovery] = RecoveryLog(config_of(pair, server)).read()
    return facts


def config_of(pair: Pair, server: Cluster) -> ResolvedCluster:
    cluster = {
        "name": "lab",
        "dsn": server.dsn,
        "archives": [{"url": str(pair.archive)}],
        "backups": {"url": str(pair.backups)},
        "log": str(server.log),
        "depth": "names",
        "objectives": OBJECTIVES,
    }
    return Config.model_validate({"clusters": [cluster]}).resolved()[0]


def alerts_over_hours(facts: dict[type, Any], config: ResolvedCluster) -> set[str]:
    """What was ever pending or firing while nothing happens but what an idle server does."""
    over_time, alerts, seen = OverTime(poll_seconds=config.poll), {}, set[str]()
    positions: PositionFacts = facts[PositionFacts]
    status: ArchiveStatusFacts = facts[ArchiveStatusFacts]
    begins, expected = datetime.now(UTC), expected_facts(config)
    case = Case(context=config.context(begins)).having(*facts.values())
    for number in range(int(timedelta(hours=HOURS) / STEP)):
        passed = number * STEP
        now = begins + passed
        listed = replace(status, listed_at=status.listed_at + passed)
        case = over_time.observe(case.having(idle(positions, passed), listed), {}, now)
        judgement = judge_case(case, CHECKS, now, expected=expected)
        alerts = advance(alerts, judgement, CHECKS, now)
        seen |= {a.id for a in alerts.values() if a.state is not AlertState.RESOLVED}
    return seen


def idle(positions: PositionFacts, passed: timedelta) -> PositionFacts:
    """A checkpoint every five minutes moves the insert position, and ends no transaction."""
    moved = 200 * (passed // timedelta(minutes=5))
    lsn = positions.insert_lsn
    return replace(
        positions,
        server_at=positions.server_at + passed,
        insert_lsn=None if lsn is None else lsn + moved,
    )


def test_hours_of_an_idle_primary_and_of_its_standby_raise_nothing(pair: Pair) -> None:
    primary, standby = pair.primary, pair.standby
    primary.sql("INSERT INTO t VALUES (1)")
    ((wal,),) = primary.sql("SELECT pg_walfile_name(pg_switch_wal())")
    wait_until(lambda: (pair.archive / str(wal)).exists(), "the segment is archived")
    wait_until(
        lambda: (
            primary.sql("SELECT last_archived_wal FROM pg_stat_archiver") == [(wal,)]
            and primary.sql(
                "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"
            )
            == [(0,)]
        ),
        "and its archiver says so",
    )
    wait_until(
        lambda: (
            standby.sql("SELECT to_regclass('t') IS NOT NULL") == [(True,)]
            and standby.sql("SELECT count(*) FROM t") == [(1,)]
        ),
        "the standby has replayed it",
    )
    wait_until(
        lambda: (
            primary.sql("SELECT state, replay_lsn >= sent_lsn FROM pg_stat_replication")
            == [("streaming", True)]
        ),
        "and follows its primary",
    )
    for server in (primary, standby):
        facts = read(pair, server)
        assert facts[PositionFacts].in_recovery == (server is standby)
        assert alerts_over_hours(facts, config_of(pair, server)) == set(), server.home.name

    # The same hours, with one thing that is not well, raise what is about it.
    facts = read(pair, primary)
    archiver: ArchiverFacts = facts[ArchiverFacts]
    status: ArchiveStatusFacts = facts[ArchiveStatusFacts]
    waiting = "000000010000000000000042"
    facts[ArchiveStatusFacts] = replace(
        status,
        ready=frozenset({waiting}),
        oldest_ready=waiting,
        oldest_ready_at=status.listed_at,
    )
    facts[ArchiverFacts] = replace(archiver, last_archived_at=status.listed_at)
    assert "archiver_hung" in alerts_over_hours(facts, config_of(pair, primary))
