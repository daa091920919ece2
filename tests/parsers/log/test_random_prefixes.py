"""A real failing and a real promoted restore under any log_line_prefix, which nobody tells.

What is read is right, or it is not read: a prefix that one line does not betray is asked for.
"""

from __future__ import annotations

import random
import re
from typing import Final

import pytest

from parsers.log.stream import LogStream
from rules.live.state_machine import RestoreMachine
from rules.live.summary import summarize
from tests.parsers.log.prefixes import KNOWN, random_prefix, render

ENDED_EARLY: Final = "recovery ended before configured recovery target was reached"
RUNS: Final = {
    "corrupt_record_target": ("failed", False, ENDED_EARLY),
    "target_lsn_exclusive": ("promoted", True, None),
}
CAMPAIGN: Final = 500
LEAST_RIGHT: Final = 0.8  # of them: the others must be asked for


def judged(text: str, told: str | None = None) -> tuple[str | None, bool | None, str | None] | None:
    """What is said of a log; None where its prefix is asked for."""
    stream = LogStream(prefix=told)
    restore = RestoreMachine()
    restore.apply_all(stream.feed(text.encode()) + stream.end())
    if stream.counts.unreadable:
        return None
    summary = summarize(restore)
    return summary.outcome, summary.reached_target, summary.fatal_message


def renderings(prefix: str) -> list[tuple[str, str]]:
    return [(case, render(case, prefix, clients=clients)) for case in RUNS for clients in (0, 1)]


@pytest.mark.parametrize("prefix", KNOWN)
def test_a_prefix_that_people_use_is_detected(prefix: str) -> None:
    for case, text in renderings(prefix):
        assert judged(text) == RUNS[case]


@pytest.mark.parametrize(
    "seeds", [range(60), pytest.param(range(60, CAMPAIGN), marks=pytest.mark.slow)]
)
def test_no_prefix_makes_the_verdict_wrong(seeds: range) -> None:
    right = 0
    for seed in seeds:
        prefix = random_prefix(random.Random(seed))
        for case, text in renderings(prefix):
            found = judged(text)
            assert found in (RUNS[case], None), (seed, prefix, case)
            right += found is not None
    assert right >= LEAST_RIGHT * len(seeds) * len(renderings(""))


# Nothing shows where the value of one escape ends and the next begins.
TOUCHING: Final = re.compile(r"%-?\d*\w%-?\d*\w")


@pytest.mark.slow
def test_any_prefix_is_read_right_once_it_is_told() -> None:
    prefixes = [random_prefix(random.Random(seed)) for seed in range(CAMPAIGN)]
    for prefix in [each for each in prefixes if TOUCHING.search(each) is None][:60]:
        for case, text in renderings(prefix):
            assert judged(text, prefix) == RUNS[case], (prefix, case)


SQLSTATES: Final = (
    "%m [%p] %e ", "%e %m [%p] ", "%t:%r:%u@%d:[%p]:%e:", "%m %p %e: ", "[%e] %t %p ",
    "%e|%p|%m|", "%m [%p]-%e-%b ", "%p%e %m ", "%m [%p] %q%u@%d %e ",
)  # fmt: skip
CODES: Final = {"FATAL": "XX000", "LOG": "00000"}


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("prefix", SQLSTATES)
def test_a_sqlstate_with_letters_hides_no_fatal(prefix: str, verbose: bool) -> None:
    """In the prefix (%e), or before the message (log_error_verbosity = verbose)."""
    for case, text in renderings(prefix):
        said = text
        if verbose:
            said = re.sub(r"\b(FATAL|LOG):  ", lambda hit: f"{hit[0]}{CODES[hit[1]]}: ", text)
        assert judged(said) in (RUNS[case], None), (prefix, case)
        assert TOUCHING.search(prefix) or judged(said) == RUNS[case]


def test_a_prefix_that_holds_what_ends_a_label_is_asked_for() -> None:
    """Lines that the detected prefix does not fit are heard behind any `:  `."""
    for case, text in renderings(":%-4d%a-%-12P%Q@%8L%8p%v=%l "):
        assert judged(text) in (RUNS[case], None)
