"""Settings of the restored server that recovery dies of; each really restored."""

from __future__ import annotations

from rules.model.target import Target
from tests.fix_check import pitr_check
from tests.fix_recovery import RecoveryStory as Story
from tests.fix_recovery import every_major
from tests.histories import commit, prepare

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


def test_settings_that_were_raised_after_the_backup(story: Story) -> None:
    """14 and later pause there, and die when they are told to go on; before it, all is well."""
    pauses = story.major >= 14
    story.take_backup()
    with story.life.connect() as connection:
        commit(story.life, connection)
    story.life.cluster.configure(max_connections=130, max_worker_processes=20)
    story.life.cluster.stop()
    story.life.cluster.start()
    with story.life.connect() as connection:
        commit(story.life, connection)
    story.life.finish()
    first, last = (Target(type="xid", value=str(xid)) for xid in story.life.rows.values())
    given = {"max_connections": 100, "max_worker_processes": 8}
    story.check(first, **given)
    story.check(last, hot_standby=False, **given)
    for target in (last, Target(type="name", value="nowhere")):
        outcome, observed = story.check(target, **given)
        assert (outcome.paused_lsn is not None) is observed.paused_for_settings is pauses
        assert outcome.outcome == "fails" and "max_connections = 100" in outcome.reason
    assert outcome.remedy and "max_connections = 130" in outcome.remedy
    outcome, _ = story.check(last, max_connections=130, max_worker_processes=19)
    assert "max_worker_processes = 19" in outcome.reason
    checked = pitr_check(
        "--archive", story.archive, "--backup", story.backup, "--format", "json",
        "--target-xid", last.value,
    )  # fmt: skip
    said = checked.json["target"]
    needs = {"max_connections": "130", "max_worker_processes": "20"}
    assert (said["outcome"], said["needs"]) == ("opens", needs)
    assert "max_connections = '130'" in said["settings"]
    assert "recovery_needs_settings" in checked.findings and checked.status == 1
    assert story.check(last, **needs)[0].reachable


def test_a_restart_lets_everybody_in_before_it_raises_settings(story: Story) -> None:
    """Its checkpoint, a shutdown's, ends the wait for transactions that were open at the backup."""
    with story.life.connect() as other:
        other.execute("BEGIN")
        story.life.insert(other)
        for number in range(70):
            other.execute(f"SAVEPOINT s{number}")
            other.execute("INSERT INTO seen VALUES (0)")
        story.take_backup()
    story.life.cluster.configure(max_connections=130)
    story.life.cluster.stop("immediate")
    story.life.cluster.start()
    with story.life.connect() as connection:
        commit(story.life, connection)
    story.life.finish()
    outcome, _ = story.check(Target(), max_connections=100)
    assert outcome.outcome == "fails"
    assert (outcome.paused_lsn is not None) is (story.major >= 14)


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
        commit(story.life, other)  # at once: the next snapshot, anybody's, lets people in
        other.execute("CHECKPOINT")
        commit(story.life, other)
    story.life.finish()
    _, first, second, third, last = story.life.rows.values()
    for xid, ending in ((first, "promoted"), (second, "promoted"), (third, "promoted"),
                        (last, "paused")):  # fmt: skip
        outcome, _ = story.check(Target(type="xid", value=str(xid), action="pause"))
        assert outcome.ending == ending
    outcome, _ = story.check(Target(type="immediate", action="pause"))
    assert outcome.ending == "promoted"
