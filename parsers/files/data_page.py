"""Pages of relations, and the checksum that a server writes into each when data checksums are on.

Follows src/include/storage/checksum_impl.h, PageIsNew in bufpage.h, and for the names of files
parse_filename_for_nontemp_relation in src/backend/storage/file/reinit.c. Which pages a base backup
may hold half-written is from verify_page_checksum in src/backend/backup/basebackup.c. What is in a
page is not looked at. Little-endian only, as pg_control.
"""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Union

from parsers.errors import ParseError
from parsers.sentences import tr

Blocks = Union[range, "array[int]"]  # numbers in the fork; an array of "q"

BLOCK_SIZES: Final = (1024, 2048, 4096, 8192, 16384, 32768)

# -- which files hold pages ------------------------------------------------------------------------

_NAME: Final = re.compile(
    r"(?P<folder>global|base/[0-9]+|pg_tblspc/[0-9]+/PG_[0-9]+_(?P<catalog>[0-9]+)/[0-9]+)/"
    r"(?P<incremental>INCREMENTAL\.)?(?P<number>[1-9][0-9]{0,9})"
    r"(?:_(?P<fork>fsm|vm|init))?(?:\.(?P<segment>[1-9][0-9]{0,9}))?\Z"
)


class RelationFile(NamedTuple):
    """One segment of one fork of a relation, by its path in the data directory."""

    relation: str  # its path without fork and segment, as base/5/16384
    fork: str  # main, fsm, vm, init
    segment: int  # 0 the first
    incremental: bool  # its changed blocks alone, after a header that names them


def parse_relation_path(path: str, catalog_version: int) -> RelationFile | None:
    """Take the path of a permanent relation's file apart; None for every other file.

    A tablespace may hold directories of other releases, which this server never opens.

    >>> parse_relation_path("base/5/16384_fsm.2", 202307071)
    RelationFile(relation='base/5/16384', fork='fsm', segment=2, incremental=False)
    >>> parse_relation_path("base/5/t3_16384", 202307071)
    """
    found = _NAME.match(path)
    if found is None or int(found["catalog"] or catalog_version) != catalog_version:
        return None
    return RelationFile(
        relation=f"{found['folder']}/{found['number']}",
        fork=found["fork"] or "main",
        segment=int(found["segment"] or 0),
        incremental=found["incremental"] is not None,
    )


def relation_files(paths: Iterable[str], catalog_version: int) -> dict[str, RelationFile]:
    """The files with pages that recovery keeps: of an unlogged relation, its init fork alone."""
    files = {
        path: file
        for path in paths
        if (file := parse_relation_path(path, catalog_version)) is not None
    }
    unlogged = {file.relation for file in files.values() if file.fork == "init"}
    return {
        path: file
        for path, file in files.items()
        if file.fork == "init" or file.relation not in unlogged
    }


# -- what was seen of pages ------------------------------------------------------------------------


class Replayed(NamedTuple):
    """The WAL that was written while a base backup was taken: what replay is sure to pass over."""

    start_lsn: int
    end_lsn: int | None  # None: where the backup ended is not known


class PagesSeen(NamedTuple):
    """What some pages are: how many, and which rows of what was given."""

    checked: int  # their checksum was compared
    new: int  # all zeros: a page that was never used
    newer: int  # changed while the backup was taken: replay writes them again
    damaged: Sequence[int]  # the checksum differs
    headless: Sequence[int]  # the server takes them for new, and they are not all zeros


# -- incremental files -----------------------------------------------------------------------------

INCREMENTAL_START_BYTES: Final = 12
_INCREMENTAL_MAGIC: Final = 0xD3AE1F0D
_INCREMENTAL_START: Final = struct.Struct("<III")


class IncrementalStart(NamedTuple):
    """The first bytes of an INCREMENTAL file: src/backend/backup/basebackup.c, sendFile."""

    block_count: int
    header_bytes: int  # up to the first block


def parse_incremental_start(data: bytes, block_size: int, most_blocks: int) -> IncrementalStart:
    """Read how long the header is. Raises ParseError.

    `most_blocks` is how many blocks a segment of a relation has.
    """
    if len(data) < INCREMENTAL_START_BYTES:
        raise ParseError(tr("its header is cut short"), offset=len(data))
    magic, count, _truncated = _INCREMENTAL_START.unpack_from(data)
    if magic != _INCREMENTAL_MAGIC:
        raise ParseError(tr("it does not begin as an incremental file"), offset=0)
    if count > most_blocks:
        raise ParseError(tr("its header names more blocks than a segment has"), offset=4)
    length = INCREMENTAL_START_BYTES + 4 * count
    padding = -length % block_size if count else 0
    return IncrementalStart(count, length + padding)


def incremental_blocks(header: bytes, start: IncrementalStart) -> array[int]:
    """The numbers of the blocks, in the segment, in the file's order."""
    return array("q", struct.unpack_from(f"<{start.block_count}I", header, INCREMENTAL_START_BYTES))
