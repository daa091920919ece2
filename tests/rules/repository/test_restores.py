"""What a tool's own restore comes to: what it hands over, what it copies, when it refuses."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from rules.model.facts import ArchivedFile
from rules.model.goal import Goal
from rules.model.outcome import Cause
from rules.model.repository import Way
from rules.model.target import TargetFacts
from rules.repository import barman, pgbackrest, walg
from rules.repository.tool_view import ToolView
from rules.repository.ways import answer_both_ways
from tests.rules.make_case import ReadFile, files_of
from tests.rules.make_restore import Story, at, history, long_story, told, wal_of
from tests.rules.repository.tools import (
    LABEL,
    finished,
    listed,
    plain,
    repository,
    stored,
    view,
)

TO_812 = Goal(type="xid", xid=812)
STORY = long_story()
SECOND, THIRD, FOURTH, FIFTH = sorted(files_of(STORY))


# -- pgBackRest -----------------------------------------------------------------------------------


def copy(name: str, content: bytes, number: int, *, named_as: bytes | None = None):
    """A file of a segment in a repository, with the SHA-1 in its name."""
    sha1 = hashlib.sha1(content if named_as is None else named_as).hexdigest()
    scan = wal_of({name: content}).archived(name)
    assert scan is not None
    return ArchivedFile(f"/repo{number}", f"{name}-{sha1}", len(content), 0, 0), ReadFile(scan, b"")


def spoilt(data: bytes) -> bytes:
    return data[:60] + bytes([data[60] ^ 1]) + data[61:]


WHOLE = files_of(STORY)[FOURTH]


@pytest.mark.parametrize(
    ("files", "reaches"),
    [
        # one content in both
        ([copy(FOURTH, WHOLE, 1), copy(FOURTH, WHOLE, 2)], True),
        # two contents under one name are refused, though one of them is good
        ([copy(FOURTH, WHOLE, 1), copy(FOURTH, spoilt(WHOLE), 2)], False),
        # what has its own name and another content serves where it comes first
        ([copy(FOURTH, spoilt(WHOLE), 1, named_as=WHOLE), copy(FOURTH, WHOLE, 2)], False),
        ([copy(FOURTH, WHOLE, 1), copy(FOURTH, spoilt(WHOLE), 2, named_as=WHOLE)], True),
    ],
)
def test_archive_get_refuses_two_contents_and_gives_the_first_that_it_can_read(
    files, reaches: bool
) -> None:
    seen = view(STORY, TO_812, repository("pgBackRest", listed()), copies={FOURTH: files})
    answer = pgbackrest.predict(seen, stored(STORY))
    assert answer.reachable is reaches


def test_archive_get_gives_nothing_of_what_cannot_be_decoded() -> None:
    seen = view(STORY, TO_812, repository("pgBackRest", listed()), undecodable=[FOURTH])
    assert pgbackrest.predict(seen, stored(STORY)).reachable is False
    before = view(
        STORY, Goal(type="xid", xid=811), repository("pgBackRest", listed()), undecodable=[FOURTH]
    )
    assert pgbackrest.predict(before, stored(STORY)).reachable is True


def forked(*, before_backup: bool = False) -> Story:
    story = told()
    story.fork(2).switch()
    if before_backup:
        story.histories[2] = history(2, (1, story.redo.lsn))
    return story


@pytest.mark.parametrize(
    ("story", "goal", "refused"),
    [
        (told(), Goal(timeline="latest"), None),
        (told(), Goal(timeline=1), None),
        (forked(), Goal(timeline="latest"), None),
        (forked(before_backup=True), Goal(timeline="current"), None),
        (
            forked(before_backup=True), Goal(timeline="latest"),
            "target timeline 2 forked from backup timeline 1 at 0/200028 which is before backup",
        ),
        (told(), Goal(timeline=9), "backup timeline 1, lsn 0/200028 is not in the history of"),
        # of an immediate target it takes no timeline
        (forked(before_backup=True), Goal(type="immediate"), None),
    ],
)  # fmt: skip
def test_pgbackrest_refuses_a_timeline_that_left_before_the_backup(
    story: Story, goal: Goal, refused: str | None
) -> None:
    answer = pgbackrest.predict(
        view(story, goal, repository("pgBackRest", listed())), stored(story)
    )
    if refused is None:
        assert answer.fatal is None and answer.prediction is not None
    else:
        assert (answer.fatal or "").startswith(refused)
        assert answer.cause is Cause.FORK_BEFORE_BACKUP


# -- Barman ---------------------------------------------------------------------------------------

NEW = dict.fromkeys((SECOND, THIRD, FOURTH, FIFTH))  # 3.14 and later: without times
OLD = {SECOND: 1e9, THIRD: 1e9, FOURTH: 1e9, FIFTH: 1e9}


def by_barman(
    goal: Goal, listed_wal: Any = NEW, *, ends: float | None = 10, **given: Any
) -> TargetFacts:
    seen = view(
        STORY, goal, repository("Barman", listed(ends=ends), listed_wal=listed_wal), **given
    )
    return barman.predict(seen, seen.backups[0])


def test_barman_copies_and_finds_what_was_asked_for() -> None:
    assert by_barman(TO_812).reachable is True
    told_end = by_barman(Goal())
    assert told_end.reachable is True and told_end.prediction is not None
    assert told_end.prediction.new_timeline is None  # no archive recovery: nothing begins
    given = by_barman(Goal(), way=Way(timeline_given=True))
    assert given.prediction is not None and given.prediction.new_timeline == 2


def test_barman_refuses_a_time_before_the_backups_end() -> None:
    answer = by_barman(Goal(type="time", time_us=at(9)))
    assert answer.cause is Cause.BEFORE_BACKUP_END
    assert (answer.fatal or "").startswith("The requested target time ")
    assert by_barman(Goal(type="time", time_us=at(21))).reachable is True
    assert by_barman(Goal(type="time", time_us=at(21)), ends=None).reachable is True


@pytest.mark.parametrize("goal", [Goal(), TO_812, Goal(type="xid", xid=801)])
def test_one_listed_file_that_is_gone_or_broken_refuses_the_whole_restore(goal: Goal) -> None:
    gone = by_barman(goal, lost=[FIFTH])
    assert gone.fatal == (
        f"{FIFTH} is listed in xlog.db and is not there: No such file or directory"
    )
    broken = by_barman(goal, undecodable=[FIFTH])
    assert broken.fatal == f"{FIFTH} cannot be decompressed"
    assert {gone.cause, broken.cause} == {Cause.BEYOND_GAP}


def test_a_file_beyond_the_target_is_not_copied_by_lsn_or_at_the_end() -> None:
    lsn = Goal(type="lsn", lsn=3 << 20 | 0x100)
    assert by_barman(lsn, lost=[FIFTH]).fatal is None
    assert by_barman(lsn, lost=[FOURTH]).fatal is None
    assert by_barman(lsn, lost=[THIRD]).fatal is not None
    assert by_barman(Goal(type="immediate"), lost=[FIFTH]).fatal is None
    # 3.13, which lists times, looks no further than at the time that is asked for.
    assert by_barman(lsn, OLD, lost=[FIFTH]).fatal is not None
    assert by_barman(Goal(type="immediate"), OLD, lost=[FIFTH]).fatal is not None


def test_313_stops_after_the_first_file_that_was_stored_later_than_the_time() -> None:
    goal = Goal(type="time", time_us=at(21))
    late = finished(30).timestamp()
    stored_at = {SECOND: 1e9, THIRD: late, FOURTH: late, FIFTH: late}
    assert by_barman(goal, stored_at, lost=[FIFTH]).fatal is None
    assert by_barman(goal, stored_at, lost=[FOURTH]).fatal is None
    assert by_barman(goal, stored_at, lost=[THIRD]).fatal is not None
    assert by_barman(goal, OLD, lost=[FIFTH]).fatal is not None


def test_what_is_there_and_not_listed_is_not_restored() -> None:
    short = dict.fromkeys((SECOND, THIRD))
    answer = by_barman(TO_812, short)
    assert answer.outcome == "fails" and answer.fatal is None and answer.reachable is False
    assert by_barman(TO_812, None).reachable is True  # what it lists is not known


@pytest.mark.parametrize("name", ["00000001.history", "odd", "000000010000000000000001"])
def test_of_the_list_only_segments_from_the_backup_on_count(name: str) -> None:
    assert by_barman(TO_812, {name: None, **NEW}).reachable is True


@pytest.mark.parametrize(
    ("goal", "given", "listed_wal", "timeline"),
    [
        # told a timeline, it copies of that one and those before it
        (Goal(type="xid", xid=1, timeline="latest"), True, NEW, 2),
        (Goal(type="xid", xid=1, timeline="current"), True, NEW, 1),
        (Goal(type="xid", xid=1, timeline=2), True, NEW, 2),
        # told none, the backup's own; for an LSN or the end the newest, since 3.14
        (Goal(type="xid", xid=1), False, NEW, 1),
        (Goal(type="lsn", lsn=9 << 20), False, NEW, 2),
        (Goal(type="lsn", lsn=9 << 20), False, OLD, 1),
    ],
)
def test_of_which_timelines_barman_copies(
    goal: Goal, given: bool, listed_wal: dict[str, float | None], timeline: int
) -> None:
    """A file of timeline 2 is gone: only a restore that copies of it is refused for that."""
    story = long_story()
    child = story.fork(2)
    child.switch()
    other = next(name for name in story.others if name.startswith("00000002"))
    gone = f"{other[:-1]}2"  # no later than any end
    seen = view(
        story, goal,
        repository("Barman", listed(), listed_wal={gone: listed_wal[SECOND], **listed_wal}),
        way=Way(timeline_given=given),
    )  # fmt: skip
    answer = barman.predict(seen, seen.backups[0])
    assert (answer.fatal is not None and gone in answer.fatal) == (timeline == 2)


# -- barman-cloud, WAL-G --------------------------------------------------------------------------


def test_barman_cloud_gives_an_unfinished_segment_and_walg_does_not() -> None:
    goal = Goal(type="xid", xid=813)
    for tool, predict, reaches in (
        ("barman-cloud", walg.predict_with_partials, True), ("WAL-G", walg.predict, False),
    ):  # fmt: skip
        seen = view(STORY, goal, repository(tool, listed()), partial=(FIFTH,))
        assert predict(seen, seen.backups[0]).reachable is reaches
    whole = view(STORY, goal, repository("barman-cloud", listed()))
    assert walg.predict_with_partials(whole, whole.backups[0]).reachable is True


# -- both ways ------------------------------------------------------------------------------------


def both(seen: ToolView) -> TargetFacts:
    return answer_both_ways(seen, plain(seen))


@pytest.mark.parametrize("tool", ["pgBackRest", "Barman", "barman-cloud", "WAL-G"])
def test_where_both_ways_end_alike_there_is_one_answer(tool: str) -> None:
    answer = both(view(STORY, TO_812, repository(tool, listed())))
    assert (answer.via, answer.other, answer.reachable) == ("tool", None, True)
    assert answer.best is not None and answer.best.backup == answer.backup
    plainly = both(view(STORY, TO_812, repository(tool, listed()), way=Way(via="restore_command")))
    assert (plainly.via, plainly.other) == ("restore_command", None)


def test_where_they_differ_the_other_is_told() -> None:
    seen = view(STORY, TO_812, repository("Barman", listed(), listed_wal=dict.fromkeys([SECOND])))
    answer = both(seen)
    assert (answer.via, answer.reachable) == ("tool", False)
    assert answer.other is not None
    assert (answer.other.via, answer.other.reachable) == ("restore_command", True)
    assert answer.best is None


def test_another_backup_that_would_reach_it_is_named() -> None:
    """The tool takes the newest; the target lies before its end."""
    first, last = listed("first", 10), listed("last", 90)
    newest = stored(STORY, "last", finished_at=finished(90), bad_files=("base/1: absent",))
    seen = view(
        STORY, TO_812, repository("WAL-G", first, last), backups=[stored(STORY, "first"), newest]
    )
    oldest = view(STORY, TO_812, repository("WAL-G", first), backups=[stored(STORY, "first")])
    answer = answer_both_ways(seen, plain(oldest))
    assert answer.reachable is False and answer.cause is Cause.BACKUP_NOT_WHOLE
    assert answer.best is not None and answer.best.backup is not None
    assert (answer.best.backup.name, answer.best.via, answer.best.reachable) == (
        "first",
        "tool",
        True,
    )


@pytest.mark.parametrize(
    ("backup", "chosen", "outcome", "words"),
    [
        ({}, LABEL, "opens", ""),
        ({}, "other", "unknown", "backup other, which WAL-G takes, was not read"),
        ({"bad_files": ("base/1: absent",)}, None, "fails", "backup first: base/1: absent"),
        ({"unread_files": ("base/1: denied",)}, None, "unknown", "could not be read whole"),
    ],
)
def test_a_backup_that_the_tool_or_we_cannot_read_is_said(
    backup: dict[str, Any], chosen: str | None, outcome: str, words: str
) -> None:
    seen = view(
        STORY,
        TO_812,
        repository("WAL-G", listed()),
        backups=[stored(STORY, **backup)],
        chosen=chosen,
    )
    answer = both(seen)
    told_of = [answer, *([answer.other] if answer.other else [])]
    assert answer.outcome == outcome and words in answer.reason
    assert {each.via for each in told_of} <= {"tool", "restore_command"}


def test_a_backup_that_the_tool_would_not_restore_is_refused_in_its_words() -> None:
    seen = view(
        STORY, TO_812, repository("Barman", listed(refused="its status is FAILED")), chosen=LABEL
    )
    answer = both(seen)
    assert (answer.fatal, answer.cause) == ("its status is FAILED", Cause.BACKUP_NOT_WHOLE)
    increment = stored(STORY)
    alone = replace(increment.label, incremental_from_lsn=1, incremental_from_timeline=1)
    increment = replace(increment, label=alone)
    seen = view(STORY, TO_812, repository("WAL-G", listed()), backups=[increment])
    assert "it is incremental" in both(seen).reason
