"""Each field of a page's header damaged, on pages of every kind; each archive really restored."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from parsers.wal.page import (
    PAGE_BYTES,
    SHORT_HEADER_BYTES,
    XLP_FIRST_IS_CONTRECORD,
    parse_page_header,
)
from rules.model.outcome import Outcome
from rules.model.target import Target
from tests.damaging import rewrite
from tests.fix_recovery import RecoveryStory as Story
from tests.fix_recovery import every_major
from tests.histories import commit, fill_to

pytestmark = every_major
FINISHED: Final = 1_600_000_000  # a file that changed so long ago is not being written any more
_TIMELINE: Final = 4
# What is written over: an offset in the header, and the bits that are turned.
FIELDS: Final = {
    "magic": (0, 1), "continues": (2, 1), "long": (2, 2), "removable": (2, 4),
    "overwrites": (2, 8), "flags": (3, 0x80), "timeline": (_TIMELINE, 2),
    "high byte of the timeline": (_TIMELINE + 3, 0x80), "address": (8, 0x40), "remaining": (16, 8),
    "padding": (20, 0xFF),
}  # fmt: skip
# Every field on a page of one kind, and the timeline, which recovery asks about late, on all.
THOROUGH: Final = "TRUTH_PAGES" in os.environ


class Page(NamedTuple):
    kind: str
    path: Path
    at: int


def pages(paths: list[Path]) -> Iterator[Page]:
    """The first of each kind: what was carried over ends there, runs through, or there is none."""
    found = set()
    for path in paths:
        data = path.read_bytes()
        for at in range(0, len(data), PAGE_BYTES):
            header = parse_page_header(data, at)
            continues = header.info & XLP_FIRST_IS_CONTRECORD and header.remaining
            room = PAGE_BYTES - SHORT_HEADER_BYTES
            kind = ("ends" if continues <= room else "through") if continues else "begins"
            kind += "" if at else " a file"
            if header.magic and kind not in found:
                found.add(kind)
                yield Page(kind, path, at)


def check(story: Story, page: Page, offset: int, mask: int, target: Target) -> Outcome:
    whole = page.path.read_bytes()
    data = bytearray(whole)
    data[page.at + offset] ^= mask
    rewrite(page.path, bytes(data))
    os.utime(page.path, (FINISHED, FINISHED))
    try:
        outcome, _ = story.check(target)
    finally:
        rewrite(page.path, whole)
    return outcome


@pytest.mark.timeout(3600 if THOROUGH else 900)
def test_a_field_of_a_page_header(story: Story) -> None:
    """`redo done at` names a record that was read whole on a page of another timeline."""
    story.take_backup()
    with story.life.connect() as connection:
        connection.execute("CREATE TABLE many (n int, t text)")
        connection.execute("SELECT pg_switch_wal()")
        for size in range(60):
            with connection.transaction():
                story.life.insert(connection)
                connection.execute(
                    "INSERT INTO many SELECT i, repeat('x', %s + i %% 50)"
                    " FROM generate_series(1, 40) i", [size],
                )  # fmt: skip
        connection.execute("SELECT pg_logical_emit_message(false, 'p', repeat('x', 30000))")
        commit(story.life, connection)
        fill_to(connection, 40)
        commit(story.life, connection)
        connection.execute("SELECT pg_switch_wal()")
        commit(story.life, connection)
    story.life.finish()
    kinds = {page.kind: page for page in pages(story.segments()[-4:])}
    assert kinds.keys() == {"ends", "through", "begins", "ends a file", "begins a file"}
    last = Target(type="xid", value=str(list(story.life.rows.values())[-1]))
    for page, (field, (offset, mask)) in itertools.product(kinds.values(), FIELDS.items()):
        if THOROUGH or page.kind == "ends" or offset == _TIMELINE:
            target = last if field == "magic" else Target()
            outcome = check(story, page, offset, mask, target)
            if offset == _TIMELINE:
                read_on = outcome.redo_done_lsn != outcome.stop.lsn  # type: ignore[union-attr]
                assert read_on is (page.kind != "through")


def test_pages_of_a_later_timeline_than_the_files_name(story: Story) -> None:
    """They are read while the target's history has their timeline."""
    story.take_backup()
    with story.life.connect() as connection:
        for _ in range(3):
            commit(story.life, connection)
    story.life.finish()
    child = story.fork(story.life, Target(type="xid", value=str(list(story.life.rows.values())[1])))
    with child.connect() as connection:
        for _ in range(4):
            commit(child, connection)
            connection.execute("SELECT pg_logical_emit_message(false, 'p', repeat('x', 30000))")
            commit(child, connection)
            connection.execute("SELECT pg_switch_wal()")
    child.finish()
    *named, last = (path for path in story.segments() if path.name.startswith("00000002"))
    for path in named:
        path.replace(path.with_name(f"00000001{path.name[8:]}"))
    inside = f"0/{int(named[-1].name[16:], 16):X}00100"
    for target in (
        Target(), Target(type="xid", value=str(list(child.rows.values())[-1])),
        Target(type="lsn", value=inside), Target(type="lsn", value=inside, inclusive=False),
    ):  # fmt: skip
        outcome, _ = story.check(target)
        assert outcome.reachable and outcome.segments_needed[-1][:8] in ("00000001", last.name[:8])
    outcome, _ = story.check(Target(timeline="1"))
    assert not outcome.reachable, "timeline 1 has no such pages"
