"""Where a backup is consistent, and WAL that it finds in unlikely places; each really restored."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace

from parsers.lsn import format_lsn
from rules.restore import Server
from rules.target import Target
from tests.fix_recovery import RecoveryStory as Story
from tests.fix_recovery import every_major
from tests.histories import Life, commit, copy_cluster, prepare
from tests.restoring import read_restore, restore

pytestmark = every_major


def test_a_prepared_transaction_in_the_segment_of_a_fork(story: Story) -> None:
    """To promote before the fork, the server reads PREPARE from a file that it never fetched."""
    story.take_backup()
    with story.life.connect() as connection:
        connection.execute("SELECT pg_switch_wal()")
        prepare(story.life, connection)
        commit(story.life, connection)
        commit(story.life, connection)
    story.life.finish()
    early, late = list(story.life.rows.values())[-2:]
    child = story.fork(story.life, Target(type="xid", value=str(late)))
    with child.connect() as connection:
        commit(child, connection)
    child.finish()
    before_fork = Target(type="xid", value=str(early))
    for hot_standby in (True, False):
        outcome, _ = story.check(before_fork, hot_standby=hot_standby)
        assert (
            outcome.fatal is not None and "requested WAL segment pg_wal/00000001" in outcome.fatal
        )
        story.check(replace(before_fork, action="pause"), hot_standby=hot_standby)
        outcome, _ = story.check(Target(), hot_standby=hot_standby)
        assert outcome.outcome == ("fails" if hot_standby else "opens")
    outcome, _ = story.check(replace(before_fork, timeline="1"))
    assert outcome.reachable


def test_reading_ahead_meets_a_file_that_the_target_does_not_need(story: Story) -> None:
    """Segments that a switch left empty are no distance: the truncated third one is fetched."""
    story.take_backup()
    with story.life.connect() as connection:
        commit(story.life, connection)
        for _ in range(2):
            commit(story.life, connection)
            connection.execute("SELECT pg_switch_wal()")
    story.life.finish()
    first = next(iter(story.life.rows.values()))
    segments = sorted(path for path in story.archive.iterdir() if len(path.name) == 24)
    segments[-1].write_bytes(segments[-1].read_bytes()[:8192])
    reads_ahead = story.major >= 15
    outcome, _ = story.check(Target(type="xid", value=str(first)))
    assert outcome.needs == ({"recovery_prefetch": "off"} if reads_ahead else {})
    outcome, observed = story.check(Target())
    assert "has wrong size" in (outcome.fatal or "")
    if reads_ahead:
        cluster = story.new_cluster(name="prefetch")
        observed = restore(
            cluster, story.backup, story.archive, Target(type="xid", value=str(first))
        )
        assert "has wrong size" in (observed.fatal or "")


def test_damage_before_the_redo_location_is_none_for_recovery(story: Story) -> None:
    story.take_backup_while_others_write(1, lambda start_lsn: start_lsn % (1 << 20) > 500)
    with story.life.connect() as connection:
        commit(story.life, connection)
    story.life.finish()
    given = read_restore(story.backup, story.archive, Server(major=story.major))
    label = given.backup.label
    path = story.archive / label.start_segment
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(data)
    last = list(story.life.rows.values())[-1]
    for target in (Target(), Target(type="xid", value=str(last)), Target(type="immediate")):
        outcome, _ = story.check(target)
        assert outcome.reachable
    outcome, _ = story.check(Target(type="lsn", value=format_lsn(label.checkpoint_lsn + 1000)))


def test_a_backup_from_a_standby_is_consistent_at_its_minimum_recovery_point(story: Story) -> None:
    story.take_backup()
    with story.life.connect() as connection:
        for _ in range(3):
            commit(story.life, connection)
    story.archive_now()
    standby = story.standby()
    wait_for_replay(standby, story.life)
    with standby.connect() as session:
        standby.start_backup(session)
        with story.life.connect() as connection:
            for _ in range(3):
                commit(story.life, connection)
            connection.execute("SELECT pg_create_restore_point('too early')")
            connection.execute("CHECKPOINT")
        story.archive_now()
        wait_for_replay(standby, story.life)
        standby.cluster.sql("CHECKPOINT")  # writes its pages: the minimum recovery point moves
        shutil.rmtree(story.backup)
        copy_cluster(standby.cluster.data, story.backup)
        standby.stop_backup(session, story.backup)
    (story.backup / "standby.signal").unlink()
    standby.cluster.stop()
    with story.life.connect() as connection:
        for _ in range(3):
            commit(story.life, connection)
    story.life.finish()
    xids = list(story.life.rows.values())
    targets = [Target(), Target(type="immediate"), Target(type="name", value="too early")]
    targets += [Target(type="xid", value=str(xid)) for xid in (xids[4], xids[-3], xids[-1])]
    outcomes = [story.check(target)[0] for target in targets]
    assert [outcome.outcome for outcome in outcomes] == ["opens", "opens", *["fails"] * 2,
                                                         "opens", "opens"]  # fmt: skip


def wait_for_replay(standby: Life, primary: Life) -> None:
    """Wait until a standby has replayed what is archived, and cannot go on."""
    lsn = primary.cluster.sql("SELECT pg_current_wal_lsn()")[0][0]
    deadline = time.monotonic() + 30
    while not standby.cluster.sql(
        "SELECT coalesce(pg_last_wal_replay_lsn() >= %s::pg_lsn, false)", lsn
    )[0][0]:
        assert time.monotonic() < deadline, "the standby does not follow"
        time.sleep(0.05)


def test_a_promoted_standby_begins_its_timeline_without_a_checkpoint(story: Story) -> None:
    story.take_backup()
    with story.life.connect() as connection:
        commit(story.life, connection)
    story.archive_now()
    standby = story.standby()
    standby.cluster.configure(
        archive_mode="on",
        archive_command=f"test ! -f {story.archive}/%f && cp %p {story.archive}/%f",
    )
    standby.cluster.stop()
    standby.cluster.start()
    standby.cluster.sql("SELECT pg_promote()")
    child = replace(standby, rows={}, next_value=500)
    with child.connect() as connection:
        commit(child, connection)
        commit(child, connection)
    child.finish()
    story.life.cluster.stop("immediate")
    first, _ = child.rows.values()
    outcome, _ = story.check(Target(type="xid", value=str(first)))
    assert (outcome.timeline, outcome.new_timeline) == (2, 3)
    story.check(Target())


def test_wal_that_only_the_backup_carries(story: Story) -> None:
    """pg_basebackup brings the WAL of its own duration; the archive may have lost it."""
    story.take_backup()
    with story.life.connect() as connection:
        commit(story.life, connection)
        commit(story.life, connection)
    story.life.finish()
    needed = story.segments()[-2]
    for path in story.segments()[-2:]:
        shutil.move(path, story.backup / "pg_wal" / path.name)
        story.life.cluster.account.own(story.backup / "pg_wal" / path.name)
    outcome, _ = story.check(Target())
    assert needed.name in outcome.segments_needed
    story.check(Target(type="immediate"))


def test_the_checkpoint_is_there_and_its_redo_location_is_not(story: Story) -> None:
    """Much is written while the backup's checkpoint runs: the two lie in different segments."""
    story.take_backup_while_others_write(
        2_000_000, lambda start_lsn: start_lsn >> 20 != story.checkpoint_lsn() >> 20
    )
    story.archive_now()
    story.life.finish()
    given = read_restore(story.backup, story.archive, Server(major=story.major))
    (story.archive / given.backup.label.start_segment).unlink()
    outcome, _ = story.check(Target())
    assert (outcome.fatal or "").startswith("could not find redo location")
