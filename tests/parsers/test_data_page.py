"""Names of relations' files, pages and incremental files.

That the checksum is the server's is shown by its own pg_checksums: integration/test_backup_pages.
"""

from __future__ import annotations

import random
import struct
from array import array
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.errors import ParseError
from parsers.files.data_page import (
    BLOCK_SIZES,
    RelationFile,
    Replayed,
    incremental_blocks,
    parse_incremental_start,
    parse_relation_path,
    relation_files,
)
from parsers.files.page_checks import see_pages
from parsers.files.page_columns import page_checksums
from parsers.wal import kernel

CATALOG = 202307071
MOVED = f"pg_tblspc/16390/PG_16_{CATALOG}/5"
MAGIC = 0xD3AE1F0D


@pytest.mark.parametrize(
    ("path", "relation", "fork", "segment", "incremental"),
    [
        ("base/5/16384", "base/5/16384", "main", 0, False),
        ("base/5/16384.1", "base/5/16384", "main", 1, False),
        ("base/5/16384_fsm", "base/5/16384", "fsm", 0, False),
        ("base/5/16384_vm.12", "base/5/16384", "vm", 12, False),
        ("base/5/16384_init", "base/5/16384", "init", 0, False),
        ("global/1262", "global/1262", "main", 0, False),
        (f"{MOVED}/16391_vm", f"{MOVED}/16391", "vm", 0, False),
        ("base/5/INCREMENTAL.16384_fsm.3", "base/5/16384", "fsm", 3, True),
    ],
)
def test_a_relations_file(
    path: str, relation: str, fork: str, segment: int, incremental: bool
) -> None:
    assert parse_relation_path(path, CATALOG) == RelationFile(relation, fork, segment, incremental)


@pytest.mark.parametrize(
    "path",
    [
        "global/pg_control", "global/pg_filenode.map", "global/pg_internal.init",
        "base/5/PG_VERSION",
        "base/5/pg_internal.init.1234", "base/5/t3_16384", "base/5/t3_16384_fsm", "base/16384",
        "base/pgsql_tmp/16384", "base/5/pgsql_tmp1234.0", "base/5/16384_fsm.0", "base/5/016384",
        "base/5/16384.", "base/5/16384_old", "base/5/16384.bak", "base/x/16384", "pg_wal/16384",
        "base/5/16384/1", "16384", "global/5/16384", "pg_tblspc/16390/16384", "base/5/1638\u0664",
        "pg_tblspc/16390/PG_15_202209061/5/16391", f"{MOVED}/t1_16391", "base/5/16384\n",
    ],
)  # fmt: skip
def test_no_relations_file(path: str) -> None:
    assert parse_relation_path(path, CATALOG) is None


def test_an_unlogged_relation_is_its_init_fork() -> None:
    """What ResetUnloggedRelations leaves."""
    kept = ["base/5/16385", "base/5/16384_init", "base/6/16384"]
    emptied = ["base/5/16384", "base/5/16384.1", "base/5/16384_fsm", "base/5/16384_vm"]
    assert list(relation_files(sorted(kept + emptied), CATALOG)) == sorted(kept)


def page(block: int, *, size: int = 8192, lsn: int = 1000, fill: bytes = b"\x5a") -> bytes:
    """A page with the checksum that it should have."""
    header = struct.pack(
        "<IIHHHHHHI", lsn >> 32, lsn & 0xFFFFFFFF, 0, 0, 24, 100, size, size | 4, 0
    )
    data = bytearray((header + fill * (size - len(header)))[:size])
    words = np.frombuffer(bytes(data), np.uint32).reshape(1, -1)
    struct.pack_into("<H", data, 8, int(page_checksums(words, np.array([block]))[0]))
    return bytes(data)


@pytest.fixture(
    params=[pytest.param("c", marks=pytest.mark.needs("the compiled engine")), "numpy"],
    autouse=True,
)
def _engine(request: pytest.FixtureRequest) -> Iterator[None]:
    before = kernel.running()
    kernel.choose(request.param)
    yield
    kernel.choose(before)


@pytest.mark.parametrize("size", BLOCK_SIZES)
def test_pages_of_every_size_and_their_places(size: int) -> None:
    content = page(7, size=size) + bytes(size) + page(9, size=size)
    seen = see_pages(content, size, range(7, 10), None)
    assert (seen.checked, seen.new, seen.newer) == (2, 1, 0)
    assert (seen.damaged, seen.headless) == ([], [])
    moved = see_pages(content, size, array("q", [9, 8, 7]), None)
    assert moved.damaged == [0, 2]


def test_a_flipped_bit_is_seen_wherever_it_is() -> None:
    """Every bit of the header, and some of the rest: one in 65,536 flips keeps a sum of 16 bits."""
    flipped = [*range(24 * 8), *range(24 * 8, 8192 * 8, 97)]
    content = bytearray(page(3) * len(flipped))
    for number, bit in enumerate(flipped):
        content[number * 8192 + bit // 8] ^= 1 << bit % 8
    seen = see_pages(bytes(content), 8192, array("q", [3] * len(flipped)), None)
    assert sorted([*seen.damaged, *seen.headless]) == list(range(len(flipped)))


@pytest.mark.parametrize(
    ("lsn", "end", "newer"),
    [
        (4999, 9000, False), (5000, 9000, True), (9000, 9000, True), (9001, 9000, False),
        (1 << 60, 9000, False), (1 << 60, None, True), (4999, None, False),
    ],
)  # fmt: skip
def test_what_replay_writes_again_is_not_judged(lsn: int, end: int | None, newer: bool) -> None:
    """A page is no newer than the end of its backup: there, the LSN itself is damaged."""
    broken = page(0, lsn=lsn)[:-1] + b"!"
    seen = see_pages(broken, 8192, range(1), Replayed(5000, end))
    assert (seen.newer, seen.checked, len(seen.damaged)) == ((1, 0, 0) if newer else (0, 1, 1))


@pytest.mark.needs("the compiled engine")
@pytest.mark.parametrize("size", BLOCK_SIZES)
@pytest.mark.parametrize("portable", [False, True])
def test_the_engines_agree_on_pages(size: int, portable: bool) -> None:
    chance, pages, kinds = (
        random.Random(size),
        list[bytes](),
        ["sound", "zero", "noise", "headless"],
    )
    numbers = array("q", [chance.randrange(1 << 32) for _ in range(200)])
    for number in numbers:
        kind, lsn = chance.choice(kinds), chance.choice([0, 4999, 5000, 9000, 9001, 1 << 60])
        sound = page(number, size=size, lsn=lsn, fill=chance.randbytes(7))
        empty = bytes(12) + chance.randbytes(2) + bytes(size - 14)
        other = {"zero": bytes(size), "noise": chance.randbytes(size), "headless": empty}
        pages.append(other.get(kind, sound))
    content = b"".join(pages)
    built = kernel.built()
    assert built is not None
    built.use_portable(portable)
    try:
        for replayed in (None, Replayed(5000, 9000), Replayed(5000, None)):
            said = []
            for engine in kernel.ENGINES:
                kernel.choose(engine)
                said.append(see_pages(memoryview(content), size, numbers, replayed))
                said.append(see_pages(content[:size] * 9, size, range(3, 12), replayed))
            assert said[:2] == said[2:]
    finally:
        built.use_portable(False)


def test_the_kernel_refuses_what_are_no_whole_pages() -> None:
    built = kernel.built()
    if built is None:
        return
    for content, size, numbers in (
        (bytes(8191), 8192, None), (bytes(8192), 8000, None), (bytes(8192), 0, None),
        (bytes(8192), 8192, array("q", [1, 2])), (bytes(65536), 65536, None),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="page"):
            built.see_pages(content, size, 0, numbers, 1, 0)


def test_a_lost_header_is_no_new_page() -> None:
    lost = bytes(512) + page(0)[512:]
    seen = see_pages(lost, 8192, range(1), None)
    assert (seen.new, seen.checked, seen.damaged) == (0, 0, [])
    assert seen.headless == [0]


@given(st.lists(st.integers(0, 131071), max_size=300), st.sampled_from(BLOCK_SIZES))
def test_an_incremental_header_says_its_length_and_its_blocks(
    numbers: list[int], size: int
) -> None:
    header = struct.pack(f"<III{len(numbers)}I", MAGIC, len(numbers), 9, *numbers)
    header += bytes(-len(header) % size if numbers else 0)
    start = parse_incremental_start(header, size, 131072)
    assert start == (len(numbers), len(header))
    assert incremental_blocks(header + bytes(size), start).tolist() == numbers


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "cut short"),
        (struct.pack("<II", MAGIC, 1), "cut short"),
        (struct.pack("<III", MAGIC + 1, 1, 1), "does not begin as an incremental file"),
        (struct.pack("<III", MAGIC, 131073, 1), "more blocks than a segment has"),
    ],
)
def test_no_incremental_file(data: bytes, why: str) -> None:
    with pytest.raises(ParseError, match=why):
        parse_incremental_start(data, 8192, 131072)
