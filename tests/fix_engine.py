"""Which WAL engine the tests run with: PITR_ENGINE chooses, as for the programs.

Tests that compare the two ask for `engines`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from agent import engine
from parsers.wal import kernel
from parsers.wal.scan import SegmentScan
from tests.fix_tools import need

Scan = Callable[[], SegmentScan]


def pytest_report_header() -> list[str]:
    return list(engine.engine_lines())


@pytest.fixture(scope="session")
def engines() -> Iterator[Callable[[Scan], tuple[SegmentScan, SegmentScan]]]:
    """Make a scan with each engine: the numpy one's first."""
    need("the compiled engine")
    before = kernel.running()

    def both(scan: Scan) -> tuple[SegmentScan, SegmentScan]:
        try:
            kernel.choose("numpy")
            slow = scan()
            kernel.choose("c")
            return slow, scan()
        finally:
            kernel.choose(before)

    yield both
    kernel.choose(before)
