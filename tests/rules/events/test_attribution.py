"""Who did it: proof is a line with the transaction's number, else the last likely statement."""

from __future__ import annotations

from datetime import timedelta

import pytest

from parsers.wal.facts import instant
from parsers.wal.pg_catalog import ClassRow
from rules.events.attribution import LogLine, find_witnesses, shorten
from rules.events.catalog_rows import RelationEvent
from rules.events.path_event import PathEvent

SECOND = 1_000_000
AT = 1000 * SECOND
ROW = ClassRow(1, "orders", 2, 3, 0, "r")


def happening(**changes: object) -> PathEvent:
    made = {
        "kind": "commit", "lsn": 50, "end_lsn": 60, "time_us": AT, "xid": 700, "segment": "s",
        "timeline": 1, "subxids": (701,),
        "relations": (RelationEvent("dropped", 1, 3, ROW, "public"),), **changes,
    }  # fmt: skip
    return PathEvent(**made)  # type: ignore[arg-type]


def line(text: str = "", xid: int | None = None, before: float | None = 5) -> LogLine:
    at = None if before is None else instant(AT) - timedelta(seconds=before)
    return LogLine(at=at, user="u", database="d", pid=1, xid=xid, text=text)


DROP = "statement: drop table public.orders"
DATABASE = {"relations": (), "database": 5, "database_name": "shop", "xid": 0, "subxids": ()}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (line("x", xid=700), "transaction"),
        (line("x", xid=701), "transaction"),
        (line("x", xid=702), None),
        (line(DROP), "statement"),
        (line(DROP, before=600), "statement"),
        (line(DROP, before=600.5), None),
        (line(DROP, before=-1), None),
        (line(DROP, before=None), None),
        (line(DROP, xid=9), None),  # it is another's
        (line("statement: TRUNCATE orders"), "statement"),
        (line("statement: select * from orders"), None),
        (line("statement: drop table orders_old"), None),
    ],
)
def test_a_line_proves_by_its_number_and_is_likely_by_name_and_time(
    said: LogLine, told: str | None
) -> None:
    found = find_witnesses([happening()], [said])
    assert [each.by for each in found.get(50, ())] == ([told] if told else [])


@pytest.mark.parametrize(
    ("changes", "text", "is_likely"),
    [
        (DATABASE, "drop database shop", True),
        (DATABASE, "drop database other", False),
        ({"relations": (), "xid": 0, "subxids": ()}, DROP, False),
        ({"relations": (RelationEvent("dropped", 1, 3, None),)}, DROP, False),
        ({"relations": (RelationEvent("created", 1, 3, ROW),)}, DROP, False),
        ({"relations": (RelationEvent("truncated", 1, 3, ROW),)}, "truncate orders", True),
        ({"time_us": None}, DROP, False),
        (
            {"relations": (
                RelationEvent("dropped", 1, 4, None), RelationEvent("dropped", 1, 3, ROW),
            )}, DROP, True,
        ),
    ],
)  # fmt: skip
def test_a_statement_is_likely_for_what_its_words_name(
    changes: dict[str, object], text: str, is_likely: bool
) -> None:
    assert bool(find_witnesses([happening(**changes)], [line(text)])) == is_likely


def test_proof_alone_counts_else_the_last_that_is_likely() -> None:
    first, last, proof = line(DROP, before=9), line(f"{DROP};", before=2), line("commit", xid=700)
    assert [each.line for each in find_witnesses([happening()], [first, last])[50]] == [last]
    assert [each.line for each in find_witnesses([happening()], [first, proof, last])[50]] == [
        proof
    ]


def test_a_statement_is_told_on_one_line() -> None:
    assert shorten("drop\n  table\tx") == "drop table x"
    assert shorten("y" * 300) == "y" * 300
    assert shorten("y" * 301) == "y" * 300 + " …"
