"""Plurals by number."""

from __future__ import annotations

import pytest

from rules.model.counted import counted, verb


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 segments are"), (1, "1 segment is"), (2, "2 segments are")]
)
def test_one_thing_is_no_plural(number: int, told: str) -> None:
    assert f"{counted(number, 'segment')} {verb(number, 'is', 'are')}" == told
