"""Pages of a heap table: the tuples on them, whatever transaction may see them.

Follows PageHeaderData and ItemIdData (src/include/storage/bufpage.h, itemid.h) and HeapTupleHeader
(src/include/access/htup_details.h), which have not changed since 8.3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

PAGE_BYTES: Final = 8192  # BLCKSZ, as nearly every server is built
PAGE_HEADER_BYTES: Final = 24
TUPLE_HEADER_BYTES: Final = 23  # SizeofHeapTupleHeader
_ITEM_NORMAL: Final = 1
_NOT_DELETED: Final = 0x0800 | 0x0080  # HEAP_XMAX_INVALID, HEAP_XMAX_LOCK_ONLY


class HeapTuple(NamedTuple):
    """One line pointer's tuple."""

    offset: int  # number of the line pointer, from 1 on
    values: bytes  # after the header and the null bitmap
    deleted: bool = False  # deleted or updated by a transaction that may have committed


def read_page(page: bytes | memoryview) -> Iterator[HeapTuple]:
    """The tuples of one page. What cannot be a tuple is passed over: pages may be torn."""
    lower = min(struct.unpack_from("<H", page, 12)[0], len(page)) if len(page) > 24 else 0
    for at in range(PAGE_HEADER_BYTES, lower - 3, 4):
        (item,) = struct.unpack_from("<I", page, at)
        begin, length = item & 0x7FFF, item >> 17
        if item >> 15 & 3 != _ITEM_NORMAL or not _fits(begin, length, len(page)):
            continue
        header_bytes = page[begin + 22]  # t_hoff
        if TUPLE_HEADER_BYTES <= header_bytes <= length:
            values = bytes(page[begin + header_bytes : begin + length])
            yield HeapTuple((at - PAGE_HEADER_BYTES) // 4 + 1, values, _deleted(page, begin))


def _deleted(page: bytes | memoryview, begin: int) -> bool:
    (xmax,), (infomask,) = (
        struct.unpack_from(code, page, begin + offset) for code, offset in (("<I", 4), ("<H", 20))
    )
    return xmax != 0 and not infomask & _NOT_DELETED


def _fits(begin: int, length: int, page_bytes: int) -> bool:
    return (
        begin > PAGE_HEADER_BYTES and length > TUPLE_HEADER_BYTES and begin + length <= page_bytes
    )


def read_relation(data: bytes, page_bytes: int = PAGE_BYTES) -> Iterator[tuple[int, HeapTuple]]:
    """The tuples of a whole file of a heap, each with the number of its page."""
    view = memoryview(data)
    for number in range(len(data) // page_bytes):
        for found in read_page(view[number * page_bytes : (number + 1) * page_bytes]):
            yield number, found
