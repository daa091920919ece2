"""The filter changes the cost of a log, never what is found in it."""

from __future__ import annotations

import random
from typing import Final

import pytest

from parsers.log.recovery_events import RecoveryEvent
from parsers.log.stream import LogStream
from tests.parsers.log.prefixes import KNOWN, random_prefix, render

# What clients can write that sounds like a recovery, or holds what ends a label.
TEXTS: Final = (
    "LOG:  duration: 0.1 ms  statement: SELECT 1", "LOG:  redo starts at 0/28",
    "LOG:  00000: redo starts at 0/28", "LOG:  statement: SELECT ':  redo starts at 0/28'",
    "ERROR:  syntax error", "DETAIL:  redo starts at 0/28", "STATEMENT:  LOG:  redo starts at 0/28",
    "FATAL:  the database system is starting up", "FATAL:  no such thing: x", "PANIC:  could not",
    "LOG:  server process (PID 7) was terminated by signal 9: Killed", "\tLOG:  redo starts at 0/1",
    "LOG:  archive recovery complete", "CATALOG:  redo starts at 0/28", "LOG :  redo starts at 0/1",
)  # fmt: skip
NAMES: Final = ("", "ana@shop ", "LOG:  ", "a b ", "[unknown] ", "10.0.0.7:5432 ", "x:  y ")
OTHERS: Final = ("cp: cannot stat 'x'", "P00   INFO: archive-get:async", "", "2026-11-22", "\tx")


def with_traffic(text: str, chance: random.Random) -> bytes:
    """A log with lines between its own that begin as they do, and go on otherwise."""
    lines = text.splitlines(keepends=True)
    heads = [line.partition("LOG:  ")[0] for line in lines if "LOG:  " in line]
    out: list[str] = []
    for line in lines:
        out.append(line)
        for _ in range(chance.randrange(6)):
            words = chance.choice(NAMES) + chance.choice(TEXTS)
            made = chance.choice([chance.choice(heads) + words] * 4 + [chance.choice(OTHERS)])
            out.append(f"{made}\n")
    return "".join(out).encode()


def events(log: bytes, prefix: str | None, chunk: int, *, filtered: bool) -> list[object]:
    stream = LogStream(prefix=prefix)
    if not filtered:
        stream._new_filter = lambda: None  # type: ignore[method-assign]
    found = [e for at in range(0, len(log), chunk) for e in stream.feed(log[at : at + chunk])]
    assert not filtered or stream.counts.lines in (0, log.count(b"\n", 0, log.rfind(b"\n") + 1))
    return [each for each in [*found, *stream.end()] if isinstance(each, RecoveryEvent)]


RANDOM: Final = [random_prefix(random.Random(seed)) for seed in range(60)]
PREFIXES: Final = [
    *KNOWN, *RANDOM[:10], *(pytest.param(each, marks=pytest.mark.slow) for each in RANDOM[10:])
]  # fmt: skip


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_no_line_that_counts_is_passed_over(prefix: str, told: bool) -> None:
    chance = random.Random(prefix)
    log = with_traffic(render("target_lsn_exclusive", prefix, clients=1), chance)
    given = prefix if told else None
    for chunk in (len(log), 997):
        seen = events(log, given, chunk, filtered=True)
        assert seen == events(log, given, chunk, filtered=False)


def test_a_record_that_is_open_when_the_filter_begins_keeps_its_other_lines() -> None:
    head = "2026-11-22 12:46:40.700 UTC [4364] "
    lines = (
        "LOG:  redo starts at 0/28", "FATAL:  could not locate required checkpoint record",
        "HINT:  If you are restoring from a backup, touch x.\n\tOr y.", "LOG:  shutting down",
    )  # fmt: skip
    log = "".join(f"{head}{line}\n" for line in lines).encode()
    assert events(log, None, len(log), filtered=True) == events(log, None, 1, filtered=False)
