"""What a judgement takes over from the one before is what it would say anew.

An agent asks a check again only when it is asked with something else, and takes an equal reading
for the one before. Neither may outlive what it rests on: not time, not another configuration.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import pytest

from agent.monitor.collectors import Collectors
from agent.monitor.expected import expected_facts
from agent.monitor.reading import Reading
from agent.monitor.rounds import Rounds
from agent.monitor.watched import WatchedCluster
from agent.pollers.registry import POLLERS
from rules.case.case import Case
from rules.case.engine import derivations
from rules.fleet.line import FleetLine, line_of
from rules.model.evidence import Evidence
from rules.model.facts import Objectives, WalDirectoryFacts
from rules.verdict.check import Answers, judge
from rules.verdict.judgement import judge_case
from tests.changing import CHECKS, Changes, Clock, configure, stop_the_clock
from tests.rules.catalogue.facts import DAY, NOW, OBJECTIVES, ago
from tests.rules.catalogue.test_pairs import PAIRS


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stop_the_clock(monkeypatch)


@pytest.fixture
def cluster(clock: Clock) -> Iterator[WatchedCluster]:
    (config,) = configure("a")
    made = WatchedCluster(config, CHECKS)
    yield made
    made.close()


def from_nothing(cluster: WatchedCluster) -> Case:
    """What is known, and nothing that was worked out of it but the slow facts, which stand."""
    slow = [kind for kind, each in derivations().items() if each.slow]
    standing = cluster.case.facts(slow)
    known = {**cluster.case.observations, **standing}
    return Case(context=cluster.case.context, observations=known, patient=False)


@pytest.mark.parametrize("seed", range(4))
def test_a_judgement_is_what_it_would_be_anew(
    cluster: WatchedCluster, clock: Clock, seed: int
) -> None:
    changes, said = Changes(seed, clock), set[str]()
    for _ in range(150):
        changes.one(cluster)
        cluster.judge()
        if cluster.jobs.trouble_of_judging:
            continue  # and then nothing is known
        case = from_nothing(cluster)
        expected = expected_facts(cluster.config) | cluster.over_time.expected(case)
        anew = judge_case(case, cluster.checks, clock.at, expected=expected)
        assert cluster.known == anew.known
        for name in (name for name, known in anew.known.items() if known):
            found = tuple(each for each in anew.findings if each.id == name)
            assert cluster.findings[name] == found
            said |= {name} if found else set()
        assert cluster.line == line_anew(case, cluster, clock)
    assert len(said) > 20, "there is much to say"


def line_anew(case: Case, cluster: WatchedCluster, clock: Clock) -> FleetLine:
    return line_of(case.having(cluster.over_time.cuts), "a", None, cluster.verdict, clock.at)


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_no_answer_outlives_what_was_asked(name: str) -> None:
    """From what a check finds to what it does not, later, for other goals: one change at a time."""
    chance, answers = random.Random(name), Answers()
    asked: dict[str, tuple[Any, ...]] = {
        "facts": PAIRS[name],
        "objectives": (OBJECTIVES, Objectives(rpo_seconds=1e9)),
        "now": tuple(map(ago, (0.0, -1.0, -3600.0, -3 * DAY, -400 * DAY))),
    }
    now = {part: each[0] for part, each in asked.items()}
    for _ in range(60):
        part = chance.choice(list(asked))
        now[part] = chance.choice(asked[part])
        evidence = Evidence(**{**now, "facts": {type(fact): fact for fact in now["facts"]}})
        again = [judge(evidence, {name: CHECKS[name]}, answers) for _ in range(2)]
        assert again == [judge(evidence, {name: CHECKS[name]})] * 2


def test_an_equal_reading_is_equal_in_all_that_it_says() -> None:
    """No field of what a server is asked for is left out of the comparison."""

    def all_of(kind: Any) -> Iterator[type]:
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            yield kind
            for hint in get_type_hints(kind).values():
                yield from all_of(hint)
        for each in get_args(kind):
            yield from all_of(each)

    left_out = [
        (kind.__name__, field.name)
        for poller in POLLERS
        for kind in all_of(poller.facts)
        for field in dataclasses.fields(kind)
        if not field.compare
    ]
    assert left_out == []
    assert all(kind.__dataclass_params__.frozen for p in POLLERS for kind in all_of(p.facts))  # type: ignore[attr-defined]


def test_a_reading_is_taken_for_the_one_before_only_where_it_is_equal() -> None:
    (config,) = configure("a")
    collectors = Collectors(config, Rounds({}, 10.0), lambda: None)
    first, same, other = (WalDirectoryFacts(files_count=n, size_bytes=n) for n in (1, 1, 2))

    def read(fact: WalDirectoryFacts) -> object:
        kept = collectors._kept("wal_directory", lambda: fact)
        collectors.readings["wal_directory"] = Reading(
            collector="wal_directory", started_at=NOW, duration_seconds=0.0, facts=kept
        )
        return kept

    assert read(first) is first
    assert read(same) is first
    assert read(other) is other
    assert read(same) is same
    collectors.readings["wal_directory"] = Reading(
        collector="wal_directory", started_at=NOW, duration_seconds=0.0, error="no answer"
    )
    assert read(first) is first, "a reading that failed is like none"
