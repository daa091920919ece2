"""Chapters of a path as hand-made values: what was committed, and what happened besides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from parsers.segment import segment_name
from parsers.wal.facts import Event, Facts, Transaction, TransactionKind, Transactions
from parsers.wal.journal import CatalogChange, Journal, Usage
from rules.events.catalog_rows import CatalogRows
from rules.events.path_segments import Chapter
from rules.events.transactions import PathTransactions, tell_story

SIZE = 1 << 24
RECORD = 80  # bytes from one record's start to its end

Happening = Transaction | Event


def commit(lsn: int, time_us: int, xid: int, *, abort: bool = False, **more: object) -> Transaction:
    kind = TransactionKind.ABORT if abort else TransactionKind.COMMIT
    return Transaction(lsn, lsn + RECORD, time_us, xid, kind)._replace(**more)  # type: ignore[arg-type]


def facts(happened: Iterable[Happening]) -> Facts:
    """What records say, as a scan has it."""
    in_order = sorted(happened, key=lambda each: each.lsn)
    transactions = Transactions()
    for each in in_order:
        if isinstance(each, Transaction):
            transactions.append(each)
    if not in_order:
        return Facts()
    return Facts(
        first_lsn=in_order[0].lsn,
        last_lsn=in_order[-1].lsn,
        end_lsn=in_order[-1].end_lsn,
        records=len(in_order),
        transactions=transactions,
        events=tuple(each for each in in_order if not isinstance(each, Transaction)),
    )


def chapter(
    number: int, *happened: Happening, crossing: Sequence[Happening] = (), flaw: str | None = None
) -> Chapter:
    return Chapter(
        segment=segment_name(1, number, SIZE),
        number=number,
        timeline=1,
        archived=True,
        crossing=facts(crossing),
        completed=None,
        inside=facts(happened),
        end_lsn=(number + 1) * SIZE,
        flaw=flaw,
    )


def told(
    *chapters: Chapter, changes: Sequence[CatalogChange] = (), rows: CatalogRows | None = None
) -> PathTransactions:
    """Their story; the changes of catalogs' rows lie in the first of them."""
    first = Journal(usage=Usage(), changes=tuple(changes))
    return tell_story(list(chapters), {chapters[0].segment: first}, rows)
