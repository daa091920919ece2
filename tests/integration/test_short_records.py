"""A commit record that is too short for its time: one segment is damaged, no other is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from parsers.segment import segment_name
from tests.fix_agent import UNHURRIED, WatchedAgent
from tests.fix_check import pitr_check
from tests.wal_writer import MIB, WalWriter

SEGMENTS, BAD = 5, 3


@pytest.fixture(params=["in the middle", "at the end"])
def archive(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Segment 3 has a commit record of 26 bytes whose checksum holds."""
    wal = WalWriter()
    for number in range(1, SEGMENTS + 1):
        wal.commit(700 + number, 1_000_000 * number)
        at_end = request.param == "at the end"
        if number == BAD and at_end:
            wal.fill_to(32)
        if number == BAD:
            wal.raw_record(1, 0x00, 710, b"\xff\x00")
        if number != BAD or not at_end:
            wal.commit(720 + number, 1_000_000 * number + 1)
            wal.fill_to(0)
    directory = tmp_path / "wal"
    directory.mkdir()
    for number, data in enumerate(wal.segments(), start=1):
        (directory / segment_name(1, number, MIB)).write_bytes(data)
    return directory


def test_pitr_check_names_the_segment_and_judges_the_others(archive: Path) -> None:
    document = pitr_check("--archive", archive, "--format", "json").json
    damaged = [f["evidence"] for f in document["findings"] if f["id"] == "wal_damaged"]
    assert [(each["segment"], each["kind"]) for each in damaged] == [
        (segment_name(1, BAD, MIB), "bad_header")
    ]
    assert "too short for its kind" in damaged[0]["detail"]
    assert not [f for f in document["findings"] if f["id"] == "wal_unread"]


def test_the_agent_names_the_kind_and_reads_every_segment(
    archive: Path, new_agent: Callable[..., WatchedAgent]
) -> None:
    agent = new_agent(UNHURRIED, archives=[{"url": str(archive)}])
    page = agent.wait_for(  # a round of 500 ms may end before the last segment is read
        lambda page: (
            page.total("pitr_finding", id="wal_damaged") == 1
            and page.total("pitr_finding", id="wal_unread") == 0
        )
    )
    assert page.total("pitr_archive_damaged_segments") == 1
    assert page.total("pitr_collector_success", collector="segments") == 1
    assert page.total("pitr_archive_damaged_segments", kind="bad_header") == 1
