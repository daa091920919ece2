"""Where each kind of target stops recovery, over WAL written by hand."""

from __future__ import annotations

import pytest

from parsers.wal.facts import TransactionKind
from rules.model.goal import Goal
from rules.model.outcome import Ending
from rules.recovery.clock_skew import find_left_out
from tests.rules.make_restore import Story, at, told
from tests.rules.write_wal import SEGMENT

NOT_REACHED = "recovery ended before configured recovery target was reached"
TOO_EARLY = "requested recovery stop point is before consistent recovery point"


# -- time ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "inclusive", "xid"),
    [(20, True, 802), (20, False, 801), (20.5, True, 802), (20.5, False, 802),
     (19.999999, True, 801), (20.000001, False, 802), (22.5, True, 804),
     (22, True, 804), (22.999999, True, 804)],
)  # fmt: skip
def test_a_time_stops_before_the_first_later_commit_or_abort(
    seconds: float, inclusive: bool, xid: int
) -> None:
    outcome = told().predict(Goal(type="time", time_us=at(seconds), inclusive=inclusive))
    assert outcome.stop and (outcome.stop.position, outcome.stop.xid) == ("before", xid)
    assert outcome.stop.kind == ("abort" if xid == 804 else "commit")
    assert outcome.redo_done_lsn == outcome.stop.lsn
    last = outcome.last_transaction
    assert (last.xid if last else None) == (xid - 1 if xid > 801 else None)
    assert outcome.reachable


@pytest.mark.parametrize(("seconds", "inclusive"), [(23, True), (3600, True), (23.1, False)])
def test_a_time_after_the_last_transaction_is_not_reached(seconds: float, inclusive: bool) -> None:
    outcome = told().predict(Goal(type="time", time_us=at(seconds), inclusive=inclusive))
    assert (outcome.outcome, outcome.fatal) == ("fails", NOT_REACHED)
    assert outcome.last_transaction and outcome.last_transaction.xid == 804
    assert outcome.last_transaction.kind is TransactionKind.ABORT


def test_a_clock_that_steps_back_loses_what_comes_after() -> None:
    story = Story()
    story.end_backup()
    story.wal.commit(801, at(30))
    story.wal.commit(802, at(20))
    story.wal.commit(803, at(40))
    goal = Goal(type="time", time_us=at(25))
    outcome = story.predict(goal)
    assert outcome.stop and outcome.stop.xid == 801
    left = find_left_out(story.restore(), goal, outcome)
    assert left and (left.count, left.first.xid, left.stop_time_us) == (1, 802, at(30))
    outcome = story.predict(Goal(type="time", time_us=at(30)))
    assert outcome.stop and outcome.stop.xid == 803
    assert outcome.last_transaction and outcome.last_transaction.time_us == at(20)


def test_a_commit_during_the_backup_with_a_later_time_is_too_early() -> None:
    story = Story()
    story.wal.commit(801, at(5))
    story.end_backup()
    story.wal.commit(802, at(20))
    outcome = story.predict(Goal(type="time", time_us=at(4)))
    assert (outcome.fatal, outcome.redo_done_lsn) == (TOO_EARLY, None)
    assert outcome.stop and outcome.stop.xid == 801
    assert outcome.last_transaction is None


def test_a_time_before_the_backup_opens_with_another_state() -> None:
    outcome = told().predict(Goal(type="time", time_us=at(-86400)))
    assert (outcome.outcome, outcome.reachable) == ("opens", False)
    assert "the backup is newer" in outcome.reason


def test_within_the_second_in_which_the_backup_ended_the_wal_before_it_decides() -> None:
    """A label tells seconds: the backup ended between 10 s and 11 s."""
    goal = Goal(type="time", time_us=at(10.5))
    assert told().predict(goal).reachable is None
    for last_commit, reachable in ((10.4, True), (10.6, False)):
        story = Story()
        story.wal.lsn = SEGMENT
        story.wal.previous = 0
        story.wal.segments.clear()
        story.wal.commit(700, at(last_commit))
        story.wal.switch()
        story.redo = story.wal.redo()
        story.checkpoint = story.wal.checkpoint(story.redo.lsn, at(0) // 10**6)
        story.end_backup()
        story.wal.commit(801, at(20))
        assert story.predict(goal).reachable is reachable


# -- xid -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inclusive", "position", "last"), [(True, "after", 802), (False, "before", 801)]
)
def test_a_transaction(inclusive: bool, position: str, last: int) -> None:
    outcome = told().predict(Goal(type="xid", xid=802, inclusive=inclusive))
    assert outcome.stop and (outcome.stop.position, outcome.stop.xid) == (position, 802)
    assert outcome.last_transaction and outcome.last_transaction.xid == last


def test_an_aborted_transaction_stops_recovery_as_well() -> None:
    outcome = told().predict(Goal(type="xid", xid=804))
    assert outcome.stop and (outcome.stop.position, outcome.stop.kind) == ("after", "abort")


def test_a_prepared_transaction_ends_where_its_second_phase_does() -> None:
    story = Story()
    story.end_backup()
    story.wal.prepare(801, at(20))
    story.wal.commit(802, at(21))
    story.wal.end_prepared(801, at(22))
    story.wal.commit(803, at(23))
    outcome = story.predict(Goal(type="xid", xid=801))
    assert outcome.stop and outcome.stop.time_us == at(22)
    outcome = story.predict(Goal(type="time", time_us=at(19)))
    assert outcome.stop and outcome.stop.xid == 802, "PREPARE does not count"


def test_a_subtransaction_has_no_end_of_its_own() -> None:
    story = Story()
    story.end_backup()
    story.wal.commit_nested(801, at(20), [802, 803])
    assert story.predict(Goal(type="xid", xid=802)).fatal == NOT_REACHED
    assert story.predict(Goal(type="xid", xid=801)).outcome == "opens"


# -- lsn -------------------------------------------------------------------------------------------


def test_an_lsn_stops_at_the_first_record_that_starts_there_or_after() -> None:
    story = Story()
    end = story.end_backup()
    first, second = story.wal.commit(801, at(20)), story.wal.commit(802, at(21))
    story.wal.fill()
    for lsn in range(first.lsn + 1, second.lsn + 1):
        for inclusive in (True, False):
            outcome = story.predict(Goal(type="lsn", lsn=lsn, inclusive=inclusive))
            assert outcome.stop and (outcome.stop.lsn, outcome.stop.end_lsn) == second
            assert outcome.stop.position == ("after" if inclusive else "before")
            assert outcome.stop.record == "commit of transaction 802"
            assert outcome.last_transaction and outcome.last_transaction.xid == 801
            assert outcome.commits == (2 if inclusive else 1)
    assert story.predict(Goal(type="lsn", lsn=end.lsn)).outcome == "opens", "applied, consistent"
    for goal in (Goal(type="lsn", lsn=end.lsn, inclusive=False), Goal(type="lsn", lsn=end.lsn - 1),
                 Goal(type="lsn", lsn=0)):  # fmt: skip
        outcome = story.predict(goal)
        expected = "opens" if goal.inclusive and goal.lsn else "fails"
        assert outcome.outcome == expected, goal


def test_an_lsn_that_lies_on_a_page_header_or_after_a_switch() -> None:
    story = Story()
    story.end_backup()
    page = 2 * SEGMENT + 8192 * 3
    story.wal.fill_to(page)
    while story.wal.lsn < page:
        story.wal.fill()
    after_header = story.wal.commit(801, at(20))
    switch = story.wal.switch()
    next_segment = story.wal.commit(802, at(21))
    assert next_segment.lsn == 3 * SEGMENT + 40
    outcome = story.predict(Goal(type="lsn", lsn=after_header.lsn - 8, inclusive=False))
    assert outcome.stop and outcome.stop.lsn == after_header.lsn
    outcome = story.predict(Goal(type="lsn", lsn=switch.lsn))
    assert outcome.stop and outcome.stop.end_lsn == 3 * SEGMENT, "a switch ends its segment"
    for lsn in (switch.lsn + 8, switch.end_lsn, 3 * SEGMENT, next_segment.lsn):
        outcome = story.predict(Goal(type="lsn", lsn=lsn))
        assert outcome.stop and outcome.stop.lsn == next_segment.lsn
    assert story.predict(Goal(type="lsn", lsn=next_segment.end_lsn)).fatal == NOT_REACHED


# -- name ------------------------------------------------------------------------------------------


def test_the_first_restore_point_of_a_name_counts() -> None:
    story = Story()
    story.end_backup()
    story.wal.point("other", at(19))
    first = story.wal.point("twice", at(20))
    story.wal.commit(801, at(21))
    story.wal.point("twice", at(22))
    outcome = story.predict(Goal(type="name", name="twice", inclusive=False))
    assert outcome.stop and (outcome.stop.lsn, outcome.stop.end_lsn) == first
    assert (outcome.stop.position, outcome.stop.time_us) == ("at", at(20))
    assert story.predict(Goal(type="name", name="Twice")).fatal == NOT_REACHED


def test_a_restore_point_during_the_backup_hides_a_later_one_of_its_name() -> None:
    story = Story()
    story.wal.point("twice", at(5))
    story.end_backup()
    story.wal.point("twice", at(20))
    assert story.predict(Goal(type="name", name="twice")).fatal == TOO_EARLY


# -- immediate, and no target ----------------------------------------------------------------------


def test_immediate_stops_before_the_record_that_follows_consistency() -> None:
    story = Story()
    end = story.end_backup()
    assert story.predict(Goal(type="immediate")).fatal == NOT_REACHED, "nothing follows"
    follows = story.wal.fill()
    outcome = story.predict(Goal(type="immediate"))
    assert outcome.stop and (outcome.stop.lsn, outcome.stop.end_lsn) == end
    assert (outcome.stop.position, outcome.stop.kind) == ("after", "consistency")
    assert (outcome.consistent_lsn, outcome.redo_done_lsn) == (end.end_lsn, follows.lsn)


def test_the_end_of_another_backup_is_none_of_ours() -> None:
    story = Story()
    story.wal.backup_end(story.redo.lsn - 8192)
    story.wal.commit(801, at(20))
    outcome = story.predict()
    assert outcome.fatal == "WAL ends before end of online backup"
    assert outcome.consistent_lsn is None
    assert story.predict(Goal(type="xid", xid=801)).fatal == TOO_EARLY
    assert story.predict(Goal(type="immediate")).fatal == NOT_REACHED


def test_without_a_target_recovery_runs_to_the_end() -> None:
    outcome = told().predict()
    assert (outcome.outcome, outcome.reachable, outcome.ending) == ("opens", True, Ending.PROMOTED)
    assert outcome.stop and (outcome.stop.kind, outcome.stop.end_lsn) == ("end_of_wal", 3 * SEGMENT)
    assert outcome.obstacle and outcome.obstacle.kind == "absent"
    assert (outcome.commits, outcome.aborts, outcome.new_timeline) == (3, 1, 2)
    assert outcome.segments_needed == ("000000010000000000000002",)
    assert outcome.bytes_needed == SEGMENT
