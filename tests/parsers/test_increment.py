"""The heads of increments, cut at every length; whole chains are restored in integration tests."""

from __future__ import annotations

import struct

import pytest

from parsers.errors import ParseError
from parsers.files.increment import FIXED_BYTES, parse_increment


def postgres(blocks: int, *numbers: int) -> bytes:
    return struct.pack(f"<III{len(numbers)}I", 0xD3AE1F0D, len(numbers), blocks, *numbers)


def walg(size: int, *numbers: int) -> bytes:
    return b"wi1U" + struct.pack(f"<QI{len(numbers)}I", size, len(numbers), *numbers)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (postgres(7), (7 * 8192, 12, 0, 12)),  # nothing changed: no blocks, no padding
        (postgres(7, 1, 6), (7 * 8192, 12, 2, 8192)),
        (walg(16384), (16384, 16, 0, 16)),
        (walg(16384, 0, 1, 5), (16384, 16, 3, 28)),
    ],
)
def test_what_it_says(head: bytes, expected: tuple[int, ...]) -> None:
    assert parse_increment(head[:FIXED_BYTES]) == expected


@pytest.mark.parametrize("head", [postgres(7, 1)[:12], walg(16384, 1)[:16]])
def test_a_head_that_is_cut_short_is_no_increment(head: bytes) -> None:
    for end in range(len(head)):
        with pytest.raises(ParseError):
            parse_increment(head[:end])


@pytest.mark.parametrize("head", [b"\0" * 16, walg(1 << 60), postgres(1 << 31)])
def test_what_cannot_be_is_refused(head: bytes) -> None:
    with pytest.raises(ParseError):
        parse_increment(head)
