"""A log that was rotated in the midst of a restore still tells how it ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from parsers.log.stream import LogStream
from rules.live.state_machine import RestoreMachine
from rules.live.summary import summarize
from rules.model.findings import Verdict

LOGS = Path(__file__).parents[2] / "parsers" / "logs"
PREFIX = "%m [%p] "


@pytest.mark.parametrize("name", ["no_target.log", "laboratory_name.log", "laboratory_time.log"])
def test_it_begins_with_the_segments_that_were_restored(name: str) -> None:
    """No pid of it is proven; what follows a restored segment counts all the same."""
    lines = (LOGS / name).read_text().splitlines(keepends=True)
    restored = [at for at, line in enumerate(lines) if "restored log file" in line]
    done = next(at for at, line in enumerate(lines) if "redo done" in line)
    for begin in (each for each in restored if each < done):
        stream, restore = LogStream(prefix=PREFIX), RestoreMachine()
        restore.apply_all(stream.feed("".join(lines[begin:]).encode()) + stream.end())
        summary = summarize(restore)
        assert (summary.outcome, summary.verdict) == ("promoted", Verdict.OK), begin
    assert restored
