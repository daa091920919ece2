"""A standby's settings in a backup: what they do to a real restore, and what the block undoes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.postgres.cluster import Cluster
from parsers.files.server_conf import FileSetting, parse_server_conf
from tests.fix_check import pitr_check
from tests.fix_recovery import RecoveryStory as Story
from tests.fix_recovery import every_major
from tests.fix_tools import PATIENCE_SECONDS
from tests.histories import commit

pytestmark = every_major


def archived_with_a_checkpoint(story: Story) -> None:
    """Commits after the backup, and checkpoints, which a restore may make restartpoints."""
    story.take_backup()
    with story.life.connect() as connection:
        for _ in range(3):
            commit(story.life, connection)
            connection.execute("CHECKPOINT")
    story.life.finish()


def configure(story: Story, **settings: str) -> None:
    """Leave settings in the backup's own configuration."""
    with (story.backup / "postgresql.auto.conf").open("a") as file:
        for name, value in settings.items():
            file.write(f"{name} = '{value}'\n")


class Restored:
    """A restore on the backup's own configuration, and on top of it what is pasted."""

    def __init__(self, story: Story, name: str, pasted: str) -> None:
        self.cluster: Cluster = story.new_cluster(name)
        cluster = self.cluster
        subprocess.run(["cp", "-a", str(story.backup), str(cluster.data)], check=True)
        cluster.configure(unix_socket_directories=str(cluster.sockets), fsync=False)
        with (cluster.data / "postgresql.auto.conf").open("a") as file:
            file.write(pasted)
        cluster.signal()
        # Without a hot standby pg_ctl waits for the end of recovery.
        subprocess.run(
            [cluster.installation.program("pg_ctl"), "start", "-W", "-s", "-D", cluster.data,
             "-l", cluster.log],
            check=True, stdin=subprocess.DEVNULL, **cluster.account.popen_options(),
        )  # fmt: skip

    def waits_for(self, happens: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
        deadline = time.monotonic() + seconds
        while not happens():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def says(self, text: str, seconds: float = PATIENCE_SECONDS) -> bool:
        return self.waits_for(lambda: text in "\n".join(self.cluster.log_lines()), seconds)

    def pauses(self) -> bool:
        """At the end of recovery, and whoever asks is let in."""
        return self.says("pausing at the end of recovery") and self.says(READ_ONLY)

    def stop(self) -> None:
        self.cluster.stop("immediate")


def block_for(story: Story, *options: object) -> tuple[str, dict[str, str]]:
    """What pitr-check gives to paste, and the severity of each of its findings."""
    checked = pitr_check(
        "--archive", story.archive, "--backup", story.backup, "--format", "json", *options
    )
    document = checked.json
    found = {finding["id"]: finding["severity"] for finding in document["findings"]}
    assert document["target"]["reachable"] is True, document["target"]["reason"]
    return document["target"]["settings"], found


def settings_in(block: str) -> dict[str, str]:
    statements = [each for each in parse_server_conf(block) if isinstance(each, FileSetting)]
    names = [each.name for each in statements]
    assert len(names) == len(set(names)), "each is said once"
    return {each.name: each.value for each in statements}


READY = "database system is ready to accept connections"
READ_ONLY = "database system is ready to accept read"  # "only", or "-only" from 14 on


def test_a_delay_holds_a_restore_up_until_the_block_undoes_it(story: Story) -> None:
    archived_with_a_checkpoint(story)
    configure(story, recovery_min_apply_delay="1h")
    block, found = block_for(story)
    assert found["recovery_min_apply_delay_left"] == "warning"
    assert settings_in(block)["recovery_min_apply_delay"] == "0"
    without = block.replace("recovery_min_apply_delay", "# recovery_min_apply_delay")
    stands = Restored(story, "stands", without)
    try:
        assert stands.says("consistent recovery state reached")
        assert not stands.says(READY + "\n", 3)
        assert not stands.says("archive recovery complete", 0)
    finally:
        stands.stop()
    opens = Restored(story, "opens", block)
    try:
        assert opens.says("archive recovery complete")
        assert opens.says(READY)
        assert len(opens.cluster.sql("SELECT n FROM seen")) == 3
    finally:
        opens.stop()


def test_commands_of_a_standby_run_in_a_restore_until_the_block_undoes_them(
    story: Story, short_directory: Path
) -> None:
    """The clean-up deletes from the archive, with recovery.signal as well."""
    archived_with_a_checkpoint(story)
    ended = story.life.cluster.account.make_directory(short_directory / "ended") / "it"
    configure(
        story, recovery_end_command=f"touch {ended}",
        archive_cleanup_command=f"rm -f {story.archive}/*.backup {story.segments()[0]}",
    )  # fmt: skip
    before = story.segments()
    options = ("--target-xid", list(story.life.rows.values())[-1], "--action", "pause")
    block, found = block_for(story, *options)
    assert found["archive_cleanup_command_left"] == found["recovery_end_command_left"] == "warning"
    said = settings_in(block)
    assert (said["archive_cleanup_command"], said["recovery_end_command"]) == ("", "")
    undone = Restored(story, "undone", block)
    try:
        assert undone.pauses()
        undone.cluster.sql("CHECKPOINT")
        undone.cluster.sql("SELECT pg_wal_replay_resume()")
        assert undone.says("archive recovery complete") and undone.says(READY)
        assert story.segments() == before and not ended.exists()
    finally:
        undone.stop()
    kept = "".join(f"{line}\n" for line in block.splitlines() if "_command = ''" not in line)
    harmed = Restored(story, "harmed", kept)
    try:
        assert harmed.pauses()
        harmed.cluster.sql("CHECKPOINT")
        assert harmed.waits_for(lambda: story.segments() == before[1:]), "a segment is gone"
        harmed.cluster.sql("SELECT pg_wal_replay_resume()")
        assert harmed.says("archive recovery complete") and harmed.waits_for(ended.exists)
    finally:
        harmed.stop()


def test_what_else_a_standby_or_an_earlier_restore_left(story: Story) -> None:
    """A hot standby that is off shuts a pause down; of two targets the server refuses to start."""
    archived_with_a_checkpoint(story)
    last = list(story.life.rows.values())[-1]
    configure(
        story, hot_standby="off", primary_conninfo="host=nowhere", primary_slot_name="s",
        recovery_target_name="earlier", restore_command="cp /elsewhere/%f %p",
    )  # fmt: skip
    (story.backup / "standby.signal").touch()
    options = ("--target-xid", last, "--action", "pause")
    block, found = block_for(story, *options)
    infos = {
        "hot_standby_off", "primary_conninfo_left", "restore_command_elsewhere",
        "standby_signal_left",
    }  # fmt: skip
    assert {found.get(each) for each in infos} == {"info"}
    assert found["recovery_needs_settings"] == "warning"
    said = settings_in(block)
    assert said["restore_command"] == f"cp {story.archive}/%f %p"
    assert (said["hot_standby"], said["recovery_target_name"]) == ("on", "")
    assert (said["primary_conninfo"], said["primary_slot_name"]) == ("", "")
    (story.backup / "standby.signal").unlink()
    pauses = Restored(story, "pauses", block)
    try:
        assert pauses.pauses()
        assert len(pauses.cluster.sql("SELECT n FROM seen")) == 3
    finally:
        pauses.stop()
    refused = Restored(story, "refused", block.replace("recovery_target_name", "# "))
    assert refused.says("multiple recovery targets specified")
    off = block.replace("hot_standby", "# ")
    shut_down = Restored(story, "off", off)
    assert shut_down.says("shutdown at recovery target")


def test_a_target_that_is_unset_after_another_is_refused(story: Story) -> None:
    """Which of the two lines comes first decides, whatever the values."""
    archived_with_a_checkpoint(story)
    lines = ["recovery_target_lsn = '0/1'\n", "recovery_target_xid = ''\n"]
    configuration = story.backup / "postgresql.auto.conf"
    before = configuration.read_text()
    for name, order in (("before", lines[::-1]), ("after", lines)):
        configuration.write_text(before + "".join(order))
        checked = pitr_check(
            "--archive", story.archive, "--backup", story.backup, "--format", "json"
        )
        restored = Restored(story, name, f"restore_command = 'cp {story.archive}/%f %p'\n")
        refused = "recovery_targets_contradict" in checked.findings
        assert refused is (name == "after")
        assert restored.says("multiple recovery targets" if refused else "before consistent")


def test_a_standby_signal_keeps_a_restore_from_opening(story: Story) -> None:
    archived_with_a_checkpoint(story)
    (story.backup / "standby.signal").touch()
    story.life.cluster.account.own(story.backup / "standby.signal")
    block, found = block_for(story)
    assert found["standby_signal_left"] == "info"
    waits = Restored(story, "waits", block)
    try:
        assert waits.says("consistent recovery state reached")
        assert not waits.says("archive recovery complete", 3)
        (waits.cluster.data / "standby.signal").unlink()
        waits.cluster.stop("fast")
        waits.cluster.start()
        assert waits.says("archive recovery complete")
    finally:
        waits.stop()


@pytest.mark.parametrize("action", ["promote", "pause"])
def test_a_configuration_with_nothing_to_undo_adds_nothing(story: Story, action: str) -> None:
    archived_with_a_checkpoint(story)
    configure(story, recovery_min_apply_delay="0min", primary_conninfo="", hot_standby="true")
    block, _ = block_for(story, "--target-immediate", "--action", action)
    assert set(settings_in(block)) == {
        "restore_command", "recovery_target", "recovery_target_timeline", "recovery_target_action",
        "archive_mode",
    }  # fmt: skip
