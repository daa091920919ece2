"""A record's block references: which pages it touches, with what data, and the pages it carries.

Follows DecodeXLogRecord and RestoreBlockImage in src/backend/access/transam/xlogreader.c and
pglz_decompress in src/common/pg_lzcompress.c. Reading stops at the main data, which
`parsers.wal.record.main_data` gives.
"""

from __future__ import annotations

import importlib
import struct
import sys
from typing import Final, NamedTuple

from parsers.errors import ParseError
from parsers.sentences import tr
from parsers.wal.facts import Relation
from parsers.wal.heap_page import PAGE_BYTES
from parsers.wal.record import RECORD_HEADER_BYTES, packed_image_flags

_HAS_IMAGE: Final = 0x10
_SAME_REL: Final = 0x80
_HAS_HOLE: Final = 0x01
_PGLZ, _LZ4, _ZSTD = 0x04, 0x08, 0x10  # 15 and later
_MAX_BLOCK: Final = 32
_ZSTD_MODULE: Final = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"


class Image(NamedTuple):
    """A page as the record carries it."""

    content: bytes  # as stored
    hole_offset: int
    hole_bytes: int
    method: int  # bimg_info's bit of the compression; 0: none


class Block(NamedTuple):
    """One block reference."""

    fork: int  # 0: the main fork
    relation: Relation
    number: int
    image: Image | None
    data: bytes  # of the change; often empty where there is an image


class _Head(NamedTuple):
    fork: int
    relation: Relation
    number: int
    data_bytes: int
    image_bytes: int
    image: Image | None  # without its content


def read_blocks(record: bytes, major: int, page_bytes: int = PAGE_BYTES) -> list[Block]:
    """The block references of a whole record. Raises ParseError if they contradict its length."""
    try:
        heads, at = _read_heads(record, major, page_bytes)
    except (struct.error, IndexError):
        raise ParseError(tr("block references run past the record's end")) from None
    blocks: list[Block] = []
    for head in heads:
        image = head.image
        if image is not None:
            image = image._replace(content=record[at : at + head.image_bytes])
        at += head.image_bytes
        data = record[at : at + head.data_bytes]
        at += head.data_bytes
        blocks.append(Block(head.fork, head.relation, head.number, image, data))
    if at > len(record):
        raise ParseError(tr("block references announce more than the record holds"))
    return blocks


def _read_heads(record: bytes, major: int, page_bytes: int) -> tuple[list[_Head], int]:
    """Give (the references' headers, offset of the first payload)."""
    at, payload = RECORD_HEADER_BYTES, 0
    heads: list[_Head] = []
    relation = Relation(0, 0, 0)
    while len(record) - at > payload and record[at] <= _MAX_BLOCK:
        flags, data_bytes = struct.unpack_from("<BH", record, at + 1)
        at += 4
        image, image_bytes = None, 0
        if flags & _HAS_IMAGE:
            image, image_bytes, at = _read_image(record, at, major, page_bytes)
        if not flags & _SAME_REL:
            relation = Relation(*struct.unpack_from("<III", record, at))
            at += 12
        (number,) = struct.unpack_from("<I", record, at)
        at += 4
        payload += data_bytes + image_bytes
        heads.append(_Head(flags & 0x0F, relation, number, data_bytes, image_bytes, image))
    return heads, _skip_rest(record, at, payload)


def _read_image(record: bytes, at: int, major: int, page_bytes: int) -> tuple[Image, int, int]:
    """Give (the image without content, bytes stored, offset after its header)."""
    stored, hole_offset, info = struct.unpack_from("<HHB", record, at)
    at += 5
    method = info & packed_image_flags(major)
    if method and major <= 14:
        method = _PGLZ
    hole = page_bytes - stored if not method else 0
    if method and info & _HAS_HOLE:
        (hole,) = struct.unpack_from("<H", record, at)
        at += 2
    return Image(b"", hole_offset, hole, method), stored, at


def _skip_rest(record: bytes, at: int, payload: int) -> int:
    """Go over what stands between the references and the payload: origin, top xid, main data."""
    while len(record) - at > payload:
        match record[at]:
            case 255:
                return at + 2
            case 254:
                return at + 5
            case 253:
                at += 3
            case 252:
                at += 5
            case kind:
                raise ParseError(tr("unknown record part {kind}", kind=kind), offset=at)
    return at


def restore_page(image: Image, page_bytes: int = PAGE_BYTES) -> bytes:
    """The page as it was after the record. Raises ParseError for what cannot be decompressed."""
    if image.method == _PGLZ:
        content = unpack_pglz(image.content, page_bytes - image.hole_bytes)
    elif image.method == _LZ4:
        content = _unpack_lz4(image.content, page_bytes - image.hole_bytes)
    elif image.method == _ZSTD:
        content = _unpack_zstd(image.content, page_bytes)
    else:
        content = image.content
    page = content[: image.hole_offset] + bytes(image.hole_bytes) + content[image.hole_offset :]
    if len(page) != page_bytes:
        raise ParseError(
            tr(
                "page image of {size} bytes instead of {expected}",
                size=len(page),
                expected=page_bytes,
            )
        )
    return page


def _unpack_lz4(content: bytes, size: int) -> bytes:
    import lz4.block  # few servers compress so: the others need not wait for it

    try:
        return bytes(lz4.block.decompress(content, uncompressed_size=size))
    except lz4.block.LZ4BlockError as error:
        raise ParseError(tr("page image: {error}", error=error)) from None


def _unpack_zstd(content: bytes, most: int) -> bytes:
    zstd = importlib.import_module(_ZSTD_MODULE)
    try:
        return bytes(zstd.ZstdDecompressor().decompress(content, most + 1))
    except zstd.ZstdError as error:
        raise ParseError(tr("page image: {error}", error=error)) from None


def unpack_pglz(content: bytes, size: int) -> bytes:
    """Decompress PostgreSQL's own format: a control byte for eight items, literals or copies.

    >>> unpack_pglz(bytes([0b10, 97, 0x03, 0x01]), 7)
    b'aaaaaaa'
    """
    out = bytearray()
    at = 0
    try:
        while at < len(content) and len(out) < size:
            control, at = content[at], at + 1
            for bit in range(8):
                if at >= len(content) or len(out) >= size:
                    break
                if control >> bit & 1:
                    at = _copy(content, at, out)
                else:
                    out.append(content[at])
                    at += 1
    except IndexError:
        raise ParseError(tr("page image cut short")) from None
    if len(out) != size:
        raise ParseError(
            tr("page image gives {size} bytes instead of {expected}", size=len(out), expected=size)
        )
    return bytes(out)


def _copy(content: bytes, at: int, out: bytearray) -> int:
    """Repeat what came before; give the offset after the tag. Source and copy may overlap."""
    length = (content[at] & 0x0F) + 3
    offset = (content[at] & 0xF0) << 4 | content[at + 1]
    at += 2
    if length == 18:
        length += content[at]
        at += 1
    if not 0 < offset <= len(out):
        raise ParseError(tr("page image copies from before its start"))
    for _ in range(length):
        out.append(out[-offset])
    return at
