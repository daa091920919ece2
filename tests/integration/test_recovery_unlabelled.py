"""Copies of a data directory without a backup_label; each really restored."""

from __future__ import annotations

import shutil
import subprocess

from rules.model.target import Target
from tests.fix_check import pitr_check
from tests.fix_recovery import RecoveryStory as Story
from tests.fix_recovery import every_major
from tests.histories import commit

pytestmark = every_major


def test_a_backup_that_lost_its_label(story: Story) -> None:
    """Its own pg_wal decides: without WAL a PANIC, with some it opens and nobody is told."""
    story.take_backup()
    with story.life.connect() as connection:
        commit(story.life, connection)
    story.archive_now()
    carried = story.segments()
    with story.life.connect() as connection:
        commit(story.life, connection)
        commit(story.life, connection)
    story.life.finish()
    (story.backup / "backup_label").unlink()
    outcome, observed = story.check(Target())
    assert observed.severity == ("PANIC" if story.life.major < 19 else "FATAL")
    assert (outcome.fatal or "").startswith("could not locate a valid checkpoint record")
    checked = pitr_check("--archive", story.archive, "--backup", story.backup, "--format", "json")
    assert (checked.status, checked.json["restorable"]) == (2, False)
    assert checked.json["target"]["fatal"] == outcome.fatal
    printed = pitr_check("--archive", story.archive, "--backup", story.backup).out
    assert f"PostgreSQL will say: {observed.severity}:  {outcome.fatal}" in printed
    for path in carried:
        shutil.copy(path, story.backup / "pg_wal")
        story.life.cluster.account.own(story.backup / "pg_wal" / path.name)
    first, second, _ = (Target(type="xid", value=str(xid)) for xid in story.life.rows.values())
    for target in (Target(), Target(type="immediate"), second):
        outcome, observed = story.check(target)
        assert (outcome.outcome, outcome.reachable) == ("opens", None)
        assert "was not properly shut down" in observed.log
        assert "FATAL" not in observed.log.replace("FATAL:  the database system", "")
    outcome, _ = story.check(first)
    assert "before consistent recovery point" in (outcome.fatal or "")
    checked = pitr_check("--archive", story.archive, "--backup", story.backup, "--format", "json")
    assert (checked.status, checked.json["restorable"]) == (2, None)
    assert "backup_without_label" in checked.findings
    assert checked.json["backups"][0]["windows"] == []
    (story.backup / "backup_label.old").touch()
    assert "started from this copy before" in story.check(Target())[0].reason


def test_a_copy_of_a_server_that_was_shut_down(story: Story) -> None:
    """It needs no label: pg_control says that all is consistent from its checkpoint on."""
    with story.life.connect() as connection:
        commit(story.life, connection)
    story.life.cluster.stop()
    subprocess.run(["cp", "-a", str(story.life.cluster.data), str(story.backup)], check=True)
    nothing = story.life.cluster.account.make_directory(story.archive.with_name("nothing"))
    outcome, observed = story.check(Target(), archive=nothing)
    assert outcome.outcome == "opens" and "redo is not required" in observed.log
    for path in (story.backup / "pg_wal").glob("0*"):
        path.unlink()
    story.life.cluster.start()
    with story.life.connect() as connection:
        commit(story.life, connection)
        commit(story.life, connection)
    story.life.finish()
    _, second, _ = (Target(type="xid", value=str(xid)) for xid in story.life.rows.values())
    for target in (Target(), Target(type="immediate"), second):
        assert story.check(target)[0].reachable
    checked = pitr_check("--archive", story.archive, "--backup", story.backup, "--format", "json")
    assert checked.json["restorable"] is True and "backup_without_label" not in checked.findings
