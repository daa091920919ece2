"""What pitr-watch foresees, and that the server then does it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from agent.postgres.cluster import Cluster, ServerFailed
from agent.watch.probe import probe
from agent.watch.sources import find_sources
from rules.restore_foresight import DataDirectory, foresee
from tests.integration.restores import Story

pytestmark = pytest.mark.pg("== 16")


def foreseen(pgdata: Path) -> list[str]:
    sources, reading = find_sources(pgdata), probe(pgdata, None, None)
    return list(
        foresee(
            DataDirectory(
                settings=sources.settings,
                recovery_signal=bool(reading.recovery_signal),
                standby_signal=bool(reading.standby_signal),
                backup_label=bool(reading.backup_label),
                control=reading.control,
                complaint=sources.complaint,
            )
        )
    )


def prepared(story: Story, **settings: str | int | bool) -> Cluster:
    home = story.primary.home.parent / f"f{next(story.restores)}"
    cluster = Cluster(story.primary.installation, home, story.primary.account)
    cluster.restore_from(story.backup, **{"restore_command": "false", **settings})
    return cluster


def refuses(cluster: Cluster) -> str:
    with pytest.raises(ServerFailed):
        cluster.start()
    return cluster.log.read_text()


def test_a_sound_restore_has_nothing_to_foresee(restore_story: Story) -> None:
    cluster = prepared(restore_story, recovery_target_name="x")
    assert foreseen(cluster.data) == []


def test_no_restore_command(restore_story: Story) -> None:
    cluster = prepared(restore_story, restore_command="")
    (line,) = foreseen(cluster.data)
    assert "restore_command is not set" in line
    assert "FATAL" in refuses(cluster)


def test_two_targets(restore_story: Story) -> None:
    cluster = prepared(restore_story, recovery_target_xid="5", recovery_target_name="x")
    (line,) = foreseen(cluster.data)
    assert "recovery_target_name, recovery_target_xid" in line
    assert "multiple recovery targets" in refuses(cluster)


def test_a_parameter_lower_than_the_primary_s(restore_story: Story) -> None:
    archive = restore_story.archive
    cluster = prepared(restore_story, max_connections=5, restore_command=f"cp {archive}/%f %p")
    (line,) = foreseen(cluster.data)
    assert line.startswith("max_connections = 5 is lower than on the primary (30)")
    with contextlib.suppress(ServerFailed):
        cluster.start()
    cluster.stop("immediate")
    assert "insufficient parameter settings" in cluster.log.read_text()


def test_a_configuration_that_does_not_parse(restore_story: Story) -> None:
    cluster = prepared(restore_story)
    with (cluster.data / "postgresql.auto.conf").open("a") as file:
        file.write("recovery_target_name = 'unfinished\n")
    (line,) = foreseen(cluster.data)
    assert "postgresql.auto.conf" in line and "line" in line
    assert "syntax error" in refuses(cluster)


def test_archiving_into_the_archive_it_is_restored_from(restore_story: Story) -> None:
    cluster = prepared(
        restore_story, restore_command="cp /nowhere/wal/%f %p", archive_mode="on",
        archive_command="cp %p /nowhere/wal/%f",
    )  # fmt: skip
    (line,) = foreseen(cluster.data)
    assert "will archive into /nowhere/wal" in line


def test_no_signal_file(restore_story: Story) -> None:
    cluster = prepared(restore_story)
    (cluster.data / "recovery.signal").unlink()
    (line,) = foreseen(cluster.data)
    assert "recovery.signal is not" in line
