"""What is said of WAL outside the archives: what it adds, and the commands that bring it there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import pytest

from rules.catalogue.wal_elsewhere import copy_commands, wal_elsewhere
from rules.model.evidence import CopyStep, ElsewhereFacts, Gain

SEGMENTS: Final = tuple(f"00000001000000000000000{number}" for number in (5, 6, 7))
BEFORE, NOW = (datetime(2026, 11, 28, 14, minute, tzinfo=UTC) for minute in (29, 45))
GAIN: Final = Gain(backup="/b", timeline=1, from_lsn=0x5000028, to_lsn=0x7000100)
PLAIN: Final = ElsewhereFacts(
    urls=("/pg_wal",), segments=SEGMENTS, gains=(GAIN,), destination="/archive/"
)


def step(stored: str, directory: str = "/pg_wal", *, replaces: bool = False) -> CopyStep:
    name = stored.removesuffix(".partial")
    return CopyStep(directory=directory, stored=stored, name=name, replaces=replaces)


def said(elsewhere: ElsewhereFacts) -> str:
    (found,) = wal_elsewhere.function(elsewhere)
    return str(found.summary)


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (GAIN, "grows from 0/5000028 to 0/7000100"),
        (replace(GAIN, from_lsn=None), "grows from nothing to 0/7000100"),
        (
            replace(GAIN, from_time=BEFORE, to_time=NOW, commits=3),
            "to 0/7000100, the last commit from 2026-11-28 14:29:00.000000"
            " to 2026-11-28 14:45:00.000000 UTC, 3 more commits",
        ),
        (replace(GAIN, to_time=NOW), "the last commit from no commit to 2026-11-28 14:45"),
    ],
)
def test_what_a_backup_gains(gain: Gain, words: str) -> None:
    told = said(replace(PLAIN, gains=(gain,)))
    assert words in told
    assert f"{SEGMENTS[0]} to {SEGMENTS[-1]}" in told


def test_files_under_later_names_are_left_out() -> None:
    assert "later names" not in said(PLAIN)
    assert "; do not copy 2 files with later names" in said(replace(PLAIN, recycled=SEGMENTS[:2]))


def test_each_source_has_its_command() -> None:
    five, six, seven = SEGMENTS
    copies = (
        step(five), step(six, replaces=True), step(f"{seven}.partial"),
        step("00000002.history", "/backup/pg_wal.tar.gz"),
    )  # fmt: skip
    assert list(copy_commands(replace(PLAIN, copies=copies))) == [
        f"mv /archive/{six} /archive/{six}.damaged",
        f"cp -n /pg_wal/{five} /pg_wal/{six} /archive/",
        f"cp -n /pg_wal/{seven}.partial /archive/{seven}",
        "tar -xOf /backup/pg_wal.tar.gz 00000002.history > /archive/00000002.history",
    ]
    assert list(copy_commands(replace(PLAIN, copies=copies, destination=None))) == []
