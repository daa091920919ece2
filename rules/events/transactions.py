"""The chapters of a path told together: what each transaction wrote, and what it did to relations.

Transactions stay columns; only those that changed a catalog's row are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field

import numpy as np
import numpy.typing as npt

from parsers.values import dataclass
from parsers.wal.facts import DatabaseDrop, Facts, Relation, RelationTruncate, Transaction
from parsers.wal.journal import (
    CatalogChange,
    Journal,
    RowChange,
    Usage,
    crossing_journal,
    join_usage,
)
from rules.events.catalog_rows import CatalogRows, RelationEvent
from rules.events.path_segments import Chapter


@dataclass(slots=True)
class PathTransactions:
    """Chapters, what each transaction wrote, and what commits did to relations."""

    chapters: list[Chapter]
    usage: Usage
    touched: dict[int, list[RelationEvent]] = field(default_factory=dict)  # by LSN of the commit
    databases: dict[int, DatabaseDrop] = field(default_factory=dict)  # dropped, by xid
    emptied: dict[int, list[Relation]] = field(default_factory=dict)  # files, in place, by xid
    rows: CatalogRows | None = None


def tell_story(
    chapters: list[Chapter],
    journals: Mapping[str, Journal],
    rows: CatalogRows | None,
    rows_from_lsn: int = 0,
) -> PathTransactions:
    """Join chapters and their journals.

    `rows` are the catalogs as of `rows_from_lsn`, and are changed: they end as the path does.
    """
    catalogs = rows.files if rows is not None else frozenset[int]()
    story = PathTransactions(chapters=chapters, usage=join_usage([]), rows=rows)
    parts: list[Usage] = []
    for chapter in chapters:
        changes: list[CatalogChange] = []
        if chapter.completed:
            crossed = crossing_journal(chapter.completed, catalogs)
            parts.append(crossed.usage)
            changes += crossed.changes
        journal = journals.get(chapter.segment)
        if journal is not None:
            parts.append(journal.usage)
            changes += journal.changes
        for facts in (chapter.crossing, chapter.inside):
            for event in facts.events:
                if isinstance(event, DatabaseDrop):
                    story.databases[event.xid] = event
                elif isinstance(event, RelationTruncate) and not event.blocks:
                    story.emptied.setdefault(event.xid, []).append(event.relation)
        changes = [change for change in changes if change.lsn >= rows_from_lsn]
        if rows is not None and (changes or rows.open_xids):
            _follow(story, chapter, changes, rows)
    story.usage = join_usage(parts)
    return story


def _follow(
    story: PathTransactions, chapter: Chapter, changes: list[CatalogChange], rows: CatalogRows
) -> None:
    """Apply the changes up to the end of each transaction that made some, and ask what it did."""
    xids = rows.open_xids | {each.xid for each in changes if isinstance(each, RowChange)}
    at = 0
    for end in (*_ends(chapter.crossing, xids), *_ends(chapter.inside, xids)):
        while at < len(changes) and changes[at].lsn < end.lsn:
            rows.apply(changes[at])
            at += 1
        events = rows.end((end.xid, *end.subxids), committed=end.kind.is_commit)
        if events:
            story.touched[end.lsn] = events
    for change in changes[at:]:
        rows.apply(change)


def _ends(facts: Facts, xids: set[int]) -> Iterator[Transaction]:
    """The ends of these transactions, or of those that they are part of, in order."""
    transactions = facts.transactions
    rows = set(np.flatnonzero(np.isin(column(transactions.xids), list(xids))).tolist())
    rows |= {row for row, d in transactions.details.items() if xids.intersection(d.subxids)}
    return (transactions[row] for row in sorted(rows))


def column(packed: object) -> npt.NDArray[np.int64]:
    """An array.array as a column."""
    return np.array(packed, copy=False)
