"""Which WAL engine the tests run with: PITR_ENGINE chooses, as for the programs.

Tests that compare the two ask for `engines`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from agent import engine
from parsers.wal import kernel
from tests.fix_tools import need

T = TypeVar("T")


def pytest_report_header() -> list[str]:
    return list(engine.engine_lines())


@pytest.fixture(scope="session")
def engines() -> Iterator[Callable[[Callable[[], T]], tuple[T, T]]]:
    """Read with each engine: the numpy one's first."""
    need("the compiled engine")
    before = kernel.running()

    def both(read: Callable[[], T]) -> tuple[T, T]:
        try:
            kernel.choose("numpy")
            slow = read()
            kernel.choose("c")
            return slow, read()
        finally:
            kernel.choose(before)

    yield both
    kernel.choose(before)
