"""Places where one record, one byte or one microsecond more decides."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable
from dataclasses import replace

import pytest

from rules.model.facts import BackupTablespace, BrokenHistory
from rules.model.goal import Goal
from rules.model.outcome import Outcome
from rules.model.restore_inputs import Server
from rules.recovery.predictor import simulate
from tests.rules.make_restore import BACKUP_TIME, Story, at, history, told, with_backup
from tests.rules.recovery.test_ways import two_timelines
from tests.rules.write_wal import SEGMENT


def one_allowed() -> Server:
    return Server(major=16, parameters={"max_prepared_transactions": 1})


def low(major: int = 16) -> Server:
    return Server(major=major, parameters={"max_connections": 100})


def by_xid(story: Story, xid: int, **given: object) -> Outcome:
    return story.predict(Goal(type="xid", xid=xid), **given)


# -- consistency -----------------------------------------------------------------------------------


def test_the_record_that_ends_the_backup_may_be_the_last() -> None:
    story = Story()
    end = story.end_backup()
    outcome = story.predict()
    assert (outcome.outcome, outcome.consistent_lsn) == ("opens", end.end_lsn)


def test_a_shutdown_that_directly_follows_the_backups_end_cancels_nothing() -> None:
    story = Story()
    end = story.end_backup()
    assert story.wal.checkpoint(story.wal.lsn, BACKUP_TIME + 20, shutdown=True).lsn == end.end_lsn
    story.wal.commit(801, at(30))
    assert by_xid(story, 801).reachable


# -- settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("major", "pauses"), [(13, False), (14, True), (16, True)])
def test_a_setting_that_is_too_low_pauses_a_hot_standby_from_14_on(
    major: int, pauses: bool
) -> None:
    story = told(major)
    raised = story.wal.parameters(connections=101)
    story.wal.commit(805, at(30))
    outcome = by_xid(story, 805, server=low(major))
    assert outcome.outcome == "fails"
    assert outcome.paused_lsn == (raised.lsn if pauses else None)


def test_it_does_not_pause_before_the_backup_is_consistent() -> None:
    story = Story()
    story.wal.parameters(connections=101)
    story.end_backup()
    outcome = story.predict(server=low())
    assert (outcome.outcome, outcome.paused_lsn) == ("fails", None)


def test_a_record_at_which_recovery_stops_before_it_kills_nothing() -> None:
    story = told()
    raised = story.wal.parameters(connections=101)
    story.wal.commit(805, at(30))
    for inclusive in (True, False):
        goal = Goal(type="lsn", lsn=raised.lsn, inclusive=inclusive)
        assert story.predict(goal, server=low()).outcome == ("fails" if inclusive else "opens")


def test_a_setting_that_is_just_enough() -> None:
    story = told()
    story.wal.parameters(connections=100)
    story.wal.commit(805, at(30))
    assert by_xid(story, 805, server=low()).outcome == "opens"


@pytest.mark.parametrize("major", [13, 14])
def test_wal_level_minimal_kills_without_hot_standby_from_14_on(major: int) -> None:
    story = told(major)
    story.wal.parameters(wal_level=0)
    story.wal.commit(805, at(30))
    outcome = by_xid(story, 805, server=Server(major=major, hot_standby=False))
    assert outcome.outcome == ("fails" if major == 14 else "opens")


# -- prepared transactions -------------------------------------------------------------------------


@pytest.mark.parametrize("ended", [True, False])
def test_as_many_prepared_transactions_as_are_allowed(ended: bool) -> None:
    story = told()
    story.wal.prepare(811, at(30))
    if ended:
        story.wal.end_prepared(811, at(31))
    story.wal.prepare(812, at(32))
    story.wal.commit(813, at(33))
    outcome = by_xid(story, 813, server=one_allowed())
    assert outcome.outcome == ("opens" if ended else "fails")
    full = "maximum number of prepared transactions reached"
    assert outcome.fatal == (None if ended else full)


def test_one_that_is_open_at_a_shutdown_is_found_in_the_file_that_was_fetched() -> None:
    story = told()
    story.wal.prepare(811, at(30))
    story.wal.checkpoint(story.wal.lsn, BACKUP_TIME + 40, shutdown=True)
    story.wal.commit(812, at(50))
    assert by_xid(story, 812).reachable


@pytest.mark.parametrize("fatal", ["invalid data in history file: …", None])
def test_one_that_is_open_on_a_timeline_whose_history_cannot_be_used(fatal: str | None) -> None:
    """The server reads that history to find PREPARE; nobody reads it where none is open."""
    for prepared, timeline in itertools.product((True, False), (1, 2)):
        story = told()
        if prepared:
            story.wal.prepare(811, at(30))
        story.wal.switch()
        left_lsn = story.wal.lsn
        child = story.fork(2)
        child.commit(821, at(600))
        story.histories[3] = history(3, (1, left_lsn), (2, child.lsn))
        broken = {timeline: BrokenHistory("it is bad", fatal)}
        given = replace(story.restore(), broken_histories=broken)
        outcome = simulate(given, Goal(type="xid", xid=821, timeline=3))
        expected = "opens"
        if prepared and timeline == 2:
            expected = "fails" if fatal else "unknown"
        assert (outcome.outcome, outcome.fatal) == (
            expected,
            fatal if expected == "fails" else None,
        )


@pytest.mark.parametrize("written", [True, False])
def test_a_shutdown_at_the_target_writes_prepared_transactions_to_disk(written: bool) -> None:
    """Those that end before the redo location of the last checkpoint that was replayed."""
    story = told()
    prepared = story.wal.prepare(811, at(30))
    redo_lsn = prepared.end_lsn if written else prepared.lsn
    story.wal.checkpoint(redo_lsn, BACKUP_TIME + 31)
    story.wal.commit(812, at(32))
    story.fork(2)  # whose file of this segment is fetched instead
    outcome = story.predict(Goal(type="xid", xid=812, action="shutdown"))
    name = "000000010000000000000003"
    removed = f"requested WAL segment pg_wal/{name} has already been removed"
    assert (outcome.outcome, outcome.fatal) == (("fails", removed) if written else ("opens", None))


# -- pages ---------------------------------------------------------------------------------------


def page_of_timeline(timeline: int, page: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        struct.pack_into("<I", changed, page * 8192 + 4, timeline)
        return bytes(changed)

    return change


def test_a_record_that_is_read_on_a_page_of_another_timeline_and_not_replayed() -> None:
    """`redo done at` names it; one that no page after it lets the server read is not named."""
    story = Story()
    story.end_backup()
    story.wal.switch()
    first = story.wal.commit(801, at(20))
    inner = 3 * SEGMENT + 8192
    story.wal.fill_to(inner - 24)
    crossing = story.wal.commit(802, at(21))
    story.wal.fill(20_000)
    story.wal.commit(803, at(22))
    name = "000000010000000000000003"
    for page, refused in ((0, first), (1, crossing), (2, None)):
        outcome = story.predict(change={name: page_of_timeline(7, page)})
        assert outcome.outcome == "opens" and outcome.obstacle
        assert outcome.obstacle.refused_lsn == (refused.lsn if refused else None)
        last = outcome.stop.lsn  # type: ignore[union-attr]
        assert outcome.redo_done_lsn == (refused.lsn if refused else last)
    assert story.predict().obstacle.refused_lsn is None  # type: ignore[union-attr]


# -- timelines -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("previous", "fatal"),
    [(1, "unexpected timeline ID 5 (after 1) in checkpoint record"),
     (4, "unexpected previous timeline ID 4 (current timeline ID 1) in checkpoint record")],
)  # fmt: skip
def test_a_record_that_goes_to_a_timeline_off_the_path(previous: int, fatal: str) -> None:
    story = Story()
    story.end_backup()
    story.wal.checkpoint(story.wal.lsn, BACKUP_TIME + 40, shutdown=True, before=previous, to=5)
    story.wal.commit(805, at(50))
    outcome = by_xid(story, 805)
    assert (outcome.outcome, outcome.fatal) == ("fails", fatal)


@pytest.mark.parametrize(
    ("seconds", "reachable"),
    [(499.999999, False), (500, None), (500.999999, None), (501, True)],
)
def test_the_second_in_which_a_timeline_began(seconds: float, reachable: bool | None) -> None:
    """Its checkpoint says whole seconds: it began between 500 s and 501 s."""
    outcome = two_timelines().predict(Goal(type="time", time_us=at(seconds)))
    assert (outcome.outcome, outcome.reachable) == ("opens", reachable)


def test_what_a_timeline_commits_in_its_first_second_is_its_own() -> None:
    story = Story()
    story.end_backup()
    story.wal.commit(801, at(20))
    child = story.fork(2)
    story.wal.commit(811, at(40))
    story.wal.switch()
    child.commit(821, at(500.4))
    child.commit(822, at(600))
    for seconds, reachable in ((500.399999, None), (500.4, True)):
        outcome = story.predict(Goal(type="time", time_us=at(seconds)))
        assert outcome.reachable is reachable, seconds


def test_a_commit_at_the_very_time_is_asked_for() -> None:
    for inclusive, reachable in ((True, False), (False, True)):
        goal = Goal(type="time", time_us=at(40), inclusive=inclusive)
        assert two_timelines().predict(goal).reachable is reachable


# -- where it begins -------------------------------------------------------------------------------


@pytest.mark.parametrize("major", [16, 17])
def test_a_checkpoint_that_is_its_own_redo_location(major: int) -> None:
    """A shutdown's: replay begins after it, so that it cancels no backup."""
    story = Story(major)
    story.redo = story.checkpoint = story.wal.checkpoint(story.wal.lsn, BACKUP_TIME, shutdown=True)
    first = story.end_backup()
    story.wal.commit(801, at(20))
    outcome = by_xid(story, 801)
    assert (outcome.outcome, outcome.redo_start_lsn) == ("opens", first.lsn)


def test_wal_of_an_older_server_is_no_wal() -> None:
    outcome = told(15).predict(server=Server(major=16))
    assert outcome.obstacle and "written by PostgreSQL 15, not 16" in outcome.obstacle.detail


@pytest.mark.parametrize(("mapped", "filled"), [(True, True), (True, False), (False, True)])
def test_a_directory_with_files_where_a_link_is_to_be(mapped: bool, filled: bool) -> None:
    space = BackupTablespace(16390, "/space", mapped=mapped, filled=filled)
    outcome = simulate(with_backup(told().restore(), tablespaces=(space,)), Goal())
    assert outcome.outcome == ("fails" if mapped and filled else "opens")


# -- majors ----------------------------------------------------------------------------------------


def test_the_first_transaction_of_all_is_none_that_19_refuses() -> None:
    assert "refuses" not in by_xid(told(19), 3).reason
    assert "refuses" in by_xid(told(19), 2).reason


@pytest.mark.parametrize(("major", "opens"), [(16, True), (17, False), (18, False)])
def test_from_17_on_the_redo_location_has_a_record_of_its_own_kind(major: int, opens: bool) -> None:
    story = Story(major)
    story.redo = story.wal.fill()
    story.checkpoint = story.wal.checkpoint(story.redo.lsn, BACKUP_TIME)
    story.end_backup()
    story.wal.commit(801, at(20))
    outcome = by_xid(story, 801)
    assert outcome.outcome == ("opens" if opens else "fails")
    unexpected = "unexpected record type found at redo point"
    assert opens or (outcome.fatal or "").startswith(unexpected)
