"""What `find` reads of catalogs and block references, whatever the bytes are."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.errors import ParseError
from parsers.wal.blocks import Image, read_blocks, restore_page, unpack_pglz
from parsers.wal.decode import Source
from parsers.wal.heap_page import PAGE_BYTES, read_page, read_relation
from parsers.wal.journal import read_changes
from parsers.wal.pg_catalog import (
    is_invalid_database,
    read_class_row,
    read_filenode_map,
    read_named_row,
)
from parsers.wal.record import Rmgr

MAJORS = st.sampled_from(range(13, 19))


@given(data=st.binary(max_size=400), major=MAJORS)
def test_nothing_but_a_parse_error_is_raised(data: bytes, major: int) -> None:
    record = bytes(24) + data
    with suppress(ParseError):
        for block in read_blocks(record, major):
            if block.image:
                restore_page(block.image)
    with suppress(ParseError):
        read_filenode_map(data)
    read_class_row(data, major)
    read_named_row(data)
    is_invalid_database(data, major)
    for rmgr in (Rmgr.XLOG, Rmgr.HEAP, 9):
        for operation in (0x00, 0x10, 0x20, 0x40, 0x70, 0xA0):
            source = Source(major, 8, 16, 700, rmgr, operation)
            list(read_changes(record, source, frozenset({0, 1259})))


@given(head=st.binary(min_size=24, max_size=24), items=st.binary(max_size=200))
def test_a_torn_page_gives_only_tuples_that_lie_on_it(head: bytes, items: bytes) -> None:
    page = (head + items).ljust(PAGE_BYTES, b"\xff")
    for found in read_page(page):
        assert 0 < len(found.values) + 23 <= PAGE_BYTES
    assert list(read_relation(page[:-1])) == []


@given(content=st.binary(max_size=60), size=st.integers(0, 400))
def test_pglz_gives_the_size_that_was_announced_or_an_error(content: bytes, size: int) -> None:
    with suppress(ParseError):
        assert len(unpack_pglz(content, size)) == size


def test_pglz_copies_may_overlap_and_be_long() -> None:
    assert unpack_pglz(bytes([0b10, 97, 0x03, 0x01]), 7) == b"aaaaaaa"
    assert unpack_pglz(bytes([0b100, 97, 98, 0x0F, 0x02, 5]), 25) == (b"ab" * 13)[:25]
    with pytest.raises(ParseError, match="before its start"):
        unpack_pglz(bytes([0b1, 0x03, 0x01]), 7)


def test_a_page_gets_its_hole_back() -> None:
    content = bytes([1]) * 100 + bytes([2]) * 50
    page = restore_page(Image(content, 100, PAGE_BYTES - 150, 0))
    assert (page[:100], page[100:-50], page[-50:]) == (
        bytes([1]) * 100, bytes(PAGE_BYTES - 150), bytes([2]) * 50,
    )  # fmt: skip
    with pytest.raises(ParseError, match="instead of 8192"):
        restore_page(Image(content, 100, 1, 0))


def test_a_map_that_is_cut_is_none() -> None:
    whole = struct.pack("<II", 0x592717, 1) + struct.pack("<II", 1259, 16384)
    assert read_filenode_map(whole) == {1259: 16384}
    for length in range(len(whole)):
        with pytest.raises(ParseError):
            read_filenode_map(whole[:length])
