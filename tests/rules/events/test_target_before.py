"""The target just before something that happened: the one that a restore is proven to stop at."""

from __future__ import annotations

import pytest

from rules.events.path_event import PathEvent
from rules.events.target_before import Moment, find_moment
from tests.rules.events.stories import chapter, told
from tests.rules.make_restore import Story, at
from tests.rules.make_restore import told as told_restore


def find(story: Story, xid: int, **changes: object) -> Moment:
    """The moment before the commit of a transaction of `told()`."""
    given = {"restores": [story.restore()], **changes}
    restores = given.pop("restores")
    places = {each.xid: each for each in commits(story)}
    ended = places[xid]
    happening = {
        "kind": "commit", "lsn": ended.lsn, "end_lsn": ended.end_lsn, "time_us": ended.time_us,
        "xid": xid, "segment": "s", "timeline": 1, **given,
    }  # fmt: skip
    page = chapter(2, *commits(story))
    return find_moment(PathEvent(**happening), restores, 1, told(page))  # type: ignore[arg-type]


def commits(story: Story) -> list:
    scans = story.restore().wal
    return [
        each
        for name in sorted(scans.names)
        for each in (scans.archived(name).facts.transactions)  # type: ignore[union-attr]
    ]


def test_by_its_number_where_the_server_stops_right_before_it() -> None:
    moment = find(told_restore(), 802)
    assert (moment.goal.type, moment.goal.xid, moment.goal.inclusive) == ("xid", 802, False)
    assert moment.reachable and moment.outcome and moment.outcome.stop
    assert (moment.outcome.stop.position, moment.outcome.stop.lsn) == ("before", moment.lsn)
    # 802 and 803 would be left out; 804 was rolled back.
    assert (moment.commits_after, moment.last_time_us) == (2, at(22))


def test_by_its_lsn_where_its_number_was_used_before() -> None:
    story = Story()
    story.end_backup()
    for xid, second in ((801, 20), (802, 21), (801, 22)):
        story.wal.commit(xid, at(second))
    story.wal.switch()
    moment = find(story, 801)
    assert (moment.goal.type, moment.reachable, moment.commits_after) == ("lsn", True, 1)


def test_a_database_that_was_dropped_only_by_the_lsn_of_what_spoilt_it() -> None:
    story = told_restore()
    spoilt = commits(story)[1].lsn
    moment = find(story, 803, database=5, database_lsn=spoilt)
    assert (moment.goal.type, moment.goal.lsn, moment.lsn) == ("lsn", spoilt, spoilt)
    assert moment.reachable and moment.commits_after == 2


def test_without_a_backup_nothing_is_proven() -> None:
    moment = find(told_restore(), 802, restores=[])
    assert (moment.reachable, moment.outcome, moment.goal.type) == (None, None, "xid")
    assert moment.reason == "no base backup was given to prove it with"
    assert moment.commits_after == 2


@pytest.mark.parametrize("of_backup", [True, False])
def test_what_no_backup_reaches_is_said_to_be_out_of_reach(of_backup: bool) -> None:
    story = Story()
    if of_backup:  # committed while the backup was made
        story.wal.commit(801, at(5))
        story.end_backup()
    else:  # after a segment that is gone
        story.end_backup()
        story.wal.switch()
        story.wal.switch()
        story.wal.commit(801, at(30))
    story.wal.commit(802, at(31))
    story.wal.switch()
    lost = () if of_backup else ("000000010000000000000003",)
    moment = find(story, 801, restores=[story.restore(without=lost)])
    assert moment.reachable is False
    assert moment.outcome and moment.reason == moment.outcome.reason
