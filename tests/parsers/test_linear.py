"""What a megabyte of the worst input costs: no parser takes more than its length makes it.

A ratio in one process, no time: `tests/parsers/growth.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.parsers.entries import ENTRIES, ask
from tests.parsers.growth import FACTOR, grows_too_fast

SMALL = 128 << 10
# What is repeated: each sort of thing that a parser may look for, wait for, or look back from.
UNITS = (
    b" ", b"\n", b"a", b"0", b"'", b'"', b"\\", b"[", b"{", b'{"a":', b",", b"%s", b"\0", b"\xff",
    b"a ", b"a=b\n", b"a = 'b\n", b"[s]\na=b\n", b"1\t0/1\tx\n", b"]\n", b"}\n", b"\tx\n",
    b"2026-11-22 12:46:40.700 UTC [7] LOG:  redo starts at 0/28\n",
    b'2026-11-22 12:46:40.700 UTC,,,7,,"\n', b"ERROR: ", b"\x1b[", b"\xc3\xa9",
    b"Nov 22 12:46:40 h postgres[7]: [1-1] ",
)  # fmt: skip
HEADS = (b"", b'{"a\n', b"2026-11-22 12:46:40.700 UTC [7] LOG:  ")


# A log has a whole reader, which takes seconds a megabyte.
SIZES = [
    *((name, SMALL // 4 if "log" in name else SMALL) for name in ENTRIES),
    *(pytest.param(name, SMALL, marks=pytest.mark.campaign) for name in ENTRIES if "log" in name),
]


def grows(name: str, small: int, head: bytes, unit: bytes) -> bool:
    def work(size: int) -> Callable[[], None]:
        data = (head + unit * (size // len(unit) + 1))[:size]
        return lambda: ask(ENTRIES[name], data)

    return grows_too_fast(work(small), work(small * FACTOR))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "small"), SIZES)
def test_a_megabyte_costs_what_its_length_makes_it(name: str, small: int) -> None:
    slow = [
        (head, unit)
        for head in (HEADS[:1] if "log" in name else HEADS)
        for unit in UNITS
        if grows(name, small, head, unit)
    ]
    assert slow == []


def test_a_list_that_closes_for_ever_is_no_error() -> None:
    for name in ("wrapping", "log"):
        ask(ENTRIES[name], b'{"' + b"]" * 20000)
