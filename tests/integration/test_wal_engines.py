"""Both WAL engines on what real servers of every major here wrote: whole scans are equal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.postgres.installation import Installation
from parsers.wal.scan import SegmentScan
from tests.fix_wal import Stories
from tests.read_wal import scan_file

Both = Callable[[Callable[[], SegmentScan]], tuple[SegmentScan, SegmentScan]]


@pytest.mark.pg(">= 13", npm=True)
def test_the_engines_agree_on_every_segment(
    pg: Installation, stories: Stories, engines: Both
) -> None:
    story = stories(pg)
    paths = [path for path in sorted(story.archive.iterdir()) if len(path.name) == 24]
    paths += [Path(path) for path in sorted(story.archive.glob("*.partial"))]
    transactions = 0
    for path in paths:
        slow, fast = engines(lambda path=path: scan_file(path, name=path.name[:24]))  # type: ignore[misc]
        assert fast == slow, path
        transactions += len(fast.facts.transactions)
    assert transactions >= len(story.committed) > 0
