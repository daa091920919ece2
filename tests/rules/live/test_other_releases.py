"""Logs of releases that are not covered: named from their banner, and what they say is unproven."""

from __future__ import annotations

import re

import pytest

from parsers.log.stream import LogStream
from parsers.wal.page import NEWEST_MAJOR
from rules.live.attempt import OLDEST_MAJOR
from rules.live.facts import RestoreRecord, watch_restore
from rules.live.summary import summarize
from rules.verdict.live import explain
from tests.parsers.catalogues import LOGS

NAMES = ("missing_middle_target.log", "target_time_promote.log", "no_target.log")


def cause_of(name: str, major: int) -> str | None:
    """Why it is as it is, of a log whose banner has another release."""
    text = re.sub(r"PostgreSQL \d+", f"PostgreSQL {major}", (LOGS / name).read_text())
    stream, record = LogStream(), RestoreRecord()
    record.apply_all([*stream.feed(text.encode()), *stream.end()])
    return explain(watch_restore(record, summarize(record), None)).cause


@pytest.mark.parametrize("major", [9, 10, 12, OLDEST_MAJOR - 1, NEWEST_MAJOR + 1, 23])
@pytest.mark.parametrize("name", NAMES)
def test_a_release_that_is_not_covered_is_named(name: str, major: int) -> None:
    cause = cause_of(name, major)
    assert cause is not None
    assert f"PostgreSQL {major}" in cause and "not proven" in cause


@pytest.mark.parametrize("major", [OLDEST_MAJOR, NEWEST_MAJOR])
@pytest.mark.parametrize("name", NAMES)
def test_of_others_nothing_is_said(name: str, major: int) -> None:
    assert "not proven" not in (cause_of(name, major) or "")
