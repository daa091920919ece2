"""What each release says of a lower setting, a fork that was passed, a signal that is missing."""

from __future__ import annotations

import contextlib
import io
import shutil
from pathlib import Path
from typing import Final

import psycopg
import pytest

from agent.cli.watch import main
from agent.postgres.account import Account
from agent.postgres.cluster import Cluster, ServerFailed
from agent.postgres.installation import Installation
from tests.fix_postgres import NewCluster
from tests.integration.restores import (
    Story,
    check_reading,
    down,
    paused,
    promoted,
    wait_until,
    watch,
)

pytestmark = pytest.mark.pg(">= 13", npm=True)


def copy_cold(cluster: Cluster) -> Path:
    """A copy of a server that is down, which its WAL leads on from."""
    return shutil.copytree(cluster.data, cluster.home / "copy")


def copy_of(
    primary: Cluster, copy: Path, home: Path, account: Account, **settings: str | int | bool
) -> Cluster:
    cluster = Cluster(primary.installation, home, account)
    command = f"cp {primary.home}/archive/%f %p"
    cluster.restore_from(copy, restore_command=command, fsync=False, **settings)
    return cluster


def shown(cluster: Cluster) -> str:
    """What a person reads."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        main(["--log", str(cluster.log), "--once", "--format", "text"])
    check_reading(cluster.log.read_bytes())
    return said.getvalue()


RESUME: Final = "pg_wal_replay_resume"


def test_a_pause_for_a_lower_setting_is_not_to_be_resumed(
    pg: Installation, new_cluster: NewCluster, short_directory: Path, account: Account
) -> None:
    """From 14 on the server pauses, and shuts down when it is resumed; 13 does so at once."""
    primary = new_cluster(pg, max_connections=30)
    primary.stop()
    copy = copy_cold(primary)
    primary.configure(max_connections=60)
    primary.start()
    primary.sql("SELECT pg_switch_wal()")
    primary.stop()
    cluster = copy_of(primary, copy, short_directory / "r", account)
    with contextlib.suppress(ServerFailed):
        cluster.start()
    low = "max_connections = 30 is lower than the primary's (30 < 60)"
    try:
        wait_until(lambda: down(cluster) or paused(cluster))
        if pg.major >= 14:
            (*_, summary), status = watch("--log", str(cluster.log), "--once")
            assert (summary["outcome"], status) == ("paused", 1)
            text = shown(cluster)
            assert low in text and "resuming would shut it down" in text
            assert RESUME not in text and RESUME not in summary["next_command"]
            with contextlib.suppress(psycopg.OperationalError):  # down before it answers
                cluster.sql("SELECT pg_wal_replay_resume()")
            wait_until(lambda: down(cluster))
    finally:
        cluster.stop("immediate")
    (*_, summary), status = watch("--log", str(cluster.log), "--once")
    assert (summary["outcome"], status) == ("failed", 2)
    assert summary["cause"] == low and "max_connections = 60" in summary["next_command"]
    assert RESUME not in shown(cluster)


def test_a_standby_beyond_the_fork_needs_another_copy(
    pg: Installation, new_cluster: NewCluster, short_directory: Path, account: Account
) -> None:
    """While it runs the server waits for ever, and says why; started again, it does not start."""
    primary = new_cluster(pg)
    primary.sql("CREATE TABLE t (n int)")
    primary.stop()
    copy, archive = copy_cold(primary), primary.home / "archive"
    primary.start()
    primary.sql("INSERT INTO t SELECT generate_series(1, 1000)")
    primary.sql("SELECT pg_switch_wal()")
    primary.stop()
    standby = copy_of(primary, copy, short_directory / "s", account)
    (standby.data / "recovery.signal").unlink()
    standby.signal("standby.signal")
    sibling = copy_of(
        primary, copy, short_directory / "n", account,
        recovery_target="immediate", recovery_target_action="promote",
        archive_mode="on", archive_command=f"cp %p {archive}/%f",
    )  # fmt: skip
    try:
        standby.start()
        wait_until(lambda: standby.sql("SELECT count(*) FROM t") == [(1000,)])
        with sibling.running():
            wait_until(lambda: promoted(sibling))
            sibling.sql("SELECT pg_switch_wal()")
            wait_until(lambda: "forked off" in standby.log.read_text())
        (*_, summary), status = watch("--log", str(standby.log), "--once")
        assert (summary["outcome"], status) == ("in_progress", 1)
        assert "past the fork of timeline 2" in summary["cause"]
        assert "pg_rewind" in summary["next_command"]
        standby.stop()
        with contextlib.suppress(ServerFailed):
            standby.start()
        wait_until(lambda: down(standby))
    finally:
        standby.stop("immediate")
    for options in ([], ["--pgdata", str(standby.data)]):
        (*_, summary), status = watch("--log", str(standby.log), "--once", *options)
        assert (summary["outcome"], status) == ("failed", 2)
        assert "past the fork" in summary["cause"]
        assert "pg_rewind" in summary["next_command"]
        assert "new base backup" in summary["next_command"]
        assert "recovery_target_timeline" not in f"{summary['cause']}{summary['next_command']}"
    assert "pg_rewind" in shown(standby)


MISSING: Final = "recovery.signal is missing"
COMMANDS: Final = {"silent": "false", "cp": "cp /nowhere/%f %p"}


@pytest.mark.parametrize("signal", ["", "recovery.signal"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_signal_is_missing_only_where_it_is(
    restore_story: Story, signal: str, command: str
) -> None:
    """To 16 the log proves it. From 17 on what does not ask the archive says the same either way.

    There the data directory tells.
    """
    major = restore_story.primary.installation.major
    home = restore_story.primary.home.parent / f"x{next(restore_story.restores)}"
    cluster = Cluster(restore_story.primary.installation, home, restore_story.primary.account)
    cluster.restore_from(restore_story.backup, restore_command=COMMANDS[command], fsync=False)
    for segment in (cluster.data / "pg_wal").glob("0*"):
        segment.unlink()
    if not signal:
        (cluster.data / "recovery.signal").unlink()
    with contextlib.suppress(ServerFailed):
        cluster.start()
    wait_until(lambda: down(cluster))
    log = cluster.log.read_text()
    assert ("starting archive recovery" in log) is (bool(signal) and major <= 16)
    for pgdata in (False, True):
        options = ["--pgdata", str(cluster.data)] if pgdata else []
        (*_, summary), status = watch("--log", str(cluster.log), "--once", *options)
        assert (summary["outcome"], status) == ("failed", 2)
        assert (MISSING in summary["cause"]) is (not signal and (major <= 16 or pgdata))
        possible = "there is no recovery.signal, or" in summary["cause"]
        assert possible is (major >= 17 and not pgdata and (not signal or command == "silent"))
    shutil.rmtree(cluster.data)
