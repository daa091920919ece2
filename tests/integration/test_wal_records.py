"""Every record of a real server's WAL, beside what the server's own readers list."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from agent.postgres.installation import Installation
from parsers.lsn import parse_lsn
from parsers.wal.scan import EndKind
from parsers.wal.stitch import stitch_run
from tests.fix_postgres import lack_part, need_part
from tests.fix_wal import MIB, Stories, Story
from tests.read_wal import Record, list_records, scan_file

_LINE = re.compile(
    r"rmgr: (\S+)\s+len \(rec/tot\):\s*\d+/\s*(\d+), tx:\s*(\d+),"
    r" lsn: (\S+), prev (\S+), desc: (.*)"
)


def waldump(story: Story, paths: list[Path]) -> list[tuple[Record, str]]:
    """What this major's pg_waldump says of segments that follow each other."""
    command = [
        str(story.pg.program("pg_waldump")), "-p", str(paths[0].parent),
        "-t", str(int(paths[0].name[:8], 16)), paths[0].name, paths[-1].name,
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not result.stderr, result.stderr
    return [_parse_line(line) for line in result.stdout.splitlines()]


def _parse_line(line: str) -> tuple[Record, str]:
    match = _LINE.fullmatch(line)
    assert match, line
    rmgr, length, xid, lsn, prev, description = match.groups()
    return Record(parse_lsn(lsn), rmgr, int(length), parse_lsn(prev), int(xid)), description


@pytest.mark.parametrize("timeline", [1, 2])
def test_every_record_is_the_one_that_pg_waldump_lists(
    pg: Installation, stories: Stories, timeline: int
) -> None:
    need_part(pg, "pg_waldump")
    story = stories(pg)
    paths = story.segments(timeline)
    theirs = [record for record, _ in waldump(story, paths)]
    assert list_records(paths) == theirs
    assert len(theirs) > (20_000 if timeline == 1 else 50)


@pytest.mark.pg(">= 15", npm=True)
def test_every_record_is_the_one_that_pg_walinspect_lists(
    pg: Installation, stories: Stories
) -> None:
    story = stories(pg)
    if not story.inspected:
        lack_part(pg, "pg_walinspect")
    theirs = [
        Record(parse_lsn(lsn), rmgr, length, parse_lsn(prev), xid)
        for lsn, rmgr, length, prev, xid, _ in story.inspected
    ]
    ours = [record for record in list_records(story.segments(1)) if record.lsn <= theirs[-1].lsn]
    assert ours == theirs
    assert len(theirs) > 20_000


@pytest.mark.pg(">= 13", npm=True)
def test_a_whole_archive_has_no_damage(pg: Installation, stories: Stories) -> None:
    story = stories(pg)
    for timeline in (1, 2):
        paths = story.segments(timeline)
        stitched = list(stitch_run(scan_file(path) for path in paths))
        assert [one.damage for one in stitched] == [None] * len(paths)
        assert stitched[-1].scan.end.kind is EndKind.SWITCH


@pytest.mark.pg(">= 13", npm=True)
def test_the_story_has_records_over_one_and_over_three_boundaries(
    pg: Installation, stories: Stories
) -> None:
    stitched = list(stitch_run(scan_file(path) for path in stories(pg).segments(1)))
    crossing = [one.boundary.completed for one in stitched if one.boundary]
    spans = [one.end_lsn // MIB - one.record.lsn // MIB for one in crossing if one is not None]
    assert max(spans) >= 3
    assert spans.count(1) > 5


@pytest.mark.pg(">= 13", npm=True)
def test_headers_alone_find_the_same_identity_and_the_same_switch(
    pg: Installation, stories: Stories
) -> None:
    for path in stories(pg).segments(1):
        whole, headers = scan_file(path), scan_file(path, depth="headers")
        assert headers.header == whole.header and headers.damage is None
        if headers.end.kind is not EndKind.UNREAD:
            assert headers.end == whole.end
