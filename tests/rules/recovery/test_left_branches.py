"""Times at which the cluster was on a branch that recovery does not take, or idle."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from parsers.wal.damage import Damage, DamageKind
from parsers.wal.facts import Facts
from parsers.wal.scan import SegmentScan
from rules.model.goal import Goal
from rules.model.outcome import Outcome
from rules.recovery.predictor import simulate
from tests.rules.make_restore import BACKUP_TIME, Story, at, with_backup
from tests.rules.write_wal import SEGMENT


def left_late() -> Story:
    """Timeline 2 leaves behind xid 801 and begins at 500 s; 811 and 812 follow on timeline 1.

    811 is in the segment of the fork, 812 in the one after it; 821 at 600 s is on timeline 2.
    """
    story = Story()
    story.end_backup()
    story.wal.commit(801, at(20))
    child = story.fork(2)
    story.wal.commit(811, at(40))
    story.wal.switch()
    story.wal.commit(812, at(60))
    story.wal.switch()
    child.commit(821, at(600))
    child.switch()
    return story


FORK, AFTER = "000000010000000000000002", "000000010000000000000003"


def asked(story: Story, seconds: float, **given: object) -> Outcome:
    return story.predict(Goal(type="time", time_us=at(seconds)), **given)


def clock(seconds: int) -> str:
    return str(datetime.fromtimestamp(BACKUP_TIME + seconds, UTC))


@pytest.mark.parametrize(
    ("given", "seconds", "said"),
    [
        ({}, 50, f"1 commit up to {clock(40)} in {FORK} "),
        ({}, 70, f"2 commits up to {clock(60)} in {FORK} to"),
        ({"without": (FORK,)}, 70, f"1 commit up to {clock(60)}"),
        ({"partial": (FORK,), "without": (AFTER,)}, 70, f"in {FORK}.partial that"),
        ({"partial": (FORK, AFTER)}, 70, f"in {FORK}.partial to {AFTER}.partial"),
    ],
)  # fmt: skip
def test_commits_of_the_branch_that_was_left_are_found_wherever_they_lie(
    given: dict[str, object], seconds: float, said: str
) -> None:
    outcome = asked(left_late(), seconds, **given)
    assert (outcome.outcome, outcome.reachable) == ("opens", False)
    assert outcome.stop and outcome.stop.xid == 821
    assert said in outcome.reason and "recovery_target_timeline = '1'" in outcome.reason
    partial = f"copy {FORK}.partial under its name"
    assert (partial in outcome.reason) is (FORK in given.get("partial", ()))


def test_what_lies_nowhere_is_not_known_of() -> None:
    assert asked(left_late(), 70, without=(FORK, AFTER)).reachable


@pytest.mark.parametrize(("seconds", "reachable"), [(50, None), (550, True)])
def test_what_could_not_be_read_may_hold_more(seconds: float, reachable: bool | None) -> None:
    given = left_late().restore(without=(AFTER,))
    read = given.wal.archived

    def closed(name: str) -> SegmentScan | None:
        scan = read(name)
        if scan is None or name != FORK:
            return scan
        damage = Damage(lsn=scan.start_lsn, kind=DamageKind.UNREADABLE, detail="denied")
        return replace(scan, damage=damage, facts=Facts(), tail=None)

    # Recovery along timeline 2 takes that timeline's own file for the fork's segment.
    asked_for = Goal(type="time", time_us=at(seconds))
    outcome = simulate(replace(given, wal=replace(given.wal, archived=closed)), asked_for)
    assert (outcome.outcome, outcome.reachable) == ("opens", reachable)
    assert (f"{FORK} could not be read" in outcome.reason) is (reachable is None)


def test_once_the_timeline_has_begun_its_state_is_the_one_asked_for() -> None:
    """What was left behind is told all the same."""
    outcome = asked(left_late(), 550)
    assert outcome.reachable
    assert "timeline 1 has 2 commits up to" in outcome.reason
    assert "which this state does not have" in outcome.reason
    exclusive = Goal(type="time", time_us=at(40), inclusive=False)
    outcome = left_late().predict(exclusive)
    assert outcome.reachable, "xid 811 is not asked for"


def disordered(**times: float) -> Story:
    """Timeline 2 leaves 1 behind xid 801; 1 goes on to 811, where timeline 3 leaves it.

    So the path of 3 has nothing of 2, which was the cluster between its begin and that of 3.
    """
    story = Story()
    story.end_backup()
    story.wal.commit(801, at(20))
    side = story.fork(2)
    story.wal.commit(811, at(40))
    tip = story.fork(3)
    side.commit(821, at(times["side"]))
    side.switch()
    tip.commit(831, at(900))
    tip.switch()
    return story


def test_a_side_branch_that_lived_then_is_where_the_cluster_was() -> None:
    outcome = asked(disordered(side=300), 400)
    assert outcome.stop and outcome.stop.xid == 831
    assert outcome.reachable is False
    assert "on timeline 2" in outcome.reason and "'2'" in outcome.reason


def test_a_side_branch_that_had_ended_by_then_is_not() -> None:
    outcome = asked(disordered(side=30), 400)
    assert outcome.reachable and "timeline 2 has 1 commit" in outcome.reason


# -- the backup's own state ------------------------------------------------------------------------


def after_idle_hours(*, within: bool) -> Story:
    """xid 700 at 5 s before the backup, or within it at 5 s; the next, 801, at 100 s."""
    story = Story()
    story.wal.lsn, story.wal.previous = SEGMENT, 0
    story.wal.segments.clear()
    story.wal.commit(700, at(-5))
    story.wal.switch()
    story.redo = story.wal.redo()
    story.checkpoint = story.wal.checkpoint(story.redo.lsn, BACKUP_TIME)
    if within:
        story.wal.commit(701, at(5))
    story.end_backup()
    story.wal.commit(801, at(100))
    return story


@pytest.mark.parametrize(
    ("within", "seconds", "reachable"),
    [(False, -6, False), (False, -5, True), (False, -1, True), (False, 3, True), (False, 9, True),
     (False, 50, True), (True, 5, True), (True, 9.9, True), (True, 10.5, True)],
)  # fmt: skip
def test_between_two_transactions_the_state_is_exact_whatever_the_backups_clock_says(
    within: bool, seconds: float, reachable: bool
) -> None:
    """The backup ended at 10 s."""
    outcome = asked(after_idle_hours(within=within), seconds)
    assert (outcome.outcome, outcome.reachable) == ("opens", reachable)


def test_what_is_damaged_before_the_backup_may_hide_a_later_transaction() -> None:
    story = Story()
    story.wal.lsn, story.wal.previous = SEGMENT, 0
    story.wal.segments.clear()
    story.wal.commit(700, at(-60))
    story.wal.switch()
    hidden = story.wal.commit(701, at(-5))
    story.wal.switch()
    story.redo = story.wal.redo()
    story.checkpoint = story.wal.checkpoint(story.redo.lsn, BACKUP_TIME)
    story.end_backup()
    story.wal.commit(801, at(100))

    def flip(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[hidden.lsn % SEGMENT + 30] ^= 1
        return bytes(changed)

    assert asked(story, 5).reachable
    outcome = asked(story, 5, change={"000000010000000000000002": flip})
    assert (outcome.outcome, outcome.reachable) == ("opens", None)


def test_without_older_wal_the_start_of_the_backup_decides() -> None:
    """Nothing ended since its checkpoint was complete: by the label, that was before 4 s."""
    story = Story()
    story.end_backup()
    story.wal.commit(801, at(100))
    begun = datetime.fromtimestamp(BACKUP_TIME + 3, UTC)
    restore = with_backup(story.restore(), started_at=begun)
    answers = {
        seconds: simulate(restore, Goal(type="time", time_us=at(seconds))).reachable
        for seconds in (-1, 0, 3.9, 4, 9, 10.5)
    }
    assert answers == {-1: False, 0: None, 3.9: None, 4: True, 9: True, 10.5: True}
