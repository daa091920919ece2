"""Where a drill goes, and that what is predicted of it is of the restore that it makes."""

from __future__ import annotations

from random import Random

import pytest

from rules.case.case import Case
from rules.model.facts import StoredBackup
from rules.model.goal import Goal
from rules.model.outcome import Ending
from rules.model.repository import ListedBackup, RepositoriesRead, RepositoryFacts, Way
from rules.verdict.check import load_catalogue
from rules.verdict.drill_target import (
    Chance,
    DrillPlan,
    plan_at_random,
    plan_by_tool,
    plan_drill,
)
from rules.verdict.report import Report, give_verdict
from tests.rules.make_case import LISTED_AT, backup_of, case_of, files_of
from tests.rules.make_restore import Story, at, long_story, told

THIRD = "000000010000000000000003"


def report_of(case: Case) -> Report:
    return give_verdict(case, load_catalogue(), LISTED_AT)


def plan(story: Story, goal: Goal | None = None, **given) -> DrillPlan | None:
    case = case_of(story, goal, **given)
    return plan_drill(report_of(case), case)


def without(story: Story, *names: str) -> dict:
    kept = {name: data for name, data in files_of(story).items() if name not in names}
    return {"archives": {"/archive": kept}}


GOALS = [
    (Goal(), "end of WAL, timeline latest"),
    (Goal(type="xid", xid=802), "xid 802, timeline latest"),
    (Goal(type="xid", xid=802, inclusive=False), "xid 802, exclusive, timeline latest"),
    (Goal(type="time", time_us=at(21)), "time 2027-01-15 08:00:21+00:00, timeline latest"),
    (Goal(type="immediate", timeline=1), "immediate, timeline 1"),
    (Goal(type="name", name="p"), "name p, timeline latest"),
]  # fmt: skip


@pytest.mark.parametrize(("goal", "words"), GOALS)
def test_a_drill_goes_to_the_target_that_was_asked_about(goal: Goal, words: str) -> None:
    story = Story()
    story.end_backup()
    for xid in (801, 802, 803):
        story.wal.commit(xid, at(xid - 781))
    story.wal.point("p", at(23))
    story.wal.switch()
    found = plan(story, goal)
    assert found is not None
    assert (found.goal, found.target, found.refused) == (goal, words, False)
    assert found.outcome.reachable and found.outcome.ending is Ending.PROMOTED


def test_a_target_out_of_reach_is_tried_all_the_same() -> None:
    found = plan(told(), Goal(type="xid", xid=999))
    assert found is not None and found.goal.xid == 999 and found.outcome.outcome == "fails"


def test_without_a_target_a_gap_does_not_end_the_drill_in_silence() -> None:
    """It goes to the last commit before the gap: to the end of WAL PostgreSQL would open short."""
    story = long_story()
    case = case_of(story, **without(story, THIRD))
    assert report_of(case).target.reachable is False
    found = plan_drill(report_of(case), case)
    assert found is not None
    assert (found.goal.type, found.goal.timeline) == ("lsn", "current")
    last = found.outcome.last_transaction
    assert found.outcome.reachable and found.outcome.stop is not None
    # The abort of 804 is the last record of a transaction before the hole.
    assert found.goal.lsn == found.outcome.stop.lsn and (last is None or last.xid == 803)


def test_where_nothing_was_committed_the_drill_ends_where_the_backup_is_consistent() -> None:
    story = Story()
    story.end_backup()
    story.wal.switch()
    story.wal.switch()
    story.wal.commit(801, at(30))
    story.wal.switch()
    found = plan(story, None, **without(story, THIRD))
    assert found is not None and (found.goal.type, found.target) == (
        "immediate", "immediate, timeline current",
    )  # fmt: skip
    assert found.outcome.reachable


def test_the_newest_window_is_drilled_on_its_own_timeline() -> None:
    story = told()
    child = story.fork(
        2,
    )
    child.commit(901, at(600))
    child.switch()
    child.switch()
    child.commit(903, at(700))
    child.switch()
    lost = sorted(name for name in story.others if name.startswith("00000002"))[1]
    found = plan(story, None, **without(story, lost))
    assert found is not None
    assert (found.goal.type, found.goal.timeline) == ("lsn", 2)
    assert found.outcome.stop is not None and found.outcome.reachable


def test_nothing_is_drilled_without_a_backup_or_records() -> None:
    story = told()
    for given in ({"backups": ()}, {"depth": "names"}):
        case = case_of(story, **given)
        report = report_of(case)
        assert plan_drill(report, case) is None
        assert plan_by_tool(report, case) is None
        assert plan_at_random(report, case, Chance(random=Random(1))) is None


def test_a_backup_that_cannot_be_restored_is_not_drilled_for_the_newest_instant() -> None:
    story = Story()  # its end is nowhere: it never becomes consistent
    story.wal.commit(801, at(20))
    story.wal.switch()
    found = plan(story)
    assert found is None or found.outcome.outcome == "fails"


@pytest.mark.parametrize("seed", range(20))
def test_a_random_drill_stops_within_what_can_be_restored(seed: int) -> None:
    story = long_story()
    case = case_of(story)
    found = plan_at_random(report_of(case), case, Chance(random=Random(seed)))
    assert found is not None and found.outcome.reachable and found.goal.type != "none"
    gap = case_of(story, **without(story, "000000010000000000000004"))
    found = plan_at_random(report_of(gap), gap, Chance(random=Random(seed)))
    assert found is not None and found.outcome.reachable
    last = found.outcome.last_transaction
    assert last is None or last.time_us <= at(111)


def test_a_drill_runs_on_settings_of_its_own_and_needs_no_ones_tablespaces() -> None:
    found = plan(told())
    assert found is not None
    assert found.restore.backup.tablespaces == () and found.restore.server.adjustable
    assert found.restore.server.parameters == {}


# -- by the tool that made the backup -------------------------------------------------------------


def by_tool(
    story: Story, goal: Goal, tool: str = "pgBackRest", via: str = "tool"
) -> tuple[Report, Case]:
    stored = StoredBackup(repository=1, label="20270101-000000F", kind="full")
    backup = backup_of(story, stored=stored)
    listed = ListedBackup(
        label=stored.label, finished_at=backup.finished_at, stop_lsn=backup.stop_lsn
    )
    read = RepositoriesRead(
        repositories=(
            RepositoryFacts(tool=tool, url="/repo", name="main", number=1, backups=(listed,)),
        )
    )
    case = case_of(story, goal, backups=[backup], way=Way(via=via)).having(read)  # type: ignore[arg-type]
    return report_of(case), case


def test_the_tools_own_restore_is_drilled_as_the_tool_makes_it() -> None:
    goal = Goal(type="xid", xid=802)
    found = plan_by_tool(*by_tool(told(), goal))
    assert found is not None
    assert (found.goal, found.refused, found.target) == (goal, False, "xid 802, timeline latest")
    assert found.outcome.reachable


def test_where_the_tool_refuses_it_is_predicted_to_refuse() -> None:
    goal = Goal(type="time", time_us=at(5))  # before the backup ended
    found = plan_by_tool(*by_tool(told(), goal))
    assert found is not None and found.refused
    assert found.outcome.outcome == "fails" and found.outcome.fatal is not None
    assert found.outcome.fatal.startswith("unable to find backup set with stop time less than")


def test_a_restore_command_is_not_the_tools_own_restore() -> None:
    report, case = by_tool(told(), Goal(type="xid", xid=802), via="restore_command")
    assert plan_by_tool(report, case) is None
    assert plan_drill(report, case) is not None


def test_a_tool_that_is_told_no_timeline_is_drilled_along_the_backups_own() -> None:
    """The latest timeline left the backup's before the target; the tool does not follow it."""
    story = Story()
    story.end_backup()
    story.wal.commit(801, at(20))
    child = story.fork(2)
    child.switch()
    story.wal.commit(802, at(21))
    story.wal.switch()
    report, case = by_tool(story, Goal(type="xid", xid=802, timeline="latest"), tool="Barman")
    assert report.target.via == "tool" and report.target.reachable is not None
    found = plan_drill(report, case)
    assert found is not None
    assert found.outcome.reachable == bool(report.target.reachable)
    assert found.goal.timeline == ("current" if report.target.reachable else "latest")
