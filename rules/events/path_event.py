"""One thing that happened on a path of timelines."""

from __future__ import annotations

from typing import Final, Literal

from parsers.values import dataclass
from rules.events.catalog_rows import RelationEvent

Kind = Literal["commit", "abort", "restore_point", "data_checksums", "logical_decoding"]
_AWAY: Final = ("dropped", "truncated", "removed")


@dataclass(frozen=True, slots=True, kw_only=True)
class PathEvent:
    """One thing that happened."""

    kind: Kind
    lsn: int  # of the record that makes it so
    end_lsn: int
    time_us: int | None  # TimestampTz; None: its record has none
    xid: int  # 0: of no transaction
    segment: str
    timeline: int
    subxids: tuple[int, ...] = ()
    name: str | None = None  # of a restore point; of a switch, its new state
    gid: str | None = None  # of a prepared transaction
    database: int | None = None  # that it dropped: gone before the commit, at `database_lsn`
    database_name: str | None = None
    database_lsn: int | None = None  # the first record that spoils it
    relations: tuple[RelationEvent, ...] = ()
    records: int | None = None  # that the transaction wrote; None: not counted
    bytes: int | None = None
    first_lsn: int | None = None  # of the first of them

    @property
    def takes_away(self) -> bool:
        """Whether something was dropped or emptied; a toast table goes with its table only."""
        away = (event.row for event in self.relations if event.action in _AWAY)
        named = any(row is None or not row.name.startswith("pg_toast_") for row in away)
        return self.database is not None or named
