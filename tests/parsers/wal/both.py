"""What is compared of a segment between the engines, and records that make a difference to it."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import NamedTuple

from parsers.wal.journal import Journal, JournalWanted
from parsers.wal.journal_segment import journal_segment
from parsers.wal.scan import SegmentScan, scan_segment

_ON_PAGES = (
    *((10, info) for info in (0x00, 0x10, 0x20, 0x40, 0x70, 0x80)),
    *((9, 0x50), (0, 0xA0), (0, 0xB0), (0, 0x30)),
)
CATALOGS = frozenset({1259, 1262, 2615, 70_000})


class Read(NamedTuple):
    """All that either engine says of a segment."""

    scan: SegmentScan
    journal: Journal | None  # of the records that the scan holds to be sound


Both = Callable[[Callable[[], Read]], tuple[Read, Read]]


def read_both(data: bytes | memoryview, *, name_timeline: int, segment_number: int) -> Read:
    """The journal is the one that the scan brings along, else that of a pass of its own."""
    taken: list[tuple[Journal, int]] = []
    scan = scan_segment(
        data,
        name_timeline=name_timeline,
        segment_number=segment_number,
        journal=JournalWanted(CATALOGS, lambda *found: taken.append(found)),
    )
    until = scan.facts.end_lsn
    if taken:
        ((journal, end_lsn),) = taken
        assert end_lsn == until
        return Read(scan, journal)
    if until is None:
        return Read(scan, None)
    return Read(
        scan,
        journal_segment(
            data,
            name_timeline=name_timeline,
            segment_number=segment_number,
            end_lsn=until,
            catalogs=CATALOGS,
        ),
    )


def change_of_a_page(chance: random.Random) -> tuple[int, int, bytes]:
    """(rmgr, info, what follows the header) of a record on a page of a catalog, or nearly so."""
    rmgr, info = chance.choice(_ON_PAGES)
    data = chance.randbytes(chance.choice([0, 5, 60, 300]))
    flags = 0x20 if data else 0
    image, head = b"", b""
    if chance.randrange(2):
        flags |= 0x10
        packed, hole = chance.choice([0, 0x02, 0x04, 0x08, 0x10]), chance.randrange(2)
        image = chance.randbytes(chance.choice([8192, 700, 40_000 if chance.randrange(9) else 1]))
        head = struct.pack("<HHB", len(image), chance.randrange(8192), packed | hole)
        head += struct.pack("<H", 8192 - min(len(image), 8192)) if chance.randrange(2) else b""
    number = chance.choice([1259, 1262, 2615, 70_000, 16_400])
    reference = struct.pack("<BBH", 0, flags, len(data)) + head
    reference += struct.pack("<IIII", 1663, 5, number, chance.randrange(9))
    main = chance.choice([
        struct.pack("<HB", 3, 0),
        struct.pack("<IHBB", 700, 3, 0, 0),
        struct.pack("<IHBBIH", 700, 3, 0, chance.choice([0, 0x20, 0x60]), 0, 4),
        b"",
    ])  # fmt: skip
    mark = struct.pack("<BB", 255, len(main)) if main else b""
    return rmgr, info, reference + mark + image + data + main
