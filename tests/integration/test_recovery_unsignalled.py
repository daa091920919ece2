"""Backups started without a signal file, which nothing restores; each really started."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from rules.model.target import Target
from tests.fix_recovery import RecoveryStory as Story
from tests.fix_recovery import every_major
from tests.histories import commit, copy_cluster, prepare


def carry(story: Story, *segments: Path) -> None:
    """Have the backup bring these itself."""
    for path in segments:
        shutil.copy(path, story.backup / "pg_wal")
        story.life.cluster.account.own(story.backup / "pg_wal" / path.name)


def segments_of(story: Story) -> list[Path]:
    """From the one that the backup begins in."""
    found = re.search(r"\(file ([0-9A-F]{24})\)", (story.backup / "backup_label").read_text())
    assert found is not None
    return [path for path in story.segments() if path.name >= found[1]]


@every_major
def test_the_backup_s_own_wal_is_all_there_is(story: Story) -> None:
    """Whatever target and timeline are asked for, it opens on its own timeline, or not at all."""
    story.take_backup()
    with story.life.connect() as connection:
        prepare(story.life, connection)
        connection.execute("SELECT pg_switch_wal()")
        commit(story.life, connection)
    story.life.finish()
    first, *later = segments_of(story)
    target = Target(type="xid", value=str(next(iter(story.life.rows.values()))))
    outcome, observed = story.check(target, signalled=False)
    assert (outcome.fatal or "").startswith("could not locate required checkpoint record")
    assert "restored log file" not in observed.log
    carry(story, first)
    for asked in (Target(), target, Target(timeline="7"), Target(type="name", value="none")):
        outcome, observed = story.check(asked, signalled=False, max_connections=5)
        assert (outcome.outcome, outcome.reachable) == ("opens", False)
        assert (outcome.ending, outcome.new_timeline) == (None, None)
        assert "restored log file" not in observed.log
    carry(story, *later)
    assert (story.check(target, signalled=False)[0].replayed_lsn or 0) > (outcome.replayed_lsn or 0)


@every_major
def test_wal_that_ends_before_the_backup_does(story: Story) -> None:
    """What the label says was streamed must reach its end."""
    story.take_backup(lambda connection: connection.execute("SELECT pg_switch_wal()"))
    story.life.finish()
    first, *others = segments_of(story)
    carry(story, first)
    outcome, _ = story.check(Target(), signalled=False)
    assert outcome.fatal == "WAL ends before end of online backup"
    carry(story, *others)
    assert story.check(Target(), signalled=False)[0].outcome == "opens"


@pytest.mark.parametrize("major", [14])
def test_an_exclusive_backup_opens_before_its_end(story: Story) -> None:
    """To 14: the server takes it for itself after a crash, and a shutdown cancels nothing."""
    cluster = story.life.cluster
    cluster.sql("SELECT pg_start_backup('exclusive', true)")
    copy_cluster(cluster.data, story.backup)
    with story.life.connect() as connection:
        commit(story.life, connection)
    cluster.stop("fast")
    cluster.start()
    with story.life.connect() as connection:
        commit(story.life, connection)
    story.life.finish()
    carry(story, *story.segments())
    outcome, observed = story.check(Target(), signalled=False)
    assert (outcome.outcome, outcome.consistent_lsn) == ("opens", None)
    assert len(observed.rows or ()) == 2
    outcome, _ = story.check(Target())
    assert outcome.fatal == "online backup was canceled, recovery cannot continue"
