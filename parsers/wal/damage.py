"""What can be wrong with a WAL segment: one kind, one LSN, one line.

The kinds are the product's contract (`damaged[].kind` of the check's JSON). Two that need a world
around the bytes (an encrypted file, copies that contradict each other) are named here so that the
list is in one place; no parser gives them. A parser calls a segment unreadable that is of a newer
release than it knows: that is no damage.
"""

from __future__ import annotations

import enum
from typing import Final

from parsers.errors import ParseError
from parsers.lsn import format_lsn
from parsers.sentences import tr
from parsers.values import dataclass


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


UNDECODABLE: Final = "cannot be decoded: "  # how the detail of such damage begins


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """The first thing wrong in a segment; nothing from `lsn` on can be replayed."""

    kind: DamageKind
    lsn: int  # start of the record, or of the page when its header is to blame
    detail: str  # one line for a person


# -- of records ----------------------------------------------------------------------------------


def rmgr_damage(lsn: int, rmgr: int) -> Damage:
    """A resource manager that the release does not have."""
    return Damage(
        kind=DamageKind.BAD_HEADER, lsn=lsn, detail=tr("record: resource manager {rmgr}", rmgr=rmgr)
    )


def prev_damage(lsn: int, prev: int, expected: int | None) -> Damage:
    """A record that does not name the one before it."""
    detail = (
        tr("record: prev-link {prev}, ahead", prev=format_lsn(prev))
        if expected is None
        else tr(
            "record: prev-link {prev}, the record before is {expected}",
            prev=format_lsn(prev),
            expected=format_lsn(expected),
        )
    )
    return Damage(kind=DamageKind.BAD_PREV_LINK, lsn=lsn, detail=detail)


def crc_damage(lsn: int) -> Damage:
    """A record whose bytes are not those that were written."""
    return Damage(kind=DamageKind.BAD_CRC, lsn=lsn, detail=tr("record: checksum does not match"))


def length_damage(lsn: int, length: int, fitting: int | None = None) -> Damage:
    """A record whose length cannot be; `fitting` is the one that its pages speak of."""
    detail = (
        tr("record: length {length}", length=length)
        if fitting is None
        else tr(
            "record: length {length} where its pages say {fitting}", length=length, fitting=fitting
        )
    )
    return Damage(kind=DamageKind.BAD_HEADER, lsn=lsn, detail=detail)


def continuation(continued: int | None, needed: int | None) -> str:
    """What a page says of the record that runs into it, and what that needs. None: nothing."""
    match continued, needed:
        case None, None:
            return tr("page: says that nothing continues, but nothing does")
        case None, _:
            return tr("page: says that nothing continues, but {needed} bytes do", needed=needed)
        case _, None:
            return tr(
                "page: says that {continued} bytes continue, but nothing does", continued=continued
            )
    return tr(
        "page: says that {continued} bytes continue, but {needed} bytes do",
        continued=continued,
        needed=needed,
    )


def meaning_damage(lsn: int, error: ParseError) -> Damage:
    """A record with a sound checksum that says nothing sensible."""
    return Damage(kind=DamageKind.BAD_HEADER, lsn=lsn, detail=tr("record: {error}", error=error))
