"""A restore that ran beside its prediction: agreement, and every single respect of a difference."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from parsers.errors import UNQUOTED
from parsers.wal.facts import POSTGRES_EPOCH, TransactionKind
from rules.drill.comparison import DrillFacts, disagreements
from rules.live.summary import ConfiguredTarget, ReachedStop, Summary
from rules.model.outcome import Ending, LastTransaction, Obstacle, Outcome, Stop

AT = datetime(2026, 7, 8, tzinfo=UTC)
AT_US = (AT - POSTGRES_EPOCH) // timedelta(microseconds=1)
LAST = LastTransaction(xid=700, lsn=0x200, time_us=AT_US, kind=TransactionKind.COMMIT)
NOT_REACHED = "recovery ended before configured recovery target was reached"


def stop(kind: str, **changes: Any) -> Stop:
    made = {"position": "before", "kind": kind, "lsn": 0x300, "end_lsn": None, **changes}
    return Stop(**made)  # type: ignore[arg-type]


PROMOTED = Outcome(
    outcome="opens", reachable=True, reason="", ending=Ending.PROMOTED, redo_start_lsn=0x100,
    consistent_lsn=0x180, redo_done_lsn=0x280, new_timeline=2, last_transaction=LAST,
    stop=stop("commit", xid=701, time_us=AT_US),
)  # fmt: skip
PAUSED = replace(PROMOTED, ending=Ending.PAUSED, new_timeline=None)
SHUT_DOWN = replace(PAUSED, ending=Ending.SHUT_DOWN, redo_done_lsn=None)
AT_POINT = replace(PROMOTED, stop=stop("restore_point", name="p", time_us=AT_US))
AT_LSN = replace(PROMOTED, stop=stop("lsn", position="after"))
AT_END = replace(PROMOTED, stop=stop("end_of_wal"))
AT_ONCE = replace(PROMOTED, stop=stop("consistency"), redo_done_lsn=None, last_transaction=None)
SHORT = replace(
    PROMOTED, outcome="fails", reachable=False, fatal=NOT_REACHED, ending=None, stop=None,
    new_timeline=None,
)  # fmt: skip
UNWORDED = replace(SHORT, fatal=None)  # which words it dies with is not known
PREDICTIONS = {
    "promoted": PROMOTED, "paused": PAUSED, "shut down": SHUT_DOWN, "at a point": AT_POINT,
    "at an LSN": AT_LSN, "at the end": AT_END, "at once": AT_ONCE, "short": SHORT,
    "unworded": UNWORDED,
}  # fmt: skip


def logged(outcome: Outcome, /, **changes: Any) -> Summary:
    """What the server's log says where it does as predicted."""
    endings = {Ending.PROMOTED: "promoted", Ending.PAUSED: "paused", Ending.SHUT_DOWN: "shut_down"}
    stopped, last = outcome.stop, outcome.last_transaction
    reached = ReachedStop()
    if stopped is not None and stopped.kind != "end_of_wal":
        reached = ReachedStop(
            position=stopped.position, kind=stopped.kind, xid=stopped.xid, time=stopped.time,
            name=stopped.name, lsn=stopped.lsn,
        )  # fmt: skip
    made = Summary(
        outcome=endings[outcome.ending] if outcome.ending else "failed", reached_target=None,
        target=ConfiguredTarget(type="none", value=None), redo_start_lsn=outcome.redo_start_lsn,
        consistent_lsn=outcome.consistent_lsn, stop=reached, redo_done_lsn=outcome.redo_done_lsn,
        last_transaction_at=last.time if last and outcome.redo_done_lsn else None,
        new_timeline=outcome.new_timeline, restored_segments=(), missing_files=(),
        fatal_message=outcome.fatal,
    )  # fmt: skip
    return replace(made, **changes)


@pytest.mark.parametrize("name", PREDICTIONS)
def test_a_restore_that_did_as_predicted_agrees(name: str) -> None:
    outcome = PREDICTIONS[name]
    assert disagreements(outcome, logged(outcome), {}) == ()


OTHERWISE = [
    ("promoted", {"redo_start_lsn": 0x101}, "redo start: predicted 0/100, was 0/101"),
    ("promoted", {"consistent_lsn": None}, "consistent: predicted 0/180, was none"),
    ("promoted", {"redo_done_lsn": 0x281}, "redo done: predicted 0/280, was 0/281"),
    ("promoted", {"new_timeline": 3}, "new timeline: predicted 2, was 3"),
    ("promoted", {"outcome": "paused"}, "ending: predicted promoted, was paused"),
    ("promoted", {"fatal_message": "x"}, "FATAL: predicted none, was x"),
    (
        "promoted", {"last_transaction_at": AT + timedelta(seconds=1)},
        "last transaction: predicted 2026-07-08 00:00:00+00:00, was 2026-07-08 00:00:01+00:00",
    ),
    ("short", {"fatal_message": "y"}, f"FATAL: predicted {NOT_REACHED}, was y"),
    ("short", {"last_transaction_at": None}, "last transaction: predicted 2026-07-08"),
    ("paused", {"outcome": "shut_down"}, "ending: predicted paused, was shut_down"),
    ("at the end", {"stop": ReachedStop(kind="commit")}, "stop: predicted none, was commit"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "changes", "said"), OTHERWISE)
def test_a_single_difference_is_told_and_nothing_else(
    name: str, changes: dict[str, Any], said: str
) -> None:
    outcome = PREDICTIONS[name]
    (only,) = disagreements(outcome, logged(outcome, **changes), {})
    assert only.startswith(said)


@pytest.mark.parametrize(
    ("name", "changes", "what"),
    [
        ("promoted", {"xid": 9}, "stop's transaction"), ("promoted", {"time": None}, "stop's time"),
        ("promoted", {"kind": "abort"}, "stop"), ("promoted", {"position": "after"}, "stop"),
        ("at a point", {"name": "q"}, "stop's name"), ("at a point", {"time": None}, "stop's time"),
        ("at an LSN", {"lsn": 9}, "stop's LSN"), ("at once", {"kind": None}, "stop"),
        # of what the server does not say at such a stop nothing is compared
        ("at an LSN", {"time": None, "xid": 9, "name": "q"}, None),
        ("at a point", {"lsn": 9}, None), ("promoted", {"lsn": 9}, None),
        ("at the end", {"kind": "end_of_wal"}, None),
    ],
)  # fmt: skip
def test_a_stop_is_compared_by_what_the_server_says_of_it(
    name: str, changes: dict[str, Any], what: str | None
) -> None:
    outcome = PREDICTIONS[name]
    summary = logged(outcome)
    found = disagreements(outcome, replace(summary, stop=replace(summary.stop, **changes)), {})
    assert [each.partition(":")[0] for each in found] == ([what] if what else [])


def test_a_restore_that_died_instead_differs_in_outcome_and_ending() -> None:
    found = disagreements(PROMOTED, logged(PROMOTED, outcome="failed"), {})
    assert [each.partition(":")[0] for each in found] == ["outcome", "ending"]


def test_the_words_of_a_death_count_only_where_they_are_known() -> None:
    assert disagreements(UNWORDED, logged(UNWORDED, fatal_message="anything"), {}) == ()
    cut = replace(SHORT, fatal=f"syntax error in file{UNQUOTED}", panics=True)
    whole = "syntax error in file /secret"
    assert disagreements(cut, logged(cut, fatal_message=whole), {}) == ()
    (said,) = disagreements(cut, logged(cut, fatal_message="another"), {})
    assert said.startswith("PANIC: ")


def test_paused_or_shut_down_the_server_does_not_say_the_last_transaction() -> None:
    assert disagreements(PAUSED, logged(PAUSED, last_transaction_at=None), {}) == ()
    assert disagreements(SHUT_DOWN, logged(SHUT_DOWN, last_transaction_at=AT), {}) == ()


BAD, OTHER = "000000010000000000000003", "000000010000000000000004"


@pytest.mark.parametrize(
    ("reachable", "obstacle", "agrees"),
    [
        (False, BAD, True),
        (None, BAD, True),
        (True, BAD, False),
        (False, OTHER, False),
        (False, None, False),
    ],
)
def test_a_file_that_was_refused_agrees_only_where_it_was_to_end_the_restore(
    reachable: bool | None, obstacle: str | None, agrees: bool
) -> None:
    ends = Obstacle(kind="bad_crc", segment=obstacle, lsn=1, detail="") if obstacle else None
    outcome = replace(SHORT, reachable=reachable, obstacle=ends)
    summary = logged(SHORT, fatal_message="could not restore file")
    refused = {BAD: "bad CRC"}
    expected = () if agrees else (f"{BAD}: predicted as usable, fetch-wal refused it: bad CRC",)
    assert disagreements(outcome, summary, refused) == expected


def test_a_file_refused_on_a_way_that_was_not_needed_changes_nothing() -> None:
    assert disagreements(PROMOTED, logged(PROMOTED), {BAD: "bad CRC"}) == ()


# -- what a drill comes to ------------------------------------------------------------------------

UNKNOWN = Outcome(outcome="unknown", reachable=None, reason="")


@pytest.mark.parametrize(
    ("drill", "outcome", "agrees"),
    [
        ({"not_run": "no room"}, "not_run", None),
        ({"predicted": PROMOTED}, "not_run", None),
        ({"predicted": PROMOTED, "summary": logged(PROMOTED)}, "promoted", True),
        (
            {"predicted": PAUSED, "summary": logged(PAUSED), "disagreements": ("x",)},
            "paused",
            False,
        ),
        ({"predicted": SHUT_DOWN, "summary": logged(SHUT_DOWN)}, "shut_down", True),
        ({"predicted": SHORT, "summary": logged(SHORT)}, "failed", True),
        ({"predicted": UNKNOWN, "summary": logged(PROMOTED)}, "promoted", None),
        ({"summary": logged(PROMOTED)}, "promoted", None),
    ],
)
def test_what_a_drill_comes_to(drill: dict[str, Any], outcome: str, agrees: bool | None) -> None:
    facts = DrillFacts(backup="/b", target="t", **drill)
    assert (facts.outcome, facts.agrees) == (outcome, agrees)
    assert disagreements(UNKNOWN, logged(PROMOTED), {}) == ()


@pytest.mark.parametrize(
    ("replayed", "seconds", "rate"),
    [(100, 4.0, 25.0), (0, 4.0, 0.0), (None, 4.0, None), (9, 0.0, None), (9, None, None)],
)
def test_a_rate_is_of_both_figures(
    replayed: int | None, seconds: float | None, rate: float | None
) -> None:
    drill = DrillFacts(backup="/b", target="t", replayed_bytes=replayed, replay_seconds=seconds)
    assert drill.replay_bytes_per_second == rate
