"""What a reading of one segment says, as values: `parsers.wal.scan` makes them."""

from __future__ import annotations

import enum
from typing import Literal

from parsers.values import dataclass
from parsers.wal.damage import Damage
from parsers.wal.facts import Facts
from parsers.wal.fragment import HeadFragment, PartialRecord
from parsers.wal.page import LongPageHeader

Depth = Literal["headers", "records"]


class EndKind(enum.Enum):
    """How the records of a segment end."""

    FULL = "full"  # they run to the segment's last byte; the last may run on
    SWITCH = "switch"  # an XLOG_SWITCH: the rest is empty on purpose
    ZEROS = "zeros"  # nothing was ever written after it
    RECYCLED = "recycled"  # followed by pages of an older segment whose file was reused
    DAMAGED = "damaged"  # see `damage`
    UNREAD = "unread"  # at depth headers, where only records could tell


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEnd:
    """Where the records of a segment end. Nothing from `lsn` on can be replayed from it."""

    kind: EndKind
    lsn: int  # of a switch: after its record; of FULL: the next segment's start


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentHead:
    """What the start of a segment owes to the one before."""

    lsn: int  # the segment's start
    timeline: int  # of its first page
    system_identifier: int
    fragment: HeadFragment | None  # bytes of a record of the segment before
    fragment_end_lsn: int | None  # where that record ends; None when it runs on
    overwrites: bool  # the record before was abandoned by a crash, and this starts over
    first_lsn: int | None  # of the first record that starts here, whole or not; None: none does
    first_prev_lsn: int | None  # what that record says of the one before; None when it is split


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentTail:
    """What the end of a segment leaves to the one after."""

    lsn: int  # where the next segment starts
    timeline: int  # of its last page
    system_identifier: int
    fragment: PartialRecord | None  # a record that begins here and runs on
    passing: int | None  # bytes still to come of a record that runs through the whole segment
    last_lsn: int | None  # of the last complete record; None: none ended here
    end: SegmentEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentScan:
    """One reading of one segment."""

    depth: Depth
    start_lsn: int  # by the name; of a wrong address, where it was expected
    # Of the file, decompressed. None: not known, of a compressed one that is longer or cut short.
    size_bytes: int | None
    header: LongPageHeader | None  # None when the first page is none
    head: SegmentHead | None  # None when the first page cannot be used
    facts: Facts  # up to the damage; empty at depth headers
    tail: SegmentTail | None
    end: SegmentEnd
    damage: Damage | None  # the first; None: nothing is wrong with what was read

    @property
    def major(self) -> int | None:
        """PostgreSQL major version that wrote it."""
        return self.header.major if self.header else None
