"""Pages from chunks of any length, of many files at once."""

from __future__ import annotations

import random
import struct
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.backups.describe import Pieces
from agent.backups.pages import PageCheck, page_check
from parsers.files.backup_label import parse_backup_label
from rules.model.facts import DamagedFork, PagesFacts
from tests.parsers.test_data_page import page
from tests.parsers.test_formats import LABEL

CONTROL = Path(__file__).parent.parent.parent / "data/control/19/shut_down.pg_control"
PAGE = 8192
BAD = b"\x01" * PAGE


def check_of(*paths: str) -> PageCheck:
    pieces = Pieces(label=LABEL, control=CONTROL.read_bytes())
    return page_check(pieces, None, parse_backup_label(LABEL), paths, cold=True)


def cut(content: bytes, chance: random.Random, longest: int) -> Iterator[bytes]:
    at = 0
    while at < len(content):
        size = chance.randrange(1, longest)
        yield content[at : at + size]
        at += size


def read(check: PageCheck, path: str, chunks: Iterator[bytes]) -> bytes:
    return b"".join(check.through(path, chunks))


FILES = {
    "base/5/16384": b"".join(page(n) for n in range(40)) + BAD,
    "base/5/16384_vm": page(0) + bytes(PAGE),
    "base/5/16384.2": page(262144) + BAD + page(262146),
    "base/5/INCREMENTAL.16385.1": struct.pack("<III2I", 0xD3AE1F0D, 2, 9, 7, 100).ljust(PAGE, b"\0")
    + page(131079) + BAD,
    "base/5/INCREMENTAL.16386": struct.pack("<III", 0xD3AE1F0D, 0, 9),
    "base/5/PG_VERSION": b"16\n",
}  # fmt: skip
SEEN = PagesFacts(
    checked=41 + 1 + 3 + 2, new=1,
    damaged=(DamagedFork("base/5/16384", "main", (40, 262145), 2),
             DamagedFork("base/5/16385", "main", (131172,), 1)),
)  # fmt: skip


@pytest.mark.parametrize("longest", [50, 5000, 9000, 40000, 1 << 20])
def test_chunks_of_any_length(longest: int) -> None:
    chance = random.Random(longest)
    check = check_of(*FILES)
    for path, content in FILES.items():
        assert read(check, path, cut(content, chance, longest)) == content
    assert (check.facts(), check.unread) == (SEEN, [])


def test_the_first_pages_are_named_and_all_are_counted() -> None:
    check = check_of("base/5/16384")
    deque(check.through("base/5/16384", [BAD * 600, BAD * 600]), maxlen=0)
    (found,) = check.facts().damaged
    assert (found.blocks, found.page_count) == (tuple(range(20)), 1200)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (page(0) + b"x" * 9, "ends 9 bytes into page 1"),
        (struct.pack("<II", 0xD3AE1F0D, 1), "its header is cut short"),
        (struct.pack("<IIII", 0xD3AE1F0D, 1, 9, 3), "its header is cut short"),
        (struct.pack("<IIII", 1, 1, 9, 3), "it does not begin as an incremental file"),
        (FILES["base/5/INCREMENTAL.16385.1"][:-PAGE], "it holds 1 of the 2 pages"),
        (FILES["base/5/INCREMENTAL.16385.1"] + BAD, "it holds more pages than its header names"),
    ],
)
def test_what_cannot_be_read_as_pages_is_said(content: bytes, why: str) -> None:
    name = "base/5/16385" if content.startswith(page(0)) else "base/5/INCREMENTAL.16385.1"
    check = check_of(name)
    deque(check.through(name, [content]), maxlen=0)
    (said,) = check.unread
    assert said.startswith(f"{name} ({why}")


def test_nothing_read_is_nothing_told() -> None:
    assert check_of("base/5/16384").facts().unchecked == "no file of a relation could be read"
