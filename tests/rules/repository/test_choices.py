"""Which backup each tool takes by itself, and with which words it takes none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.model.goal import Goal
from rules.model.outcome import Cause
from rules.model.target import TargetFacts
from rules.repository import barman, pgbackrest, walg
from tests.rules.make_restore import at, told
from tests.rules.repository.tools import finished, listed, repository, view

STORY = told()
THREE = [listed(f"b{n}", 10 * n, stop_lsn=0x100 * n) for n in (1, 2, 3)]


def time(seconds: float) -> Goal:
    return Goal(type="time", time_us=at(seconds))


def refusal(answer: str | TargetFacts) -> str:
    assert isinstance(answer, TargetFacts)
    assert (answer.outcome, answer.reachable) == ("fails", False)
    return answer.fatal or ""


# -- pgBackRest -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "label"),
    [
        (Goal(), "b3"), (Goal(type="xid", xid=700), "b3"), (Goal(type="immediate"), "b3"),
        (time(31), "b3"), (time(30.9), "b2"),  # whole seconds, and before
        (time(20), "b1"),
        (Goal(type="lsn", lsn=0x300), "b3"), (Goal(type="lsn", lsn=0x2FF), "b2"),
    ],
)  # fmt: skip
def test_pgbackrest_takes_the_newest_that_ended_before(goal: Goal, label: str) -> None:
    assert pgbackrest.choose(view(STORY, goal, repository("pgBackRest", *THREE))) == label


def test_pgbackrest_looks_into_its_repositories_in_order() -> None:
    late, early = [listed("late", 90)], [listed("early", 20)]
    both = (repository("pgBackRest", *late), repository("pgBackRest", *early))
    assert pgbackrest.choose(view(STORY, time(50), *both)) == "early"
    assert pgbackrest.choose(view(STORY, Goal(), *both)) == "late"
    assert pgbackrest.choose(view(STORY, Goal(), repository("pgBackRest"), both[1])) == "early"


@pytest.mark.parametrize(
    ("goal", "backups", "message"),
    [
        (Goal(), [], "no backup set found to restore"),
        (time(5), THREE, "unable to find backup set with stop time less than"),
        (Goal(type="lsn", lsn=9), THREE, "unable to find backup set with lsn less than or equal"),
        (time(50), [listed(ends=None)], "unable to find backup set with stop time"),
        (Goal(type="lsn", lsn=9), [listed()], "unable to find backup set with lsn"),
    ],
)  # fmt: skip
def test_pgbackrest_refuses_in_its_own_words(goal: Goal, backups, message: str) -> None:
    answer = pgbackrest.choose(view(STORY, goal, repository("pgBackRest", *backups)))
    assert refusal(answer).startswith(message)
    assert isinstance(answer, TargetFacts)
    expected = Cause.OTHER if goal.type == "none" else Cause.BEFORE_BACKUP_END
    assert answer.cause is expected
    assert answer.reason.startswith("pgBackRest refuses the restore: ")


# -- Barman, WAL-G, barman-cloud ------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(1, 50), st.booleans()), max_size=6, unique_by=lambda e: e[0]),
    st.none() | st.integers(0, 60),
)
def test_barman_takes_the_newest_or_for_a_time_the_newest_that_had_ended(
    backups: list[tuple[int, bool]], target: int | None
) -> None:
    names = [
        listed(f"b{ends}", ends, refused="FAILED" if is_refused else None)
        for ends, is_refused in sorted(backups)
    ]
    goal = Goal() if target is None else time(target)
    answer = barman.choose(view(STORY, goal, repository("Barman", *names)))
    usable = [ends for ends, is_refused in sorted(backups) if not is_refused]
    ended = [ends for ends in usable if target is None or ends <= target]
    if not usable:
        assert refusal(answer) == "there is no backup to restore"
    else:  # of none that fits the oldest: it is refused by its end later
        assert answer == f"b{ended[-1] if ended else usable[0]}"


def test_walg_takes_the_newest_by_when_its_entry_was_written() -> None:
    early, late = listed("early", 50, written_at=finished(80)), listed("late", 60)
    late = late._replace(written_at=finished(70))
    assert walg.choose(view(STORY, Goal(), repository("WAL-G", early, late))) == "early"
    same = late._replace(written_at=finished(80))
    assert walg.choose(view(STORY, Goal(), repository("WAL-G", early, same))) == "late"
    bare = listed("bare", None)
    assert walg.choose(view(STORY, Goal(), repository("WAL-G", bare, late))) == "late"
    bad = listed("bad", 99, refused="it is a delta of what is gone")
    assert walg.choose(view(STORY, Goal(), repository("WAL-G", late, bad))) == "late"
    assert refusal(walg.choose(view(STORY, Goal(), repository("WAL-G", bad)))) == "no backups found"
