"""The agent among everything that breaks around it: no false verdict, and recovery by itself.

A round of it runs by default; SOAK_MINUTES=60 goes on at random, SOAK_SEED says which random.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.lab.metrics_page import MetricsPage
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from tests.fix_agent import FAST, WatchedAgent
from tests.fix_postgres import NewCluster

MINUTES = float(os.environ.get("SOAK_MINUTES", "0"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
# What a real fault may raise while it lasts; anything else that is critical is a false verdict.
STANDING = {"archiving_off", "recovery_target_left"}  # true of a server that was just restored
FULL = {"archiver_failing", "archived_but_absent", "archiver_falling_behind"}


@dataclass
class Soak:
    """A primary with its archive, a restored server beside it, and the agent over both."""

    primary: Cluster
    restored: Cluster
    agent: WatchedAgent
    config: dict[str, Any]
    rows: int = 0

    def write(self) -> None:
        self.rows += 1
        self.primary.sql("INSERT INTO t VALUES (1)")
        self.primary.sql("SELECT pg_switch_wal()")

    def wait(self, what: Any, allowed: frozenset[str] | set[str] = frozenset()) -> MetricsPage:
        """Wait for it; every page on the way is held to what it may say."""

        def seen(page: MetricsPage) -> bool:
            assert page.findings("critical") <= allowed, page.findings("critical")
            return bool(what(page))

        return self.agent.wait_for(seen, seconds=60)

    def wait_well(self, allowed: frozenset[str] | set[str] = frozenset()) -> None:
        """All sources of both are read again, and nothing new is found."""
        now = time.time()

        def well(page: MetricsPage) -> bool:
            judged = list(page.select("pitr_verdict_timestamp_seconds"))
            return (
                len(judged) == 2
                and all(sample.value > now for sample in judged)
                and all(s.value == 1 for s in page.select("pitr_collector_success"))
                and page.total("pitr_up") == 2
                and page.findings("critical", "warning", "unknown") <= STANDING
            )

        self.wait(well, allowed)

    # -- what happens ----------------------------------------------------------------------------

    def kill_the_agent(self) -> None:
        assert self.agent.pid is not None
        os.kill(self.agent.pid, signal.SIGKILL)
        self.agent.stop()
        self.agent.start(self.config)

    def restart_the_server(self) -> None:
        self.primary.stop("immediate")
        self.wait(lambda page: page.total("pitr_up", cluster="primary") == 0)
        self.primary.start()

    def take_the_archive_away(self) -> None:
        archive = self.primary.home / "archive"
        away = archive.with_name("away")
        archive.rename(away)
        self.wait(self.archive_failed)
        away.rename(archive)

    def put_a_file_in_its_place(self) -> None:
        archive = self.primary.home / "archive"
        away = archive.with_name("away")
        archive.rename(away)
        archive.write_text("not a directory")
        self.wait(self.archive_failed)
        archive.unlink()
        away.rename(archive)

    def fill_the_archive(self) -> None:
        """Each copy ends in ENOSPC, as on a full disk."""
        good = f"cp %p {self.primary.home}/archive/%f"
        self.primary.configure(archive_command="cp %p /dev/full")
        self.primary.reload()
        self.write()
        self.wait(lambda page: "archiver_failing" in page.findings(), FULL)
        self.primary.configure(archive_command=good)
        self.primary.reload()
        self.write()
        self.wait(lambda page: "archiver_failing" not in page.findings(), FULL)

    def truncate_the_log(self) -> None:
        os.truncate(self.primary.log, 0)
        self.write()

    def rotate_the_log(self) -> None:
        old = self.primary.log.with_suffix(".1")
        self.primary.log.rename(old)
        self.primary.log.touch()
        self.primary.account.own(self.primary.log)

    @staticmethod
    def archive_failed(page: MetricsPage) -> bool:
        return page.total("pitr_collector_success", cluster="primary", collector="archive") == 0


HAPPENINGS = (
    Soak.kill_the_agent, Soak.restart_the_server, Soak.take_the_archive_away, Soak.kill_the_agent,
    Soak.put_a_file_in_its_place, Soak.fill_the_archive, Soak.truncate_the_log, Soak.rotate_the_log,
)  # fmt: skip


@pytest.fixture
def soak(pg: Installation, new_cluster: NewCluster, tmp_path: Path) -> Iterator[Soak]:
    primary = new_cluster(pg, autovacuum=False, archive_timeout=5)
    backup = primary.account.make_directory(primary.home / "backups") / "one"
    primary.base_backup(backup)
    primary.sql("CREATE TABLE t (n int)")
    primary.sql("SELECT pg_switch_wal()")
    restored = new_cluster(pg, initdb=False)
    restored.restore_from(
        backup,
        restore_command=f"cp {primary.home}/archive/%f %p",
        recovery_target_action="pause",
        recovery_target="immediate",
    )
    restored.start()
    agent = WatchedAgent(tmp_path)
    objectives = {"rpo": "1h"}
    sources = {
        "dsn": primary.dsn, "archives": [{"url": str(primary.home / "archive")}],
        "backups": {"url": str(backup.parent)}, "log": str(primary.log),
    }  # fmt: skip
    config = {
        "clusters": [
            {"name": "primary", "objectives": objectives, **sources},
            {"name": "restored", "objectives": objectives, "dsn": restored.dsn},
        ],
        "defaults": FAST,
        "ledger": str(tmp_path / "ledger.sqlite"),
    }
    agent.start(config)
    yield Soak(primary, restored, agent, config)
    agent.stop()


@pytest.mark.slow
@pytest.mark.timeout(max(300, MINUTES * 60 + 600))
@pytest.mark.pg("== 16")
def test_it_lives_through_everything(soak: Soak) -> None:
    up = soak.wait(lambda page: page.total("pitr_up") == 2)
    assert up.total("pitr_recovery_in_progress", cluster="restored") == 1
    soak.restored.sql("SELECT pg_promote()")
    soak.wait(lambda page: page.total("pitr_recovery_in_progress", cluster="restored") == 0)
    soak.write()
    for happen in HAPPENINGS:
        happen(soak)
        soak.wait_well(FULL if happen is Soak.fill_the_archive else frozenset())
    chance, sizes = random.Random(SEED), []
    ends = time.monotonic() + MINUTES * 60
    while time.monotonic() < ends:
        happen = chance.choice(HAPPENINGS[1:3] + HAPPENINGS[4:])
        happen(soak)
        soak.write()
        soak.wait_well(FULL if happen is Soak.fill_the_archive else frozenset())
        sizes.append(psutil.Process(soak.agent.pid).memory_info().rss)
    if len(sizes) > 40:
        settled = max(sizes[10:20])
        assert max(sizes[-10:]) < 1.2 * settled, f"it grows: {sizes}"
