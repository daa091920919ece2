"""Where recovery begins, what kills it, and which way it goes, over WAL written by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parsers.lsn import format_lsn
from parsers.wal.damage import Damage, DamageKind
from parsers.wal.facts import Facts
from parsers.wal.scan import SegmentScan
from rules.model.goal import Goal
from rules.model.outcome import Ending
from rules.model.restore_inputs import Server
from rules.recovery.predictor import simulate
from rules.recovery.restorable import best_restore, find_window
from rules.recovery.start import find_start
from tests.rules.make_restore import (
    BACKUP_TIME,
    Story,
    at,
    history,
    long_story,
    told,
    with_backup,
)
from tests.rules.write_wal import SEGMENT, WalWriter

TOO_EARLY = "requested recovery stop point is before consistent recovery point"
NOT_REACHED = "recovery ended before configured recovery target was reached"
THIRD = "000000010000000000000003"


# -- what ends the WAL -----------------------------------------------------------------------------


def test_a_hole_is_taken_for_the_end_in_silence() -> None:
    outcome = long_story().predict(without=(THIRD,))
    assert (outcome.outcome, outcome.reachable) == ("opens", False)
    assert outcome.obstacle and (outcome.obstacle.segment, outcome.obstacle.newer_wal) == (
        THIRD,
        True,
    )
    assert "without any error" in outcome.reason
    outcome = long_story().predict(Goal(type="xid", xid=812), without=(THIRD,))
    assert outcome.fatal == NOT_REACHED


def test_damage_in_the_last_segment_is_an_end_as_well() -> None:
    last = "000000010000000000000005"

    def flip(data: bytes) -> bytes:
        return data[:60] + bytes([data[60] ^ 1]) + data[61:]

    outcome = long_story().predict(change={last: flip})
    assert (outcome.outcome, outcome.reachable) == ("opens", False)
    assert outcome.obstacle and outcome.obstacle.kind == DamageKind.BAD_CRC
    assert not outcome.obstacle.newer_wal


def test_a_recycled_file_under_a_future_name_is_no_newer_wal() -> None:
    story = long_story()
    story.wal.segments["000000010000000000000007"] = story.wal.segments[THIRD]
    outcome = story.predict()
    assert outcome.obstacle and not outcome.obstacle.newer_wal
    assert outcome.reachable


@pytest.mark.parametrize("major", [14, 15, 16])
def test_a_file_of_the_wrong_size_kills_recovery(major: int) -> None:
    fatal = f'archive file "{THIRD}" has wrong size: 4096 instead of 1048576'
    change = {THIRD: lambda data: data[:4096]}
    outcome = long_story(major).predict(change=change)
    needs = {"recovery_prefetch": "off"} if major >= 15 else {}
    assert (outcome.outcome, outcome.fatal, outcome.needs) == ("fails", fatal, needs)
    outcome = long_story(major).predict(Goal(type="xid", xid=803), change=change)
    assert (outcome.outcome, outcome.needs) == ("opens", needs)


def test_what_was_not_read_is_not_known() -> None:
    outcome = told().predict(depth="headers")
    assert (outcome.outcome, outcome.reachable, outcome.fatal) == ("unknown", None, None)


@pytest.mark.parametrize("kind", ["unreadable", "encrypted", "conflicting_copies"])
def test_what_cannot_be_read_is_neither_absent_nor_sound(kind: str) -> None:
    given = long_story().restore()
    read = given.wal.archived

    def archived(name: str) -> SegmentScan | None:
        scan = read(name)
        if name != THIRD or scan is None:
            return scan
        damage = Damage(kind=DamageKind(kind), lsn=scan.start_lsn, detail="nobody knows")
        return replace(scan, head=None, facts=Facts(), tail=None, damage=damage)

    given = replace(given, wal=replace(given.wal, archived=archived))
    assert simulate(given, Goal(type="xid", xid=803)).reachable
    for goal in (Goal(), Goal(type="xid", xid=813)):
        outcome = simulate(given, goal)
        assert (outcome.outcome, outcome.reachable, outcome.fatal) == ("unknown", None, None)
        assert outcome.obstacle and outcome.obstacle.kind == "unread"


def test_damage_before_the_redo_location_does_not_hide_what_follows() -> None:
    story = Story()
    story.wal.commit(799, at(-5))
    story.redo = story.wal.redo()
    story.checkpoint = story.wal.checkpoint(story.redo.lsn, 0)
    story.end_backup()
    story.wal.commit(801, at(20))
    story.wal.fill()

    def zero(data: bytes) -> bytes:
        return data[:40] + bytes(story.redo.lsn % SEGMENT - 40) + data[story.redo.lsn % SEGMENT :]

    given = story.restore(change={"000000010000000000000002": zero})
    assert given.wal.archived("000000010000000000000002").damage  # type: ignore[union-attr]
    outcome = simulate(given, Goal(type="xid", xid=801))
    assert outcome.stop and outcome.stop.xid == 801
    assert (
        simulate(given, Goal(type="lsn", lsn=story.redo.end_lsn)).stop
        == simulate(story.restore(), Goal(type="lsn", lsn=story.redo.end_lsn)).stop
    )


# -- where it cannot begin -------------------------------------------------------------------------


def test_the_checkpoint_is_not_there() -> None:
    for major in (16, 17, 19):
        story = told(major)
        outcome = story.predict(without=("000000010000000000000002",))
        lsn = story.checkpoint.lsn
        where = {17: f" at {format_lsn(lsn)}", 19: f" at 0/{lsn:08X}"}.get(major, "")
        assert outcome.fatal == f"could not locate required checkpoint record{where}"
        assert outcome.obstacle and outcome.obstacle.kind == "absent"


@pytest.mark.parametrize("major", [18, 19])
def test_19_refuses_a_transaction_that_none_has(major: int) -> None:
    """To 18 it is one that does not come."""
    story = told(major)
    for xid in (0, 2):
        outcome = story.predict(Goal(type="xid", xid=xid), without=("000000010000000000000002",))
        assert outcome.outcome == "fails"
        assert ("refuses recovery_target_xid" in outcome.reason) is (major == 19)


@pytest.mark.parametrize("major", [16, 17])
def test_the_redo_location_is_not_there(major: int) -> None:
    story = Story(major)
    story.wal.switch()
    story.checkpoint = story.wal.checkpoint(story.redo.lsn, 0)
    story.end_backup()
    outcome = story.predict(without=("000000010000000000000002",))
    assert outcome.fatal == (
        "could not find redo location referenced by checkpoint record" if major == 16 else
        "could not find redo location 0/200028 referenced by checkpoint record at 0/300028"
    )  # fmt: skip


def test_an_incremental_backup() -> None:
    given = told(17).restore()
    label = replace(given.backup.label, incremental_from_lsn=1)
    outcome = simulate(with_backup(given, label=label), Goal())
    assert outcome.fatal == "this is an incremental backup, not a data directory"


@pytest.mark.parametrize(("major", "outcome"), [(14, "opens"), (15, "unknown"), (18, "unknown")])
@pytest.mark.parametrize("method", [None, "pg_start_backup"])
def test_a_label_that_does_not_say_streamed(major: int, outcome: str, method: str | None) -> None:
    """To 14 an exclusive backup said otherwise, and its end was waited for all the same."""
    given = told(major).restore()
    label = replace(given.backup.label, method=method)
    assert simulate(with_backup(given, label=label), Goal()).outcome == outcome


# -- settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize("major", [13, 16])
def test_settings_count_only_for_a_hot_standby_and_only_before_the_stop(major: int) -> None:
    story = told(major)
    story.wal.parameters(connections=200)
    story.wal.commit(805, at(30))
    low = Server(major=major, parameters={"max_connections": 100})
    outcome = story.predict(Goal(type="xid", xid=805), server=low)
    assert outcome.fatal == (
        "hot standby is not possible because max_connections = 100 is a lower setting than on the"
        " master server (its value was 200)" if major == 13 else
        "recovery aborted because of insufficient parameter settings"
    )  # fmt: skip
    assert outcome.last_transaction and outcome.last_transaction.xid == 804
    for server in (replace(low, hot_standby=False), Server(major=major),
                   replace(low, parameters={"max_connections": 200})):  # fmt: skip
        assert story.predict(Goal(type="xid", xid=805), server=server).outcome == "opens"
    assert story.predict(Goal(type="xid", xid=803), server=low).outcome == "opens"


def test_what_kills_recovery_before_consistency_leaves_none() -> None:
    story = Story()
    story.wal.parameters(connections=200)
    story.end_backup()
    outcome = story.predict(server=Server(major=16, parameters={"max_connections": 100}))
    assert (outcome.outcome, outcome.consistent_lsn) == ("fails", None)


def test_a_window_of_wal_level_minimal() -> None:
    def fatal(major: int, hot_standby: bool) -> str | None:
        story = told(major)
        story.wal.parameters(wal_level=0)
        story.wal.commit(805, at(30))
        server = Server(major=major, hot_standby=hot_standby)
        return story.predict(Goal(type="xid", xid=805), server=server).fatal

    text = "WAL was generated with wal_level=minimal, cannot continue recovering"
    assert fatal(16, False) == fatal(16, True) == text
    assert fatal(17, False) == text.replace("wal_level=minimal", '"wal_level=minimal"')
    assert fatal(13, False) is None
    assert (fatal(13, True) or "").startswith("hot standby is not possible because wal_level")


@pytest.mark.parametrize(
    ("action", "hot_standby", "ending", "new_timeline"),
    [("promote", True, "promoted", 2), ("promote", False, "promoted", 2),
     ("pause", True, "paused", None), ("pause", False, "shut_down", None),
     ("shutdown", True, "shut_down", None), ("shutdown", False, "shut_down", None)],
)  # fmt: skip
def test_what_the_server_does_at_the_target(
    action: str, hot_standby: bool, ending: str, new_timeline: int | None
) -> None:
    server = Server(major=16, hot_standby=hot_standby)
    goal = Goal(type="xid", xid=802, action=action)  # type: ignore[arg-type]
    outcome = told().predict(goal, server=server)
    assert (outcome.outcome, outcome.ending) == ("opens", ending)
    assert outcome.new_timeline == new_timeline
    assert (outcome.redo_done_lsn is None) is (action != "promote")
    assert told().predict(replace(goal, type="none")).ending is Ending.PROMOTED


@pytest.mark.parametrize(
    ("later", "ending"),
    [({}, Ending.PROMOTED),
     ({"open_count": 1, "overflowed": True, "oldest": 799}, Ending.PROMOTED),
     ({"open_count": 1, "overflowed": True, "oldest": 800}, Ending.PAUSED),
     ({"open_count": 1}, Ending.PAUSED),
     ({"overflowed": True}, Ending.PAUSED)],
)  # fmt: skip
def test_no_pause_while_the_snapshot_is_incomplete(later: dict[str, int], ending: Ending) -> None:
    story = Story(overflowed=True)
    story.end_backup()
    if later:
        story.wal.running(**later)  # type: ignore[arg-type]
    story.wal.commit(802, at(20))
    outcome = story.predict(Goal(type="xid", xid=802, action="pause"))
    assert outcome.ending is ending


# -- timelines -------------------------------------------------------------------------------------


def two_timelines() -> Story:
    """Timeline 2 leaves behind xid 801; then 811 on timeline 1 at 40 s, 821 on 2 at 600 s."""
    story = Story()
    story.end_backup()
    story.wal.commit(801, at(20))
    child = story.fork(2)
    story.wal.commit(811, at(40))
    story.wal.switch()
    child.commit(821, at(600))
    child.switch()
    return story


def test_latest_current_and_a_number() -> None:
    story = two_timelines()
    for timeline, used, new, last in (
        ("latest", 2, 3, 821), ("current", 1, 3, 811), (1, 1, 3, 811), (2, 2, 3, 821),
    ):  # fmt: skip
        outcome = story.predict(Goal(timeline=timeline))  # type: ignore[arg-type]
        assert (outcome.timeline, outcome.new_timeline) == (used, new)
        assert outcome.last_transaction and outcome.last_transaction.xid == last
    outcome = story.predict(Goal(timeline=7))
    assert outcome.fatal == "recovery target timeline 7 does not exist"


def test_a_time_on_the_branch_that_was_left_is_another_state() -> None:
    story = two_timelines()
    outcome = story.predict(Goal(type="time", time_us=at(50)))
    assert (outcome.outcome, outcome.reachable) == ("opens", False)
    assert outcome.stop and outcome.stop.xid == 821
    assert "recovery_target_timeline = '1'" in outcome.reason
    outcome = story.predict(Goal(type="time", time_us=at(550)))
    assert outcome.reachable, "timeline 2 lived then"
    outcome = story.predict(Goal(type="time", time_us=at(30)))
    assert outcome.reachable, "nothing happened on timeline 1 between the fork and then"


def test_a_target_is_looked_for_on_the_path_alone() -> None:
    story = two_timelines()
    assert story.predict(Goal(type="xid", xid=811)).fatal == NOT_REACHED
    assert story.predict(Goal(type="xid", xid=811, timeline=1)).outcome == "opens"


def test_a_missing_history_hides_a_timeline() -> None:
    story = two_timelines()
    story.histories.clear()
    outcome = story.predict()
    assert (outcome.timeline, outcome.new_timeline, outcome.reachable) == (1, 2, False)
    assert "history file is missing" in outcome.reason


def test_the_old_branch_is_replayed_past_a_fork_whose_first_segment_is_absent() -> None:
    story = two_timelines()
    story.others.pop("000000020000000000000002")
    outcome = story.predict()
    assert outcome.last_transaction and outcome.last_transaction.xid == 811
    assert outcome.obstacle and outcome.obstacle.segment == "000000020000000000000003"


def test_a_timeline_that_left_before_the_backup() -> None:
    story = told()
    story.histories[2] = history(2, (1, story.redo.lsn - 100))
    outcome = story.predict()
    assert outcome.fatal == "requested timeline 2 is not a child of this server's history"
    story.histories[2] = history(2)
    story.histories[3] = history(3, (2, 10 * SEGMENT))
    assert story.predict(Goal(timeline="current")).outcome == "opens"


# -- windows, and several backups ------------------------------------------------------------------


def test_a_window_ends_at_the_first_obstacle() -> None:
    story = long_story()
    given = story.restore(without=("000000010000000000000004",))
    window = find_window(given, 1)
    assert window and story.backup_end
    assert (window.from_lsn, window.to_lsn) == (story.backup_end.end_lsn, 4 * SEGMENT)
    assert (window.from_time_us, window.to_time_us) == (at(10), at(111))
    assert (window.commits, window.aborts) == (4, 1)
    assert window.obstacle and window.obstacle.newer_wal


def test_no_window_without_consistency() -> None:
    story = Story()
    story.wal.commit(801, at(20))
    assert find_window(story.restore(), 1) is None


def test_the_newest_backup_that_reaches_the_target_is_the_best() -> None:
    story = told()
    older = story.restore()
    story.redo = story.wal.redo()
    story.checkpoint = story.wal.checkpoint(story.redo.lsn, 0)
    story.end_backup()
    story.wal.commit(830, at(60))
    newer = story.restore()
    older = replace(newer, backup=older.backup)
    for goal, best in ((Goal(type="xid", xid=830), newer), (Goal(type="xid", xid=802), older),
                       (Goal(), newer)):  # fmt: skip
        answer = best_restore([older, newer], goal)
        assert answer and answer[0] is best
        assert answer[1].reachable
    assert best_restore([], Goal()) is None
    nowhere = best_restore([older, newer], Goal(type="xid", xid=999))
    assert nowhere and nowhere[1].fatal == NOT_REACHED


def test_a_start_knows_its_path() -> None:
    start = find_start(two_timelines().restore(), Goal())
    assert [stretch.timeline for stretch in start.path] == [1, 2]  # type: ignore[union-attr]


# -- histories out of order, and a shutdown inside the backup --------------------------------------


def three_timelines() -> Story:
    """Timeline 2 leaves 1 after xid 802; along 2, timeline 3 leaves 1 after 801 already."""
    story = Story()
    story.end_backup()
    story.wal.commit(801, at(20))
    story.wal.switch()
    third = story.fork(3)
    story.wal.commit(802, at(21))
    story.wal.switch()
    second = story.fork(2)
    early, late = story.histories[3].entries[0], story.histories[2].entries[0]
    story.histories[3] = history(3, (1, late.switch_lsn), (2, early.switch_lsn))
    story.wal.commit(811, at(40))
    second.commit(821, at(600))
    third.commit(831, at(700))
    return story


def test_a_timeline_that_left_before_its_parent_did() -> None:
    story = three_timelines()
    outcome = story.predict()
    assert (outcome.outcome, outcome.reachable, outcome.timeline) == ("opens", True, 3)
    assert outcome.last_transaction and outcome.last_transaction.xid == 831
    assert outcome.obstacle and not outcome.obstacle.newer_wal, "what 1 wrote since is off the path"


def test_an_overlooked_timeline_leaves_where_its_history_holds_it() -> None:
    """Nothing is left of timeline 2, so that 3 is not seen: it left 1 before xid 802."""
    story = three_timelines()
    del story.histories[2]
    story.others = {name: data for name, data in story.others.items() if name[:8] != "00000002"}
    assert story.predict(Goal(type="xid", xid=801)).reachable
    outcome = story.predict(Goal(type="xid", xid=802))
    assert (outcome.timeline, outcome.outcome, outcome.reachable) == (1, "opens", False)
    assert "a history file between the two is missing" in outcome.reason


@pytest.mark.parametrize("hot_standby", [True, False])
def test_a_shutdown_inside_the_backup_cancels_it(hot_standby: bool) -> None:
    canceled = "online backup was canceled, recovery cannot continue"
    story = Story()
    story.wal.commit(801, at(20))
    story.wal.checkpoint(story.wal.lsn, BACKUP_TIME + 5, shutdown=True)
    story.wal.commit(802, at(21))
    story.end_backup()
    story.wal.commit(803, at(22))
    server = Server(major=16, hot_standby=hot_standby)
    for goal in (Goal(), Goal(type="xid", xid=803), Goal(type="immediate")):
        outcome = story.predict(goal, server=server)
        assert (outcome.outcome, outcome.fatal) == ("fails", canceled)
        assert outcome.consistent_lsn is None and "shut down or crashed" in outcome.reason
    assert story.predict(Goal(type="xid", xid=801), server=server).fatal == TOO_EARLY
    assert find_window(story.restore(server=server), 1) is None


def test_a_shutdown_after_the_backups_end_does_not() -> None:
    story = told()
    story.wal.checkpoint(story.wal.lsn, BACKUP_TIME + 500, shutdown=True)
    story.wal.commit(805, at(600))
    assert story.predict(Goal(type="xid", xid=805)).reachable


# -- a switch at a segment's end, and files that are too long --------------------------------------


@pytest.mark.parametrize("gap", range(8, 56, 8))
def test_a_switch_ends_where_its_segment_does(gap: int) -> None:
    story = told()
    story.wal.fill_to(4 * SEGMENT - gap)
    assert story.wal.lsn == 4 * SEGMENT - gap
    switch = story.wal.switch()
    after = (5 if gap < 24 else 4) * SEGMENT
    assert story.wal.lsn == after
    only_switched = story.predict()
    assert (only_switched.replayed_lsn, only_switched.reachable) == (after, True)
    assert only_switched.stop and (only_switched.stop.lsn, only_switched.stop.end_lsn) == (
        switch.lsn,
        after,
    )
    assert only_switched.obstacle and only_switched.obstacle.lsn == after
    story.wal.commit(805, at(30))
    for lsn, inclusive in ((switch.lsn, True), (switch.lsn, False), (switch.lsn + 8, False)):
        outcome = story.predict(Goal(type="lsn", lsn=lsn, inclusive=inclusive))
        assert outcome.reachable and outcome.stop
        assert outcome.stop.lsn == (switch.lsn if lsn == switch.lsn else after + 40)
    assert story.predict(Goal(type="xid", xid=805)).reachable


@pytest.mark.parametrize("length", [SEGMENT + 1, 2 * SEGMENT])
def test_a_file_that_is_too_long_kills_in_the_archive_alone(length: int) -> None:
    def lengthen(data: bytes) -> bytes:
        return data + bytes(length - SEGMENT)

    story = long_story()
    fatal = f'archive file "{THIRD}" has wrong size: {length} instead of 1048576'
    given = story.restore(change={THIRD: lengthen})
    outcome = simulate(given, Goal())
    assert (outcome.outcome, outcome.fatal) == ("fails", fatal)
    read = given.wal.archived
    apart = replace(
        given.wal,
        archived=lambda name: None if name == THIRD else read(name),
        carried=lambda name: read(name) if name == THIRD else None,
    )
    assert simulate(replace(given, wal=apart), Goal()) == story.predict()


def test_a_compressed_file_that_is_too_long_kills_in_words_that_are_not_known() -> None:
    given = long_story().restore()
    read = given.wal.archived

    def archived(name: str) -> SegmentScan | None:
        scan = read(name)
        if name != THIRD or scan is None:
            return scan
        damage = Damage(kind=DamageKind.OVERSIZED, lsn=scan.start_lsn, detail="more than that")
        return replace(scan, size_bytes=None, damage=damage)

    outcome = simulate(replace(given, wal=replace(given.wal, archived=archived)), Goal())
    assert (outcome.outcome, outcome.reachable, outcome.fatal) == ("fails", False, None)
    assert "the server gives up on it" in outcome.reason


@pytest.mark.parametrize("major", [14, 15, 16])
def test_a_checkpoint_of_another_timeline_at_the_very_place(major: int) -> None:
    """From 15 on the server believes backup_label, before that the record: both were restored."""
    story = told(major)
    twin = WalWriter(major=major, timeline=2, lsn=2 * SEGMENT, segments=story.others)
    redo = twin.redo()
    twin.running()
    assert twin.checkpoint(redo.lsn, BACKUP_TIME) == story.checkpoint
    story.histories[2] = history(2, (1, 2 * SEGMENT - 100))
    outcome = story.predict()
    if major >= 15:
        assert outcome.fatal == "requested timeline 2 is not a child of this server's history"
    else:
        assert (outcome.outcome, outcome.reachable) == ("unknown", None)
        assert "what it opens is a mixture" in outcome.reason
    assert story.predict(Goal(timeline="current")).reachable
