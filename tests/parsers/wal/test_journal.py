"""What a segment's records did to the catalogs' rows, and how much each transaction wrote."""

from __future__ import annotations

import struct

import pytest

from parsers.errors import ParseError
from parsers.wal.facts import Relation
from parsers.wal.journal import Journal, PageSeen, RowChange
from parsers.wal.journal_segment import journal_segment
from tests.rules.write_wal import SEGMENT, Page, WalWriter

CATALOG = Relation(1663, 5, 1259)
OTHER = Relation(1663, 5, 16400)
HEAP, XLOG = 10, 0
MAJORS = pytest.mark.parametrize("major", [13, 14, 16, 18])


def row(values: bytes, *, nulls: bytes = b"") -> bytes:
    """A tuple in a record: xl_heap_header, the null bitmap, the columns."""
    return struct.pack("<HHB", 0, 0, 23 + len(nulls)) + nulls + values


def insert(wal: WalWriter, relation: Relation, values: bytes, xid: int = 700) -> None:
    page = Page(relation, 7, row(values, nulls=b"\x01"))
    wal.append(HEAP, 0x00, struct.pack("<HB", 3, 0), xid, page)


def update(wal: WalWriter, data: bytes, flags: int, *, hot: bool = True) -> None:
    main = struct.pack("<IHBBIH", 700, 3, 0, flags, 0, 4)
    wal.append(HEAP, 0x40 if hot else 0x20, main, 701, Page(CATALOG, 7, data))


def journal(wal: WalWriter, end_lsn: int | None = None, number: int = 1) -> Journal:
    (name,) = (each for each in wal.segments if int(each[16:], 16) == number)
    return journal_segment(
        bytes(wal.segments[name]), name_timeline=1, segment_number=number,
        end_lsn=wal.lsn if end_lsn is None else end_lsn, catalogs={1259},
    )  # fmt: skip


def changes(wal: WalWriter) -> list[RowChange]:
    return [each._replace(lsn=0) for each in journal(wal).changes if isinstance(each, RowChange)]


@MAJORS
def test_rows_that_come_and_go(major: int) -> None:
    wal = WalWriter(major=major)
    insert(wal, CATALOG, b"whole")
    insert(wal, OTHER, b"no catalog's")
    wal.append(HEAP, 0x10, struct.pack("<IHBB", 700, 3, 0, 0), 702, Page(CATALOG, 7))
    wal.append(HEAP, 0x70, struct.pack("<H", 9), 0, Page(CATALOG, 8, b"in place"))
    wal.append(HEAP, 0x60, struct.pack("<H", 9), 703, Page(CATALOG, 8))  # a lock
    assert changes(wal) == [
        RowChange(0, 700, CATALOG, "insert", (0, 0), (7, 3), b"whole"),
        RowChange(0, 702, CATALOG, "delete", (7, 3), (0, 0)),
        RowChange(0, 0, CATALOG, "inplace", (8, 9), (8, 9), b"in place"),
    ]


@MAJORS
@pytest.mark.parametrize(
    ("flags", "head", "prefix", "suffix"),
    [
        (0x00, b"", 0, 0),
        (0x20, struct.pack("<H", 11), 11, 0),
        (0x40, struct.pack("<H", 13), 0, 13),
        (0x60, struct.pack("<HH", 11, 13), 11, 13),
    ],
)
def test_of_an_update_only_what_differs_is_written(
    major: int, flags: int, head: bytes, prefix: int, suffix: int
) -> None:
    wal = WalWriter(major=major)
    update(wal, head + row(b"middle"), flags)
    update(wal, head + row(b"middle"), flags, hot=False)
    expected = RowChange(0, 701, CATALOG, "update", (7, 3), (7, 4), b"middle", prefix, suffix)
    assert changes(wal) == [expected, expected]


@pytest.mark.parametrize("data", [b"", b"\0\0\0\0", struct.pack("<HHB", 0, 0, 23)[:4]])
def test_a_record_that_is_too_short_tells_nothing(data: bytes) -> None:
    wal = WalWriter()
    wal.append(HEAP, 0x00, struct.pack("<HB", 3, 0), 700, Page(CATALOG, 7, data))
    wal.append(HEAP, 0x20, b"\0", 700, Page(CATALOG, 7, bytes(40)))
    assert changes(wal) == []


def page_image(*tuples: bytes) -> bytes:
    """A whole page of these tuples."""
    page, end = bytearray(8192), 8192
    for number, values in enumerate(tuples):
        whole = bytes(22) + bytes([24]) + b"\0" + values
        end -= -(-len(whole) // 8) * 8
        page[end : end + len(whole)] = whole
        struct.pack_into("<I", page, 24 + 4 * number, end | 1 << 15 | len(whole) << 17)
    struct.pack_into("<HH", page, 12, 24 + 4 * len(tuples), end)
    return bytes(page)


@MAJORS
@pytest.mark.parametrize("rmgr", [HEAP, XLOG])
def test_a_record_that_carries_its_page_shows_all_of_its_rows(major: int, rmgr: int) -> None:
    image = page_image(b"one", b"two")
    reference = struct.pack("<BBHHHB4I", 0, 0x10, 0, 8192, 0, 0, *CATALOG, 7)

    class Whole(Page):
        def head(self) -> bytes:
            return reference

    wal = WalWriter(major=major)
    operation, main = (0x00, struct.pack("<HB", 2, 0)) if rmgr == HEAP else (0xB0, b"")
    wal.append(rmgr, operation, main, 700, Whole(CATALOG, 7, image))
    seen, *rest = journal(wal).changes
    assert isinstance(seen, PageSeen)
    assert [(each.offset, each.values) for each in seen.tuples] == [(1, b"one"), (2, b"two")]
    if rmgr == HEAP:  # the row itself is on the page
        (change,) = rest
        assert isinstance(change, RowChange)
        assert (change.kind, change.new, change.values) == ("insert", (7, 2), None)
    else:
        assert rest == []


def test_what_each_wrote_is_counted_up_to_the_end() -> None:
    wal = WalWriter()
    insert(wal, CATALOG, b"a", 700)
    insert(wal, OTHER, b"b", 701)
    second = wal.lsn
    insert(wal, OTHER, b"c", 700)
    end = wal.lsn
    insert(wal, CATALOG, b"not of the path", 700)
    found = journal(wal, end)
    usage = found.usage
    assert (usage.xids.tolist(), usage.records.tolist()) == ([700, 701], [2, 1])
    assert sum(usage.bytes) > 3 * 46
    assert usage.first_lsns.tolist()[0] < usage.first_lsns.tolist()[1] < second < end
    assert [each.lsn < end for each in found.changes] == [True]


def test_a_record_that_crosses_into_a_segment_is_left_to_what_joins_them() -> None:
    wal = WalWriter()
    wal.fill_to(2 * SEGMENT - 64)
    insert(wal, CATALOG, bytes(200), 700)
    insert(wal, CATALOG, b"inside", 701)
    assert [each.values for each in changes_in(wal, 2)] == [b"inside"]
    assert changes_in(wal, 1) == []


def changes_in(wal: WalWriter, number: int) -> list[RowChange]:
    found = journal(wal, number=number).changes
    return [each for each in found if isinstance(each, RowChange)]


def test_what_is_no_segment_is_refused() -> None:
    with pytest.raises(ParseError):
        journal_segment(bytes(SEGMENT), name_timeline=1, segment_number=1, end_lsn=0, catalogs={1})
