"""The reducer over plans of which it is known what matters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.truth.plan import Plan, make_plan
from tests.truth.reduce import reduce


@given(st.integers(0, 500), st.data())
def test_what_matters_is_left_and_nothing_else(seed: int, data: st.DataObject) -> None:
    plan = make_plan(seed, 16, 1)
    ids = [step.id for step in plan.steps]
    matter = data.draw(st.sets(st.sampled_from(ids), min_size=1, max_size=4))
    asked: list[Plan] = []

    def disagrees(candidate: Plan) -> bool:
        asked.append(candidate)
        return matter <= {step.id for step in candidate.steps}

    smallest = reduce(plan, plan.trials[0], disagrees)
    assert {step.id for step in smallest.steps} == matter
    assert smallest.trials[0].damage is None
    assert all(len(each.trials) == 1 for each in asked)
