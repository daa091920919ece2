"""How relations are called, and whether one is the one that a person means."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from parsers.sentences import tr
from parsers.wal.pg_catalog import KIND_WORDS
from rules.events.catalog_rows import RelationEvent
from rules.events.path_event import PathEvent

# What goes along with a table without being asked for.
_COMPANIONS = ("i", "I", "t", "S", "c")
_AWAY = ("dropped", "truncated", "removed")


def qualified_name(event: RelationEvent) -> str | None:
    """schema.name, or the name alone when the schema's is not known; None: unknown."""
    if event.row is None:
        return None
    return f"{event.schema}.{event.row.name}" if event.schema else event.row.name


def kind_word(event: RelationEvent) -> str:
    """Table, index, view; a file of which no more is known is a relation."""
    return KIND_WORDS[event.row.kind] if event.row else tr("relation")


def is_companion(event: RelationEvent) -> bool:
    """Indexes, toast tables and sequences: named only where nothing else is."""
    return event.row is not None and event.row.kind in _COMPANIONS


def matcher(wanted: str) -> Callable[[PathEvent], bool]:
    """Tell whether something of this name, OID or file number was dropped or emptied.

    A name is NAME, SCHEMA.NAME or DATABASE.SCHEMA.NAME as it was, without quotes; a database's
    counts when the database went.
    """
    number = int(wanted) if wanted.isdigit() else None

    def is_it(happening: PathEvent) -> bool:
        database = happening.database
        if database is not None and wanted in (str(database), happening.database_name):
            return True
        away = (event for event in happening.relations if event.action in _AWAY)
        return any(
            number in _numbers(event) if number is not None else wanted in _names(event)
            for event in away
        )

    return is_it


def _numbers(event: RelationEvent) -> tuple[int, ...]:
    return (event.filenode, event.row.oid) if event.row else (event.filenode,)


def _names(event: RelationEvent) -> Iterator[str]:
    if event.row is None:
        return
    yield event.row.name
    if event.schema:
        yield f"{event.schema}.{event.row.name}"
        if event.database_name:
            yield f"{event.database_name}.{event.schema}.{event.row.name}"
