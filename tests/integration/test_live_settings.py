"""Settings and archiving as a living server shows them: the same checks, asked of the pollers."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.backups.settings import read_settings
from agent.lab.metrics_page import MetricsPage
from agent.pollers.lane import connect
from agent.pollers.registry import POLLERS
from agent.postgres.cluster import Cluster, ServerFailed
from rules.backup.configuration import settings_of_files, timeline_meant
from rules.model.evidence import Evidence
from rules.model.facts import Objectives, SettingsFacts
from rules.verdict.check import judge, load_catalogue
from tests.fix_agent import UNHURRIED, WatchedAgent
from tests.fix_postgres import NewCluster
from tests.fix_prometheus import ask as fetch
from tests.fix_tools import PATIENCE_SECONDS

NewAgent = Callable[..., WatchedAgent]


def ask(cluster: Cluster) -> set[str]:
    """What the checks find of the server alone."""
    with connect(cluster.dsn, PATIENCE_SECONDS) as connection:
        facts = {poller.facts: poller.poll(connection) for poller in POLLERS}
    evidence = Evidence(now=datetime.now(UTC), objectives=Objectives(rpo_seconds=0), facts=facts)
    return {finding.id for finding in judge(evidence, load_catalogue()).findings}


def change(cluster: Cluster, **settings: str | int | bool) -> set[str]:
    """Change settings, wait until the server has them, and ask."""
    cluster.configure(**settings)
    cluster.reload()
    name, value = next(iter(settings.items()))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while cluster.sql("SELECT current_setting(%s)", name)[0][0] != str(value):
        assert time.monotonic() < deadline, f"{name} is not {value}"
        time.sleep(0.05)
    return ask(cluster)


# Setting and value as a person writes it -> the finding.
RELOADED = (
    ("archive_command", "cp %p /wal/%f || true", "archive_command_swallows_errors"),
    ("archive_command", "scp %p other:/wal/%f", "archive_command_aborts"),
    ("archive_command", "cp %p /wal/%f", "archive_command_overwrites"),
    ("archive_command", "cat %p > /wal/%f", "archive_command_not_atomic"),
    ("restore_command", "cp /wal/%f %p; exit 0", "restore_command_swallows_errors"),
    ("restore_command", "cp /wal/%f.gz %p", "restore_command_wrong_content"),
    ("archive_timeout", "0", "archive_timeout_unset"),
    ("full_page_writes", "off", "full_page_writes_off"),
    ("max_slot_wal_keep_size", "-1", "slot_wal_unbounded"),
)


@pytest.mark.pg("== 16")
def test_settings_of_a_living_server(pg: int, new_cluster: NewCluster) -> None:
    cluster = new_cluster(
        pg, archive=False, archive_mode="on", archive_command="", archive_timeout="5min",
        max_slot_wal_keep_size="2GB", full_page_writes="TRUE", recovery_target_timeline="0x1A",
        recovery_target_name="left", max_wal_size="80MB",
    )  # fmt: skip
    cluster.sql("CREATE TABLE t (n int)")
    cluster.sql("SELECT pg_switch_wal()")
    found = ask(cluster)
    assert {"archiver_never_succeeded", "recovery_target_left", "recovery_target_timeline_odd"} == {
        finding for finding in found if finding != "archiver_hung"
    }
    _files_say_what_the_server_says(cluster)

    archive = cluster.account.make_directory(cluster.home / "archive")
    good = f"test ! -f {archive}/%f && cp %p {archive}/%f.new && mv {archive}/%f.new {archive}/%f"
    change(cluster, archive_command=good)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while "archiver_never_succeeded" in ask(cluster):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for name, value, finding in RELOADED:
        assert finding not in ask(cluster)
        assert finding in change(cluster, **{name: value}), finding
        kept = {"archive_command": good, "restore_command": "", "archive_timeout": "7min",
                "full_page_writes": "on", "max_slot_wal_keep_size": "2GB"}  # fmt: skip
        change(cluster, **{name: kept[name]})

    cluster.configure(archive_mode="off", wal_level="minimal", max_wal_senders=0)
    cluster.stop()
    cluster.start()
    assert {"archiving_off", "wal_level_minimal"} <= ask(cluster)


def _files_say_what_the_server_says(cluster: Cluster) -> None:
    """Units and words of the files come to the values of pg_settings."""
    with connect(cluster.dsn, PATIENCE_SECONDS) as connection:
        (poller,) = (poller for poller in POLLERS if poller.facts is SettingsFacts)
        live = poller.poll(connection)
    assert isinstance(live, SettingsFacts)
    written = settings_of_files(read_settings(cluster.data))
    names = ("archive_mode", "archive_command", "archive_timeout", "max_slot_wal_keep_size",
             "full_page_writes", "recovery_target_timeline", "recovery_target_name",
             "max_connections")  # fmt: skip
    assert {n: written.value(n) for n in names} == {n: live.value(n) for n in names}


def _accepts(cluster: Cluster, *options: str) -> bool:
    """Whether the server takes settings, without being started."""
    words = [word for option in options for word in ("-c", option)]
    try:
        cluster.run("postgres", "-D", str(cluster.data), *words, "-C", "recovery_target_timeline")
    except ServerFailed:
        return False
    return True


@pytest.mark.pg("== 16")
def test_the_server_refuses_what_is_called_refused(pg: int, new_cluster: NewCluster) -> None:
    cluster = new_cluster(pg, archive=False, start=False)
    for text in ("latest", "current", "26", "0000001A", "0x1A", "010", "next", "9" * 30, " 5"):
        meant = timeline_meant(text)
        assert _accepts(cluster, f"recovery_target_timeline={text}") == (meant is not None), text
    assert _accepts(cluster, "recovery_target_name=a")
    assert not _accepts(cluster, "recovery_target_name=a", "recovery_target_xid=5")


@pytest.mark.pg("== 16")
def test_objectives_that_are_missed(pg: int, new_cluster: NewCluster, new_agent: NewAgent) -> None:
    """One agent sees what no look at files can: how old, how exposed, how far back."""
    cluster = new_cluster(pg, autovacuum=False)
    backups = cluster.account.make_directory(cluster.home / "backups")
    cluster.base_backup(backups / "one")
    cluster.sql("CREATE TABLE t (n int)")
    cluster.sql("SELECT pg_switch_wal()")
    agent = new_agent(
        UNHURRIED,
        dsn=cluster.dsn,
        archives=[{"url": str(cluster.home / "archive")}],
        backups={"url": str(backups)},
        objectives={"rpo": "1s", "backup_age": "1s", "window": "7d"},
    )
    agent.wait_for(lambda page: {"backup_stale", "window_too_short"} <= page.findings())
    cluster.configure(archive_command=f"sleep 1; cp %p {cluster.home}/archive/%f")
    cluster.reload()
    agent.wait_for(lambda page: _write(cluster) and "archiver_falling_behind" in page.findings())
    cluster.configure(archive_command="/bin/false")
    cluster.reload()
    cluster.sql("INSERT INTO t VALUES (1)")
    page = agent.wait_for(lambda page: "exposure_over_objective" in page.findings())
    assert not {"collector_failing", "no_restorable_backup"} & page.findings()
    shutil.rmtree(backups / "one" / "pg_wal")
    for path in (cluster.home / "archive").glob("*[0-9A-F]"):
        path.unlink()
    cluster.stop()
    agent.wait_for(lambda page: {"collector_failing", "no_restorable_backup"} <= page.findings())


@pytest.mark.pg("== 16")
def test_exposure_is_the_age_of_what_is_not_archived(
    pg: int, new_cluster: NewCluster, new_agent: NewAgent, tmp_path: Path
) -> None:
    """0 while nobody wrote, growing after a commit, 0 again when its segment is archived."""
    cluster = new_cluster(pg, autovacuum=False)
    ledger = tmp_path / "ledger.sqlite"
    agent = new_agent(UNHURRIED, dsn=cluster.dsn, objectives={"rpo": "1h"}, ledger=ledger)
    cluster.sql("CREATE TABLE t (n int)")
    cluster.sql("SELECT pg_switch_wal()")
    agent.wait_for(lambda page: page.total("pitr_recovery_point_exposure_bytes") is not None)
    assert _archive_what_was_seen(cluster, agent) == 0

    for _ in range(3):  # an idle server writes too
        cluster.sql("CHECKPOINT")
        cluster.sql("SELECT pg_log_standby_snapshot()")
        _have_it_seen(agent)
        page = agent.wait_for(lambda page: page.total("pitr_recovery_point_exposure_bytes"))
        assert _exposed(page) == 0

    before = _polled_at(agent)
    cluster.sql("INSERT INTO t VALUES (1)")
    page = agent.wait_for(lambda page: _exposed(page) >= 2)
    assert _exposed(page) <= time.time() - before, "from the poll before it on"
    later = agent.wait_for(lambda later: _exposed(later) > _exposed(page))

    agent.restart()
    first = agent.wait_for(lambda page: _exposed(page) != -1)
    assert _exposed(first) > _exposed(later), "what the agent saw before it was stopped"

    assert _archive_what_was_seen(cluster, agent) == 0


def _archive_what_was_seen(cluster: Cluster, agent: WatchedAgent) -> float:
    """Have a poll see where the last transaction ended, then archive that; the seconds after."""
    cluster.sql("SELECT pg_log_standby_snapshot()")
    _have_it_seen(agent)
    cluster.sql("SELECT pg_switch_wal()")
    return _exposed(agent.wait_for(lambda page: _exposed(page) == 0))


def _have_it_seen(agent: WatchedAgent) -> None:
    """Wait for a poll that began from now on, and for what was made of it."""
    now = time.time()
    agent.wait_for(lambda _: _polled_at(agent) > now)
    now = time.time()
    agent.wait_for(lambda page: (page.total("pitr_verdict_timestamp_seconds") or 0) > now)


def _polled_at(agent: WatchedAgent) -> float:
    """When the last poll of positions began; 0 before the first."""
    cluster = fetch(f"{agent.url}/api/v1/clusters/lab") or {"collectors": []}
    polls = [each["at"] for each in cluster["collectors"] if each["name"] == "positions"]
    return datetime.fromisoformat(polls[0]).timestamp() if polls else 0.0


def _exposed(page: MetricsPage) -> float:
    """-1 while it is not known."""
    seconds = page.total("pitr_recovery_point_exposure_seconds")
    return -1 if seconds is None else seconds


def _write(cluster: Cluster) -> bool:
    """Some segments' worth of WAL."""
    cluster.sql("SELECT pg_logical_emit_message(false, 'p', repeat('x', 900000))")
    cluster.sql("SELECT pg_switch_wal()")
    return True
