"""Which tests begin a run that several processes share: the files that take longest, each whole.

`--dist worksteal` gives each process a stretch of the tests, in their order, and who has done its
own takes the last half of the longest that is left. So these stand where a stretch begins: none is
begun when the others are at their end, and none is shared, whose stories would be made by each.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Sequence
from typing import Final

import pytest

# Seconds beside three other processes, on two cores: what counts is how they compare.
LONGEST: Final = {
    "integration/test_faults.py": 170,
    "integration/test_store_backups.py": 160,
    "integration/test_store_faults.py": 156,
    "integration/test_watch_attempts.py": 116,
    "integration/test_truth.py": 110,
    "integration/test_backup_script.py": 109,
    "integration/test_tool_restores.py": 90,
    "integration/test_emptied.py": 62,
    "integration/test_hostile_clients.py": 60,
}


@pytest.hookimpl(trylast=True)  # of what was selected
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if processes > 1:
        files = [item.nodeid.partition("::")[0].removeprefix("tests/") for item in items]
        items[:] = [items[number] for number in deal(files, processes)]


def deal(files: Sequence[str], processes: int) -> list[int]:
    """The order of tests that lie in these files, in stretches as xdist gives them out."""
    longest: dict[str, list[int]] = {}
    rest: list[int] = []
    for number, file in enumerate(files):
        (longest.setdefault(file, []) if file in LONGEST else rest).append(number)
    heads: list[list[int]] = [[] for _ in range(processes)]
    loads = [(0, process) for process in range(processes)]
    for file in sorted(longest, key=lambda file: -LONGEST[file]):
        load, process = heapq.heappop(loads)
        heads[process] += longest[file]
        heapq.heappush(loads, (load + LONGEST[file], process))
    order: list[int] = []
    for process, head in enumerate(heads):
        length = (len(files) - len(order)) // (processes - process)
        filled = max(length - len(head), 0)
        order += head + rest[:filled]
        del rest[:filled]
    return order
