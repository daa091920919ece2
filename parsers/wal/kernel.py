"""The compiled engine: whole sound segments walked in C, and nothing judged there.

`kernel/` at the top of the repository has the C and says how it is built. It accepts or stops; of
whatever it stops at, the numpy engine (`parsers.wal.engine`) reads the segment from its start and
says what is wrong. Where nothing was compiled, the numpy engine reads everything.
"""

from __future__ import annotations

import functools
import importlib
from array import array
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final, Literal, NamedTuple

from parsers.errors import ParseError
from parsers.wal.decode import KIND_BY_OPERATION, PREPARE, Source, decode
from parsers.wal.facts import (
    Event,
    Facts,
    RmgrCount,
    Transaction,
    Transactions,
)
from parsers.wal.fragment import REST_OF_SWITCH
from parsers.wal.page import (
    LongPageHeader,
    all_flags,
    overwrite_flag,
)
from parsers.wal.record import Rmgr, holds_facts, is_rmgr, is_switch, packed_image_flags
from parsers.wal.stream import Geometry

Engine = Literal["c", "numpy"]
ENGINES: Final[tuple[Engine, ...]] = ("c", "numpy")
_INTERFACE: Final = 5  # of kernel/module.c: another one's binary is not used

# enum stop of kernel/walk.h.
FULL, SWITCHED, STOPPED, BAD_PAGE, _ODD = range(5)
# enum kind of kernel/walk.h.
_DULL, _NOTED, _SWITCH, _UNKNOWN, _TRANSACTION = range(5)


Note = tuple[int, int, int, int, int, int, bytes]  # row, lsn, end_lsn, xid, rmgr, info, record


class Walked(NamedTuple):
    """A segment whose records the kernel accepted, to its end or to where they end early."""

    stop: int  # FULL, SWITCHED, STOPPED or BAD_PAGE
    pages: int  # good ones before the stop
    timeline: int  # of the last good page
    stop_offset: int  # of STOPPED: in the segment
    head: bytes  # the end of a record that began before the segment
    carried: tuple[int, bytes] | None  # offset and bytes of a record that runs on; None: none does
    first_prev_lsn: int  # xl_prev of the first record
    facts: Facts  # of one record at least
    journal: Counted | None  # where it was asked for


class Counted(NamedTuple):
    """What was asked for besides: `parsers.wal.journal` makes a journal of it."""

    usage: tuple[array[int], array[int], array[int], array[int]]  # the columns of Usage
    notes: list[Note]  # of records whose first page may be a catalog's


class _Result(NamedTuple):
    """What Walk.result() gives."""

    stop: int
    pages: int
    timeline: int
    stop_offset: int
    head_bytes: int
    left: int  # bytes still to come of the record that runs on
    record_offset: int  # of that record
    first_lsn: int
    last_lsn: int
    end_lsn: int
    first_prev_lsn: int
    has_first: bool
    counts: list[tuple[int, int, int]]  # rmgr, records, bytes
    rows: int  # transactions: Walk.fill() gives them
    notes: list[Note]
    head: bytes  # of the record that began before the segment; empty beyond 1 MiB
    kept: bytes  # of the record that runs on, up to here; empty beyond 1 MiB


# -- which engine runs ----------------------------------------------------------------------------


class _Choice:
    """What was asked for; None: the compiled one where there is one."""

    engine: Engine | None = None


def choose(engine: Engine | None) -> None:
    """Ask for an engine. Without a usable kernel it is numpy all the same: see `running`."""
    _Choice.engine = engine


def running() -> Engine:
    """The engine that reads segments."""
    return "numpy" if _Choice.engine == "numpy" or built() is None else "c"


@functools.cache
def built() -> Any | None:
    """The compiled module; None when there is none, or one of another version of this program."""
    try:
        module = importlib.import_module("pitr_kernel")
    except ImportError:
        return None
    return module if getattr(module, "INTERFACE", None) == _INTERFACE else None


# -- reading a segment ----------------------------------------------------------------------------

_idle: list[Any] = []  # walks with their memory, for the next segment: list.pop() is atomic
_MOST_IDLE: Final = 8
_MOST_IDLE_ROWS: Final = 100_000  # a few MiB; of a segment of 1 GiB it may be a hundred
_MOST_CATALOGS: Final = 64  # of kernel/walk.h


def walk_segment(
    pieces: Iterable[memoryview],
    geometry: Geometry,
    header: LongPageHeader,
    name_timeline: int,
    catalogs: Collection[int] | None = None,
) -> Walked | None:
    """Walk a segment, given as pieces of whole pages; None: the numpy engine has to read it.

    Asks for no more pieces than it needs: after a switch, only the next page that is none.
    `catalogs` asks for a journal as well, of the files of these numbers.
    """
    kernel = built() if _Choice.engine != "numpy" else None
    if kernel is None or len(catalogs or ()) > _MOST_CATALOGS:
        return None
    try:
        walk = _idle.pop()
    except IndexError:
        walk = kernel.Walk()
    major = header.major
    walk.begin(
        _kinds(major), geometry.start_lsn, geometry.page_size, header.page.magic,
        all_flags(major), overwrite_flag(major), name_timeline, 16 if major >= 18 else 12,
        packed_image_flags(major), None if catalogs is None else array("I", catalogs),
    )  # fmt: skip
    for piece in pieces:
        if not walk.feed(piece):
            break
    result = _Result(*walk.result())
    journal = _counted(walk) if catalogs is not None and result.stop != _ODD else None
    walked = _take(walk, result, major, journal)
    if len(_idle) < _MOST_IDLE and result.rows + len(result.notes) < _MOST_IDLE_ROWS:
        _idle.append(walk)
    return walked


def _counted(walk: Any) -> Counted:
    rows, notes = walk.changes()
    wide = _ZERO_Q * rows
    columns = (array("I", [0]) * rows, wide, wide[:], wide[:])
    walk.fill_usage(*columns)
    return Counted(columns, notes)


def _take(walk: Any, result: _Result, major: int, journal: Counted | None) -> Walked | None:
    carried = result.left > 0 and result.stop in (FULL, BAD_PAGE)
    lacks_bytes = len(result.head) != result.head_bytes or (carried and not result.kept)
    if result.stop == _ODD or not result.has_first or lacks_bytes:
        return None
    if _begins_with_switch(result.head):
        return None
    try:
        facts = _facts(result, major, _packed(walk, result.rows))
    except ParseError:  # a sound record that says nothing sensible
        return None
    return Walked(
        stop=result.stop,
        pages=result.pages,
        timeline=result.timeline,
        stop_offset=result.stop_offset,
        head=result.head,
        carried=(result.record_offset, result.kept) if carried else None,
        first_prev_lsn=result.first_prev_lsn,
        facts=facts,
        journal=journal,
    )


def _begins_with_switch(head: bytes) -> bool:
    """Tell whether the segment begins with the end of an XLOG_SWITCH: it is empty after it."""
    at = REST_OF_SWITCH.get(len(head))
    return at is not None and is_switch(head[at + 1], head[at])


# -- what the records say -------------------------------------------------------------------------


def _packed(walk: Any, rows: int) -> Transactions:
    """The transactions that the kernel decoded."""
    packed = Transactions(
        lsns=_ZERO_Q * rows,
        end_lsns=_ZERO_Q * rows,
        times_us=_ZERO_Q * rows,
        xids=array("I", [0]) * rows,
        kinds=array("B", [0]) * rows,
    )
    walk.fill(packed.lsns, packed.end_lsns, packed.times_us, packed.xids, packed.kinds)
    return packed


_ZERO_Q: Final = array("q", [0])


def _facts(result: _Result, major: int, packed: Transactions) -> Facts:
    """Raises ParseError."""
    decoded = [
        (row, decode(record, Source(major, lsn, end_lsn, xid, rmgr, info)))
        for row, lsn, end_lsn, xid, rmgr, info, record in result.notes
    ]
    rare = [(row, fact) for row, fact in decoded if isinstance(fact, Transaction)]
    return Facts(
        first_lsn=result.first_lsn,
        last_lsn=result.last_lsn,
        end_lsn=result.end_lsn,
        records=sum(records for _, records, _ in result.counts),
        transactions=_merge(packed, rare),
        events=tuple(_events(fact for _, fact in decoded)),
        by_rmgr=tuple(RmgrCount(*count) for count in result.counts),
    )


def _events(facts: Iterator[Event | Transaction | None]) -> Iterator[Event]:
    for fact in facts:
        if fact is not None and not isinstance(fact, Transaction):
            yield fact


def _merge(packed: Transactions, rare: list[tuple[int, Transaction]]) -> Transactions:
    """The kernel's columns, with those among them that Python decoded."""
    if not rare:
        return packed
    merged, begin = Transactions(), 0
    for row, fact in rare:
        _extend(merged, packed, begin, row)
        merged.append(fact)
        begin = row
    _extend(merged, packed, begin, len(packed))
    return merged


def _extend(merged: Transactions, packed: Transactions, first: int, last: int) -> None:
    if first < last:
        merged.lsns.extend(packed.lsns[first:last])
        merged.end_lsns.extend(packed.end_lsns[first:last])
        merged.times_us.extend(packed.times_us[first:last])
        merged.xids.extend(packed.xids[first:last])
        merged.kinds.extend(packed.kinds[first:last])


@functools.cache
def _kinds(major: int) -> bytes:
    """[rmgr, info] -> enum kind."""
    table = bytearray()
    for rmgr in range(256):
        if not is_rmgr(rmgr, major):
            table += bytes([_UNKNOWN]) * 256
        elif rmgr in _NOT_DULL:
            table += bytes(_kind(rmgr, info, major) for info in range(256))
        else:
            table += bytes([_DULL]) * 256
    return bytes(table)


_NOT_DULL: Final = frozenset(Rmgr)


def _kind(rmgr: int, info: int, major: int) -> int:
    if is_switch(rmgr, info):
        return _SWITCH
    if not holds_facts(rmgr, info, major):
        return _DULL
    operation = info & 0x70
    if rmgr == Rmgr.TRANSACTION and operation != PREPARE:
        return _TRANSACTION + KIND_BY_OPERATION[operation]
    return _NOTED
