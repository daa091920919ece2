"""Every check of the catalogue, asked of one case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from rules.case.case import Case
from rules.model.evidence import Evidence
from rules.model.target import TargetFacts
from rules.verdict.check import Answers, Check, Judgement, judge


def judge_case(
    case: Case,
    checks: Mapping[str, Check],
    now: datetime,
    *,
    expected: Iterable[type] = (),
    answers: Answers | None = None,
) -> Judgement:
    """Ask the checks. What answers a question is asked only when somebody asked one.

    `expected` are the facts that the sources should give: without one of them its checks are blind.
    `answers` are what an earlier judgement of these checks left to be found again.
    """
    asked = case.context.asked is not None
    applying = {name: check for name, check in checks.items() if asked or not check.asked}
    kinds = {kind for check in applying.values() for kind in check.inputs}
    if not asked:
        kinds.discard(TargetFacts)
    return judge(
        Evidence(
            now=now,
            objectives=case.context.objectives,
            facts=case.facts(kinds),
            expected=frozenset(expected),
        ),
        applying,
        answers,
    )
