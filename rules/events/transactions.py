"""The chapters of a path told together: what each transaction wrote, and what it did to relations.

Transactions stay columns; only those that changed a catalog's row are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field

from parsers.values import dataclass
from parsers.wal.facts import DatabaseDrop, Facts, Relation, RelationTruncate, Transaction
from parsers.wal.journal import (
    CatalogChange,
    Journal,
    RowChange,
    Usage,
    crossing_journal,
)
from rules.events.catalog_rows import CatalogRows, RelationEvent
from rules.events.path_segments import Chapter

Written = tuple[int, int, int]  # records, bytes, LSN of the first


@dataclass(slots=True)
class PathTransactions:
    """Chapters, what each transaction wrote, and what commits did to relations."""

    chapters: list[Chapter]
    usage: list[Usage]  # of segments, and of records between them
    touched: dict[int, list[RelationEvent]] = field(default_factory=dict)  # by LSN of the commit
    databases: dict[int, DatabaseDrop] = field(default_factory=dict)  # dropped, by xid
    emptied: dict[int, list[Relation]] = field(default_factory=dict)  # files, in place, by xid
    rows: CatalogRows | None = None

    def written_by(self, xids: Iterable[int]) -> dict[int, Written]:
        """What each of these wrote; nothing of one that no record is of."""
        wanted = sorted(set(xids))
        found: dict[int, Written] = {}
        for usage in self.usage:
            for xid, row in usage.rows_of(wanted):
                records, size, first_lsn = found.get(xid, (0, 0, usage.first_lsns[row]))
                found[xid] = (
                    records + usage.records[row],
                    size + usage.bytes[row],
                    min(first_lsn, usage.first_lsns[row]),
                )
        return found


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
    story = PathTransactions(chapters=chapters, usage=[], rows=rows)
    for chapter in chapters:
        changes: list[CatalogChange] = []
        if chapter.completed:
            crossed = crossing_journal(chapter.completed, catalogs)
            story.usage.append(crossed.usage)
            changes += crossed.changes
        journal = journals.get(chapter.segment)
        if journal is not None:
            story.usage.append(journal.usage)
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
    rows = {row for row, xid in enumerate(transactions.xids) if xid in xids}
    rows |= {row for row, d in transactions.details.items() if xids.intersection(d.subxids)}
    return (transactions[row] for row in sorted(rows))
