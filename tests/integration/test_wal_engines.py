"""Both WAL engines on what real servers of every major here wrote: whole scans, and journals."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.postgres.installation import Installation
from parsers.segment import parse_segment_name
from parsers.wal.page import parse_segment_header
from tests.fix_wal import Stories
from tests.parsers.wal.both import Both, Read, read_both


@pytest.mark.pg(">= 13", npm=True)
def test_the_engines_agree_on_every_segment(
    pg: Installation, stories: Stories, engines: Both
) -> None:
    story = stories(pg)
    paths = [path for path in sorted(story.archive.iterdir()) if len(path.name) == 24]
    paths += [Path(path) for path in sorted(story.archive.glob("*.partial"))]
    transactions = changes = 0
    for path in paths:
        slow, fast = engines(lambda path=path: _read(path))  # type: ignore[misc]
        assert fast == slow, path
        transactions += len(fast.scan.facts.transactions)
        changes += len(fast.journal.changes) if fast.journal else 0
    assert changes > 0
    assert transactions >= len(story.committed) > 0


def _read(path: Path) -> Read:
    data = path.read_bytes()
    timeline, number = parse_segment_name(path.name[:24], parse_segment_header(data).segment_size)
    return read_both(data, name_timeline=timeline, segment_number=number)
