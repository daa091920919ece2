"""Scans as bytes for the ledger, and back: MessagePack with strict types, nothing executable.

A ledger may hold any bytes: what does not decode into exactly these values raises ParseError, and
the file is read again. Transactions, by far the most of a busy segment, are kept apart, so that
they are unpacked only when somebody asks for them.
"""

from __future__ import annotations

import functools
import operator
import typing
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from itertools import accumulate, chain
from pathlib import Path
from types import GenericAlias
from typing import Any, Final, NamedTuple

import lz4.block
import msgspec
from google_crc32c import extend

import parsers
from agent.engine import kernel_source
from agent.packed_sentence import pack, unpack
from parsers.errors import ParseError
from parsers.wal.facts import (
    DatedPlace,
    Event,
    Facts,
    RmgrCount,
    TablespaceCreate,
    TransactionDetails,
    Transactions,
)
from parsers.wal.join import JoinedScan, TransactionSummary
from parsers.wal.scan import SegmentScan

_COLUMNS: Final = ("lsns", "end_lsns", "times_us", "xids", "kinds")
_TYPECODES: Final = {"lsns": "q", "end_lsns": "q", "times_us": "q", "xids": "I", "kinds": "B"}
_FEW: Final = 1000  # rows, which are read before numpy would be imported
_MOST_TRANSACTIONS: Final = 1 << 26  # a segment of 1 GiB has no more


class PackedScan(NamedTuple):
    """One scan, packed."""

    scan: bytes  # all but its transactions
    transactions: bytes  # empty: there are none


class _TablespaceCreate(NamedTuple):
    """As the event, with its path in bytes: a path need not be text, and MessagePack's text is."""

    lsn: int
    end_lsn: int
    xid: int
    tablespace: int
    path: bytes


_Events = msgspec.defstruct(
    "_Events",
    [
        (
            kind.__name__,
            GenericAlias(tuple, (_TablespaceCreate if kind is TablespaceCreate else kind, ...)),
            (),
        )
        for kind in typing.get_args(Event)
    ],
    omit_defaults=True,
    forbid_unknown_fields=True,
    frozen=True,
)


class _Records(msgspec.Struct, array_like=True, frozen=True):
    """`Facts` without its transactions, events by their kind."""

    first_lsn: int | None
    last_lsn: int | None
    end_lsn: int | None
    records: int
    by_rmgr: tuple[RmgrCount, ...]
    events: _Events  # type: ignore[valid-type]


_FIELDS: Final = tuple(f.name for f in fields(SegmentScan) if f.name != "facts")
_Scan = msgspec.defstruct(
    "_Scan",
    [
        *((name, typing.get_type_hints(SegmentScan)[name]) for name in _FIELDS),
        ("records", _Records),
    ],
    array_like=True,
    frozen=True,
)


class _Transactions(msgspec.Struct, array_like=True, frozen=True):
    count: int
    columns: tuple[bytes, bytes, bytes, bytes, bytes]  # LZ4 blocks, in the order of _COLUMNS
    details: dict[int, TransactionDetails]


# How the digests of contents are made: rows that have others are read again.
_CONTENT: Final = b"sha256"


@functools.cache
def format_fingerprint() -> bytes:
    """Names the parser that made a scan: its very source. Another release trusts no old rows."""
    from hashlib import blake2b

    digest = blake2b(digest_size=8, person=_CONTENT)
    root = Path(next(iter(parsers.__path__)))
    for path in (*sorted(root.rglob("*.py")), Path(__file__)):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    digest.update(kernel_source().encode())
    return digest.digest()


def checksum(*parts: bytes) -> int:
    """CRC-32C over some bytes: tells a row that was damaged on its disk."""
    return functools.reduce(lambda crc, part: int(extend(crc, part)), parts, 0)


def pack_scan(scan: SegmentScan) -> PackedScan:
    """Encode one scan."""
    facts = scan.facts
    kinds: dict[str, list[Event | _TablespaceCreate]] = {}
    for event in facts.events:
        kinds.setdefault(type(event).__name__, []).append(_to_disk(event))
    records = _Records(
        facts.first_lsn,
        facts.last_lsn,
        facts.end_lsn,
        facts.records,
        facts.by_rmgr,
        _Events(**{name: tuple(events) for name, events in kinds.items()}),
    )
    if scan.damage is not None:
        scan = replace(scan, damage=replace(scan.damage, detail=pack(scan.damage.detail)))
    packed = _Scan(*(getattr(scan, name) for name in _FIELDS), records)
    return PackedScan(msgspec.msgpack.encode(packed), _pack_transactions(facts.transactions))


def unpack_scan(packed: PackedScan, *, most_transactions: int = _MOST_TRANSACTIONS) -> SegmentScan:
    """Decode one scan. Raises ParseError, whatever the bytes."""
    found: Any = _decode(_scan_decoder(), packed.scan)
    records: _Records = found.records
    facts = Facts(
        first_lsn=records.first_lsn,
        last_lsn=records.last_lsn,
        end_lsn=records.end_lsn,
        records=records.records,
        transactions=unpack_transactions(packed.transactions, most=most_transactions),
        events=_in_order(records.events),
        by_rmgr=records.by_rmgr,
    )
    scan = SegmentScan(**{name: getattr(found, name) for name in _FIELDS}, facts=facts)
    if scan.damage is None:
        return scan
    return replace(scan, damage=replace(scan.damage, detail=unpack(scan.damage.detail)))


def _in_order(events: Any) -> tuple[Event, ...]:
    found = [
        _from_disk(event) for name in events.__struct_fields__ for event in getattr(events, name)
    ]
    return tuple(sorted(found, key=operator.attrgetter("lsn")))


def _to_disk(event: Event) -> Event | _TablespaceCreate:
    if not isinstance(event, TablespaceCreate):
        return event
    lsn, end_lsn, xid, tablespace, location = event
    path = location.encode("utf-8", "surrogateescape")
    return _TablespaceCreate(lsn, end_lsn, xid, tablespace, path)


def _from_disk(event: Event | _TablespaceCreate) -> Event:
    if not isinstance(event, _TablespaceCreate):
        return event
    lsn, end_lsn, xid, tablespace, path = event
    location = path.decode("utf-8", "surrogateescape")
    return TablespaceCreate(lsn, end_lsn, xid, tablespace, location)


# -- transactions --------------------------------------------------------------------------------


def _pack_transactions(transactions: Transactions) -> bytes:
    if not len(transactions):
        return b""
    blocks = (_squeeze(getattr(transactions, name)) for name in _COLUMNS)
    packed = _Transactions(len(transactions), typing.cast(Any, tuple(blocks)), transactions.details)
    return msgspec.msgpack.encode(packed)


def unpack_transactions(data: bytes, *, most: int = _MOST_TRANSACTIONS) -> Transactions:
    """Decode the transactions of a scan. Raises ParseError."""
    if not data:
        return Transactions()
    packed: _Transactions = _decode(_transactions_decoder(), data)
    count = packed.count
    if not 0 < count <= most or any(not 0 <= row < count for row in packed.details):
        raise ParseError("not the transactions of a segment")
    columns = {
        name: _stretch(block, count, _TYPECODES[name])
        for name, block in zip(_COLUMNS, packed.columns, strict=True)
    }
    return Transactions(**columns, details=packed.details)


def _squeeze(column: array[int]) -> bytes:
    """Differences from row to row are small: LZ4 finds their zeros."""
    steps = array(column.typecode)
    if len(column) <= _FEW:
        steps.extend(_wrap(map(operator.sub, column, chain((0,), column)), column))
    else:
        import numpy as np

        values = np.frombuffer(column, dtype=column.typecode)
        steps.frombytes(np.diff(values, prepend=values.dtype.type(0)).tobytes())
    return bytes(lz4.block.compress(steps.tobytes(), store_size=False))


def _wrap(values: Iterable[int], column: array[int]) -> Iterator[int]:
    """Each as it is in the column's type, which it may be too large for."""
    least, mask = (-1 << 63 if column.typecode == "q" else 0), (1 << 8 * column.itemsize) - 1
    return ((value - least & mask) + least for value in values)


def _stretch(block: bytes, count: int, typecode: str) -> array[int]:
    column = array(typecode)
    size = count * column.itemsize
    try:
        data = lz4.block.decompress(block, uncompressed_size=size)
    except lz4.block.LZ4BlockError as error:
        raise ParseError(f"transactions: {error}") from None
    if len(data) != size:
        raise ParseError("transactions: columns of different lengths")
    signed = array(typecode.lower())
    signed.frombytes(data)
    with suppress(OverflowError):  # two rows differ by more than half of what the type holds
        column.extend(accumulate(signed))
        return column
    column = array(typecode)
    if count <= _FEW:
        steps = array(typecode)
        steps.frombytes(data)
        column.extend(_wrap(accumulate(steps), column))
    else:
        import numpy as np

        column.frombytes(np.cumsum(np.frombuffer(data, dtype=typecode), dtype=typecode).tobytes())
    return column


# -- stretches -----------------------------------------------------------------------------------


def pack_joined(joined: JoinedScan) -> tuple[bytes, bytes]:
    """Encode a stretch without its transactions, and their summary."""
    facts = replace(joined.scan.facts, transactions=Transactions())
    scan = pack_scan(replace(joined.scan, facts=facts)).scan
    return scan, msgspec.msgpack.encode((joined.segments, joined.summary))


def unpack_joined(
    scan: bytes, summary: bytes, fetch_transactions: Callable[[], Transactions]
) -> JoinedScan:
    """Decode a stretch; its transactions are fetched when looked at. Raises ParseError."""
    bare = unpack_scan(PackedScan(scan, b""))
    segments, told = _decode(_summary_decoder(), summary)
    transactions = DeferredTransactions(told, fetch_transactions)
    facts = replace(bare.facts, transactions=transactions)
    return JoinedScan(scan=replace(bare, facts=facts), segments=segments, summary=told)


class DeferredTransactions(Transactions):
    """Transactions that are fetched when somebody looks at one; their summary is known."""

    def __init__(self, told: TransactionSummary, fetch: Callable[[], Transactions]) -> None:
        object.__setattr__(self, "_told", told)
        object.__setattr__(self, "_fetch", fetch)

    def __len__(self) -> int:
        told: TransactionSummary = self._told
        return told.commits + told.aborts

    def sample(self) -> Sequence[DatedPlace]:
        told: TransactionSummary = self._told
        return told.sample

    def __getattr__(self, name: str) -> Any:
        """Called for a column that has no value yet."""
        if name not in _FETCHED:
            raise AttributeError(name)
        found: Transactions = self._fetch()
        for column in _FETCHED:
            object.__setattr__(self, column, getattr(found, column))
        return getattr(found, name)


_FETCHED: Final = (*_COLUMNS, "details")


# -- strict decoding -----------------------------------------------------------------------------


@functools.cache
def _scan_decoder() -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(_Scan)


@functools.cache
def _summary_decoder() -> msgspec.msgpack.Decoder[tuple[int, TransactionSummary]]:
    return msgspec.msgpack.Decoder(tuple[int, TransactionSummary])


@functools.cache
def _transactions_decoder() -> msgspec.msgpack.Decoder[_Transactions]:
    return msgspec.msgpack.Decoder(_Transactions)


def _decode(decoder: msgspec.msgpack.Decoder[Any], data: bytes) -> Any:
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ParseError(f"not a scan: {error}") from None
