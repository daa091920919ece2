"""What pitr-watch foresees, and that the server then does it."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest

from agent.postgres.cluster import Cluster, ServerFailed
from tests.integration.restores import Story
from tests.waiting import wait_until
from tests.watching import findings_of

pytestmark = pytest.mark.pg("== 16")


def foreseen(pgdata: Path) -> list[str]:
    found = findings_of("restore_foreseen", pgdata)
    assert all(each.remedy for each in found)
    return [each.summary for each in found]


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
    archive = restore_story.archive
    cluster = prepared(
        restore_story, restore_command=f"cp {archive}/%f %p", archive_mode="on",
        archive_command=f"cp %p {archive}/%f",
    )  # fmt: skip
    (line,) = foreseen(cluster.data)
    assert f"will archive into {archive}" in line


def test_an_archive_that_is_not_mounted(restore_story: Story) -> None:
    cluster = prepared(restore_story, restore_command="cp /nowhere/wal/%f %p")
    shutil.rmtree(cluster.data / "pg_wal")
    (cluster.data / "pg_wal").mkdir()
    cluster.account.own(cluster.data / "pg_wal")
    (line,) = foreseen(cluster.data)
    assert "copies from /nowhere/wal" in line
    assert "could not locate required checkpoint record" in refuses(cluster)


def test_a_directory_that_others_may_read(restore_story: Story) -> None:
    cluster = prepared(restore_story)
    cluster.data.chmod(0o755)
    (line,) = foreseen(cluster.data)
    assert "mode 0755" in line
    assert "has invalid permissions" in refuses(cluster)


def test_a_label_with_the_line_ends_of_another_system(restore_story: Story) -> None:
    cluster = prepared(restore_story)
    label = cluster.data / "backup_label"
    label.write_bytes(label.read_bytes().replace(b"\n", b"\r\n"))
    (line,) = foreseen(cluster.data)
    assert "refuse backup_label" in line
    assert 'invalid data in file "backup_label"' in refuses(cluster)


def test_a_recovery_conf_of_old_times(restore_story: Story) -> None:
    cluster = prepared(restore_story)
    (cluster.data / "recovery.conf").touch()
    (line,) = foreseen(cluster.data)
    assert "recovery.conf" in line
    assert 'using recovery command file "recovery.conf" is not supported' in refuses(cluster)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"recovery_target_time": "yesterday"}, "invalid value for parameter"),
        ({"recovery_target_name": "x" * 64}, "invalid value for parameter"),
        ({"recovery_target_lsn": "0x12"}, "invalid value for parameter"),
        ({"recovery_target_timeline": "new"}, "recovery target timeline 0 does not exist"),
        ({"recovery_target_xid": "one"}, "to XID 0"),
    ],
)
def test_a_target_that_the_server_cannot_read(
    restore_story: Story, settings: dict[str, str], words: str
) -> None:
    cluster = prepared(restore_story, **settings)
    (line,) = foreseen(cluster.data)
    assert "the recovery target cannot be read" in line
    assert words in refuses(cluster)


def test_a_pause_without_hot_standby_is_a_shutdown(restore_story: Story) -> None:
    archive = restore_story.archive
    cluster = prepared(
        restore_story, restore_command=f"cp {archive}/%f %p", hot_standby=False,
        recovery_target_name=restore_story.restore_point,
    )  # fmt: skip
    (line,) = foreseen(cluster.data)
    assert "shut down, not pause" in line
    with contextlib.suppress(ServerFailed):
        cluster.start()
    wait_until(lambda: "shutdown at recovery target" in cluster.log.read_text())


def test_no_signal_file(restore_story: Story) -> None:
    cluster = prepared(restore_story)
    (cluster.data / "recovery.signal").unlink()
    (line,) = foreseen(cluster.data)
    assert "recovery.signal is not" in line
