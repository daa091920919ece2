"""What can be wrong with a WAL segment: one kind, one LSN, one line.

The kinds are the product's contract (`damaged[].kind` of the check's JSON). The three that need a
world around the bytes (an unreadable file, an encrypted one, copies that contradict each other)
are named here so that the list is in one place; no parser gives them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class DamageKind(enum.StrEnum):
    """How a segment breaks its promise."""

    TRUNCATED = "truncated"  # the file is shorter than its segment
    OVERSIZED = "oversized"  # or longer
    ZEROED = "zeroed"  # records end in zeros without a switch
    BAD_CRC = "bad_crc"
    BAD_PREV_LINK = "bad_prev_link"  # xl_prev does not name the record before
    BAD_HEADER = "bad_header"  # of a page or a record
    FOREIGN_SYSTEM = "foreign_system"  # another cluster's system identifier
    WRONG_TIMELINE = "wrong_timeline"  # a page from a later timeline than the name, or going back
    WRONG_ADDRESS = "wrong_address"  # a page that belongs elsewhere: a renamed or recycled segment
    UNREADABLE = "unreadable"
    ENCRYPTED = "encrypted"
    CONFLICTING_COPIES = "conflicting_copies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """The first thing wrong in a segment; nothing from `lsn` on can be replayed."""

    kind: DamageKind
    lsn: int  # start of the record, or of the page when its header is to blame
    detail: str  # one line for a person
