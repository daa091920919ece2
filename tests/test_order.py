"""The order of a run that several processes share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fix_order import LONGEST, deal

FIRST, SECOND, *_ = LONGEST


@pytest.mark.parametrize("file", LONGEST)
def test_the_files_that_take_longest_are_there(file: str) -> None:
    assert (Path(__file__).parent / file).is_file()


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 6, 40])
def test_every_test_is_dealt_once(processes: int) -> None:
    files = [*["a.py"] * 5, *LONGEST, *["b.py"] * 8, *LONGEST]
    assert sorted(deal(files, processes)) == list(range(len(files)))


def test_each_process_begins_with_a_file_that_takes_long() -> None:
    files = [*["a.py"] * 6, FIRST, FIRST, SECOND]
    assert [files[number] for number in deal(files, 2)] == [
        FIRST, FIRST, "a.py", "a.py", SECOND, "a.py", "a.py", "a.py", "a.py",
    ]  # fmt: skip
