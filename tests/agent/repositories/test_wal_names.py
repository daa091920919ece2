"""The size of a segment by nothing but names: no gap comes of a wrong guess."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from agent.archive.directory import Listing
from agent.repositories.wal_names import add_files, with_size_by_names
from parsers.segment import segment_name
from rules.archive.listing import judge_sequence, timeline_tree
from rules.model.facts import ArchivedFile, ArchiveFacts


def listed(names: list[str]) -> ArchiveFacts:
    listing = Listing(root="/nowhere")
    add_files((ArchivedFile("/nowhere", name, 5, 0, 0) for name in names), listing)
    facts = listing.facts("/nowhere", datetime.now(UTC))
    return with_size_by_names(replace(facts, segment_size_bytes=None))


@given(st.integers(20, 30), st.integers(0, 9000), st.integers(1, 400))
def test_a_whole_run_of_any_size_has_no_gap(power: int, first: int, count: int) -> None:
    size = 1 << power
    facts = listed([segment_name(1, number, size) for number in range(first, first + count)])
    found = facts.segment_size_bytes
    assert found is not None
    assert judge_sequence(facts, timeline_tree(facts), found, backups=None).gaps == ()


def test_suffixes_of_codecs_that_are_not_read_here_still_name_a_segment() -> None:
    facts = listed(["00000001000000000000000E.snappy", "00000001000000000000000F.lzo", "x.json"])
    assert sorted(facts.segments) == ["00000001000000000000000E", "00000001000000000000000F"]
    assert facts.other_count == 1
