"""Restores by pgBackRest and Barman themselves, on PostgreSQL 15, beside what was predicted.

And by our own reader, of what they wrote. `make tool-restores` makes many: TOOL_RESTORES says how
many of each repository, TOOL_SEED which.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from rules.drill.comparison import Probe
from rules.model.target import Target
from tests.fix_backup_tools import (
    Story,
    Wish,
    drilled_by_reader,
    drilled_by_tool,
    random_wishes,
    read_story,
)
from tests.fix_place import PLACE
from tests.fix_repositories import look_of

COUNT = int(os.environ.get("TOOL_RESTORES", "10"))
SEED = int(os.environ.get("TOOL_SEED", "1"))
BASE = PLACE  # the server's account must get there


def _of(tool: str, *numbers: int, name: str) -> object:
    """One worker makes a tool's story, once."""
    return pytest.param(tool, numbers, id=name, marks=pytest.mark.xdist_group(tool))


REPOSITORIES = pytest.mark.parametrize(
    ("tool", "numbers"),
    [
        _of("pgbackrest", 1, name="pgbackrest"),
        _of("pgbackrest", 2, name="pgbackrest-encrypted-bundled"),
        _of("pgbackrest", 1, 2, name="pgbackrest-both"),
        _of("barman", 1, name="barman"),
        _of("newest_barman", 1, name="barman-3.19"),
    ],
)


def _asks_the_server(wish: Wish, tool: str) -> bool:
    """Barman 3.19 goes by the server's version there, and a drill leaves the server alone."""
    goal = wish.target
    return tool == "newest_barman" and not wish.timeline_given and goal.type in ("lsn", "immediate")


@pytest.fixture
def live(
    tool: str,
    request: pytest.FixtureRequest,
    installations: object,
    monkeypatch: pytest.MonkeyPatch,
) -> Story:
    story: Story = request.getfixturevalue(f"{tool}_story")
    monkeypatch.setenv("PATH", f"{Path(story.program).parent}:{os.environ['PATH']}")
    return story


@pytest.mark.parametrize("count", [3, pytest.param(COUNT, marks=pytest.mark.campaign)])
@REPOSITORIES
def test_the_tool_restores_as_predicted(
    live: Story, tool: str, numbers: tuple[int, ...], count: int
) -> None:
    case = read_story(live, *numbers)
    labels = tuple(label for each in live.open(*numbers).opened for label in each.labels())
    before = [look_of(Path(place.url)) for place in live.places]
    wrong, outcomes = [], set()
    asked = random_wishes(live, labels, Random(SEED), 2 * count)
    for wish in [each for each in asked if not _asks_the_server(each, tool)][:count]:
        drilled = drilled_by_tool(live, case, wish, BASE, *numbers)
        outcomes.add(drilled.outcome)
        if drilled.agrees is not True:
            wrong.append(f"{wish}: {drilled.not_run or drilled.disagreements} {drilled.cause}")
    assert wrong == []
    assert outcomes & {"promoted", "paused"} and "not_run" not in outcomes
    assert [look_of(Path(place.url)) for place in live.places] == before


@pytest.mark.slow
@REPOSITORIES
def test_our_own_reader_restores_every_backup(
    live: Story, tool: str, numbers: tuple[int, ...]
) -> None:
    case = read_story(live, *numbers)
    for repository in live.open(*numbers).opened:
        for label in repository.labels():
            backup = next(each for each in live.backups(case) if each.name == label)
            timeline = backup.label.timeline
            target = Target(type="none", value=None, timeline=str(timeline), inclusive=True,
                            action="promote")  # fmt: skip
            rows = max(mark.rows for mark in live.marks if mark.timeline == timeline)
            probe = Probe(database="postgres", sql="SELECT count(*) FROM t", expected=str(rows))
            wish = Wish(target=target, label=label, timeline_given=True)
            drilled = drilled_by_reader(live, case, wish, BASE, probe, *numbers)
            assert (drilled.outcome, drilled.agrees) == ("promoted", True), drilled
            assert drilled.probes[0].got == str(rows)
            looks = {each.name: each.result for each in drilled.inspections}
            assert set(looks.values()) == {"passed"}, drilled.inspections


@pytest.mark.campaign
def test_the_page_on_verification_is_what_the_programs_say(
    pgbackrest_story: Story, barman_story: Story
) -> None:
    from tests.tool_damages import PAGE, page

    assert page(pgbackrest_story, barman_story) == PAGE.read_text()
