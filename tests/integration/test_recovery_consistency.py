"""Where a backup is consistent, and WAL that it finds in unlikely places; each really restored."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import replace

import pytest

from parsers.lsn import format_lsn
from rules.model.goal import read_goal
from rules.model.restore_inputs import Server
from rules.model.target import Target
from rules.recovery.predictor import simulate
from tests.fix_recovery import RecoveryStory as Story
from tests.fix_recovery import every_major
from tests.histories import Life, commit, copy_cluster, prepare
from tests.restoring import read_restore, restore
from tests.waiting import wait_replayed

pytestmark = every_major


def test_a_prepared_transaction_in_the_segment_of_a_fork(story: Story) -> None:
    """To promote before the fork, the server reads PREPARE from a file that it never fetched."""
    story.take_backup()
    with story.life.connect() as connection:
        connection.execute("SELECT pg_switch_wal()")
        prepare(story.life, connection)
        commit(story.life, connection)
        connection.execute("CHECKPOINT")
        commit(story.life, connection)
        commit(story.life, connection)
    story.life.finish()
    first, early, late = list(story.life.rows.values())[-3:]
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
        goes_down, _ = story.check(replace(before_fork, action="shutdown"), hot_standby=hot_standby)
        assert goes_down.fatal == outcome.fatal, "a restartpoint writes it to disk"
        before = Target(type="xid", value=str(first), action="shutdown")
        assert story.check(before, hot_standby=hot_standby)[0].reachable, "no checkpoint, none"
        outcome, _ = story.check(replace(before_fork, action="pause"), hot_standby=hot_standby)
        assert outcome.outcome == ("opens" if hot_standby else "fails"), "without, it goes down"
        outcome, _ = story.check(Target(), hot_standby=hot_standby)
        assert outcome.outcome == ("fails" if hot_standby else "opens")
    outcome, _ = story.check(replace(before_fork, timeline="1"))
    assert outcome.reachable


def forked_twice(story: Story) -> list[Life]:
    """End the story's life, and live two more, each from the last commit of the one before."""
    story.life.finish()
    lives = [story.life]
    for _ in range(2):
        end = list(lives[-1].rows.values())[-1]
        lives.append(story.fork(lives[-1], Target(type="xid", value=str(end))))
        with lives[-1].connect() as connection:
            connection.execute("SELECT pg_switch_wal()")
            commit(lives[-1], connection)
            commit(lives[-1], connection)
        lives[-1].finish()
    return lives


def test_a_prepared_transaction_and_the_history_of_a_parent(story: Story) -> None:
    """To find PREPARE, the server reads the history of the timeline that it replays."""
    story.take_backup()
    with story.life.connect() as connection:
        prepare(story.life, connection)
        connection.execute("SELECT pg_switch_wal()")
        commit(story.life, connection)
    lives = forked_twice(story)
    between = Target(type="xid", value=str(next(iter(lives[1].rows.values()))), timeline="3")
    history = story.archive / "00000002.history"
    twice = history.read_bytes() * 2
    for content, words in (
        (twice, "invalid data in history file"),
        (None, "requested WAL segment"),
    ):
        history.unlink()
        if content is not None:
            history.write_bytes(content)
        for target, hot_standby in itertools.product(
            (Target(timeline="3"), between), (True, False)
        ):
            outcome, _ = story.check(target, hot_standby=hot_standby)
            if target != between and not hot_standby:  # no one reads it before timeline 3 is there
                assert outcome.reachable
            else:
                assert outcome.fatal and outcome.fatal.startswith(words)


def restartpoint_before(story: Story, segments: str) -> dict[str, str | int | bool]:
    """Settings of a restore that asks for one at each segment, and before these waits for it."""
    done = "grep -q 'recovery restart point' ../server.log"
    wait = f"for i in $(seq 3000); do {done} && break; sleep 0.1; done"
    ahead: dict[str, str | int | bool] = {"recovery_prefetch": "off"} if story.major >= 15 else {}
    return ahead | {
        "restore_command": f"case %f in {segments}) {wait};; esac; cp {story.archive}/%f %p",
        "max_wal_size": "2MB", "min_wal_size": "2MB", "checkpoint_completion_target": 0,
        "log_checkpoints": True, "restart_after_crash": False,
    }  # fmt: skip


@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_restartpoint_on_the_way_may_decide(story: Story, checkpoint: bool) -> None:
    """It reads prepared transactions of before its checkpoint, and writes them to disk.

    Written on timeline 1, PREPARE is not looked for any more by the history of timeline 2, which
    cannot be used; on timeline 2, the restartpoint itself dies of that.
    """
    story.take_backup()
    with story.life.connect() as connection:
        prepare(story.life, connection)
        connection.execute("SELECT pg_switch_wal()")
        commit(story.life, connection)
        if checkpoint:
            connection.execute("CHECKPOINT")
        connection.execute("SELECT pg_switch_wal()")
        commit(story.life, connection)
    lives = forked_twice(story)
    history = story.archive / "00000002.history"
    history.write_bytes(history.read_bytes() * 2)
    between = Target(type="xid", value=str(next(iter(lives[1].rows.values()))), timeline="3")
    target = between if checkpoint else Target(timeline="3")
    given = read_restore(story.backup, story.archive, Server(major=story.major, hot_standby=False))
    outcome = simulate(given, read_goal(target))
    if checkpoint:
        segments, said = "000000020???????????????", "unknown"
    else:
        segments, said = "000000030???????????????", "opens"
        assert outcome.needs == {"checkpoint_timeout": "1d", "max_wal_size": "1TB"}
        assert story.check(target, hot_standby=False)[0].reachable
    assert outcome.outcome == said
    observed = [
        restore(story.new_cluster(f"p{number}"), story.backup, story.archive, target,
                hot_standby=False, **settings)
        for number, settings in enumerate(({}, restartpoint_before(story, segments)))
    ]  # fmt: skip
    died = [each.fatal is not None for each in observed]
    assert died == ([True, False] if checkpoint else [False, True]), observed[1].log


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
    wait_replayed(standby.cluster, story.life.cluster)
    with standby.connect() as session:
        standby.start_backup(session)
        with story.life.connect() as connection:
            for _ in range(3):
                commit(story.life, connection)
            connection.execute("SELECT pg_create_restore_point('too early')")
            connection.execute("CHECKPOINT")
        story.archive_now()
        wait_replayed(standby.cluster, story.life.cluster)
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
