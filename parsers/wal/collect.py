"""Batches of checked records into `Facts`: counts, packed transactions, and the rarer events."""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
import numpy.typing as npt

from parsers.errors import ParseError
from parsers.wal.columns import Rows
from parsers.wal.completed import Completed
from parsers.wal.damage import Damage, meaning_damage
from parsers.wal.decode import HAS_XINFO, KIND_BY_OPERATION, PREPARE, Source, decode
from parsers.wal.engine import Batch
from parsers.wal.facts import (
    Event,
    Facts,
    RmgrCount,
    Transaction,
    Transactions,
)
from parsers.wal.record import Rmgr, holds_facts

# A transaction's record without block references, origin or xinfo: the header, the byte that
# announces short main data, its length, and the time. Almost all are like that. A record that is
# shorter, or whose main data does not fill it, is for decode() to judge.
_MARK_OFFSET: Final = 24
_SHORT_MAIN: Final = 255
_TIME_OFFSET: Final = 26
_PLAIN_BYTES: Final = 34


class Collector:
    """Gathers the facts of one stretch of WAL, batch after batch."""

    def __init__(self, major: int) -> None:
        self._major = major
        self._transactions = Transactions()
        self.events: list[Event] = []
        self.damage: Damage | None = None  # a sound record that says nothing sensible
        self._records = np.zeros(256, np.int64)
        self._bytes = np.zeros(256, np.int64)
        self._bounds: tuple[int, int, int] | None = None

    def add(self, batch: Batch) -> None:
        """Take in a window."""
        if batch.completed:
            self.add_completed(batch.completed)
        rows = batch.rows
        if self.damage or not len(rows.lsn):
            return
        worth = np.flatnonzero(_fact_table(self._major)[rows.rmgr, rows.info])
        plain = _are_plain(batch, worth)
        decoded: list[tuple[int, Event | Transaction | None]] = []
        for index in np.flatnonzero(~plain).tolist():
            row = int(worth[index])
            try:
                decoded.append((index, self._decode_row(batch, row)))
            except ParseError as error:
                self.damage = meaning_damage(int(rows.lsn[row]), error)
                rows, worth = rows.cut(row), worth[:index]
                break
        if len(rows.lsn):
            self._note(int(rows.lsn[0]), int(rows.lsn[-1]), int(rows.end_lsn[-1]))
        self._records += np.bincount(rows.rmgr, minlength=256)
        self._bytes += np.bincount(rows.rmgr, rows.length, 256).astype(np.int64)
        begin, stream = 0, np.frombuffer(batch.stream, np.uint8)
        for index, fact in decoded:
            self._append_plain(rows, stream, worth[begin:index])
            self._keep(fact)
            begin = index + 1
        self._append_plain(rows, stream, worth[begin:])

    def add_completed(self, completed: Completed) -> None:
        """Take in a record that was read in pieces."""
        record, end_lsn = completed
        header = record.header
        assert header is not None, "a completed record has its header"
        try:
            self._keep(completed.decode())
        except ParseError as error:
            self.damage = meaning_damage(record.lsn, error)
            return
        self._note(record.lsn, record.lsn, end_lsn)
        self._records[header.rmgr] += 1
        self._bytes[header.rmgr] += record.total

    def facts(self) -> Facts:
        """All that was taken in."""
        first, last, end = self._bounds or (None, None, None)
        return Facts(
            first_lsn=first,
            last_lsn=last,
            end_lsn=end,
            records=int(self._records.sum()),
            transactions=self._transactions,
            events=tuple(self.events),
            by_rmgr=tuple(
                RmgrCount(int(rmgr), int(self._records[rmgr]), int(self._bytes[rmgr]))
                for rmgr in np.flatnonzero(self._records)
            ),
        )

    def _note(self, first: int, last: int, end: int) -> None:
        self._bounds = (self._bounds[0] if self._bounds else first, last, end)

    def _decode_row(self, batch: Batch, row: int) -> Event | Transaction | None:
        rows = batch.rows
        start = int(rows.position[row])
        record = batch.stream[start : start + int(rows.length[row])]
        columns = (rows.lsn, rows.end_lsn, rows.xid, rows.rmgr, rows.info)
        return decode(record, Source(self._major, *(int(column[row]) for column in columns)))

    def _keep(self, fact: Event | Transaction | None) -> None:
        if isinstance(fact, Transaction):
            self._transactions.append(fact)
        elif fact is not None:
            self.events.append(fact)

    def _append_plain(
        self, rows: Rows, stream: npt.NDArray[np.uint8], found: npt.NDArray[np.intp]
    ) -> None:
        if not len(found):
            return
        time_bytes = rows.position[found][:, None] + np.arange(_TIME_OFFSET, _TIME_OFFSET + 8)
        packed = self._transactions
        packed.lsns.frombytes(rows.lsn[found].tobytes())
        packed.end_lsns.frombytes(rows.end_lsn[found].tobytes())
        packed.times_us.frombytes(stream[time_bytes].tobytes())
        packed.xids.frombytes(rows.xid[found].tobytes())
        packed.kinds.frombytes(_kind_table()[rows.info[found] & 0x70].tobytes())


def _are_plain(batch: Batch, worth: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Which of some records are transactions that say their time and nothing more."""
    rows, stream = batch.rows, np.frombuffer(batch.stream, np.uint8)
    info, length = rows.info[worth], rows.length[worth]
    plain: npt.NDArray[np.bool_] = (
        (rows.rmgr[worth] == Rmgr.TRANSACTION)
        & (info & 0x70 != PREPARE)
        & (info & HAS_XINFO == 0)
        & (length >= _PLAIN_BYTES)
    )
    mark = rows.position[worth[plain]] + _MARK_OFFSET
    fills = stream[mark + 1] == length[plain] - _TIME_OFFSET
    plain[plain] = (stream[mark] == _SHORT_MAIN) & fills
    return plain


@functools.cache
def _fact_table(major: int) -> npt.NDArray[np.bool_]:
    """[rmgr, info] -> worth decoding."""
    table = np.zeros((256, 256), np.bool_)
    for rmgr in Rmgr:  # no other's records hold any
        table[rmgr] = [holds_facts(rmgr, info, major) for info in range(256)]
    return table


@functools.cache
def _kind_table() -> npt.NDArray[np.uint8]:
    """info & 0x70 -> TransactionKind."""
    table = np.zeros(0x80, np.uint8)
    for operation, kind in KIND_BY_OPERATION.items():
        table[operation] = kind
    return table
