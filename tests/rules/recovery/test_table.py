"""The table of the package's docstring names functions that are there."""

from __future__ import annotations

import importlib
import re
from operator import attrgetter

import pytest

import rules.recovery

_ROW = re.compile(r"^(\S.*?)  +([a-z_]+)\.([A-Za-z_.]+)  +(\d\d)$", re.M)
ROWS = _ROW.findall(rules.recovery.__doc__ or "")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_names_a_function_of_ours_and_a_major(row: tuple[str, str, str, str]) -> None:
    _, module, function, since = row
    assert callable(attrgetter(function)(importlib.import_module(f"rules.recovery.{module}")))
    assert 13 <= int(since) <= 19


def test_the_table_is_read_whole() -> None:
    table = (rules.recovery.__doc__ or "").split("\n====")[2]
    assert len(ROWS) == len(table.splitlines()) - 1 > 20
