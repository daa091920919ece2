"""Settings of the restored server that recovery dies of; each really restored."""

from __future__ import annotations

from rules.goal import read_goal
from rules.recovery import simulate
from rules.restore import Server
from rules.target import Target
from tests.fix_recovery import RecoveryStory as Story
from tests.fix_recovery import every_major
from tests.histories import commit, prepare
from tests.restoring import read_restore

pytestmark = every_major


def test_settings_lower_than_those_of_the_backup(story: Story) -> None:
    story.take_backup()
    story.life.finish()
    outcome, _ = story.check(Target(), max_connections=50)
    assert outcome.outcome == "fails" and "max_connections" in outcome.reason
    outcome, _ = story.check(Target(), max_connections=50, hot_standby=False)
    assert outcome.outcome == "opens"
    outcome, _ = story.check(Target(type="immediate", action="pause"), hot_standby=False)
    assert outcome.ending == "shut_down"


def test_settings_that_were_raised_behind_the_backup(story: Story) -> None:
    """The server pauses there, and dies when it is told to go on; before it, all is well."""
    story.take_backup()
    with story.life.connect() as connection:
        commit(story.life, connection)
    story.life.cluster.configure(max_connections=130)
    story.life.cluster.stop()
    story.life.cluster.start()
    with story.life.connect() as connection:
        commit(story.life, connection)
    story.life.finish()
    first, last = story.life.rows.values()
    story.check(Target(type="xid", value=str(first)), max_connections=100)
    story.check(Target(type="xid", value=str(last)), max_connections=100, hot_standby=False)
    server = Server(major=story.major, parameters={"max_connections": 100})
    given = read_restore(story.backup, story.archive, server)
    outcome = simulate(given, read_goal(Target(type="xid", value=str(last))))
    assert outcome.outcome == "fails" and "max_connections = 100" in outcome.reason
    if story.major == 13:
        story.check(Target(type="xid", value=str(last)), max_connections=100)


def test_more_prepared_transactions_than_the_server_has_room_for(story: Story) -> None:
    story.take_backup()
    with story.life.connect() as connection:
        for _ in range(3):
            prepare(story.life, connection)
    story.life.finish()
    outcome, _ = story.check(Target(), max_prepared_transactions=2, hot_standby=False)
    assert outcome.fatal == "maximum number of prepared transactions reached"
    outcome, _ = story.check(Target(), max_prepared_transactions=3, hot_standby=False)
    assert outcome.outcome == "opens"


def test_a_pause_that_promotes(story: Story) -> None:
    """With more than 64 subtransactions open when the backup began, nobody can be let in."""
    with story.life.connect() as other:
        other.execute("BEGIN")
        story.life.insert(other)
        for number in range(70):
            other.execute(f"SAVEPOINT s{number}")
            other.execute("INSERT INTO seen VALUES (0)")
        story.take_backup()
        with story.life.connect() as connection:
            commit(story.life, connection)
            connection.execute("CHECKPOINT")  # another snapshot, no better
            commit(story.life, connection)
        other.execute("ROLLBACK")
    with story.life.connect() as connection:
        commit(story.life, connection)
        connection.execute("CHECKPOINT")
        commit(story.life, connection)
    story.life.finish()
    _, first, second, third, last = story.life.rows.values()
    for xid, ending in ((first, "promoted"), (second, "promoted"), (third, "promoted"),
                        (last, "paused")):  # fmt: skip
        outcome, _ = story.check(Target(type="xid", value=str(xid), action="pause"))
        assert outcome.ending == ending
    outcome, _ = story.check(Target(type="immediate", action="pause"))
    assert outcome.ending == "promoted"
