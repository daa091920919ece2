"""Batches of checked records into `Facts`: counts, packed transactions, and the rarer events."""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
import numpy.typing as npt

from parsers.errors import ParseError
from parsers.wal_columns import Rows
from parsers.wal_damage import Damage, DamageKind
from parsers.wal_decode import HAS_XINFO, KIND_BY_OPERATION, Source, decode
from parsers.wal_engine import Batch, Completed
from parsers.wal_facts import (
    Event,
    Facts,
    RmgrCount,
    Transaction,
    TransactionDetails,
    Transactions,
)
from parsers.wal_record import Rmgr, holds_facts

# A transaction's record without block references, origin or xinfo: the header, the byte that
# announces short main data, its length, and the time. Almost all are like that.
_MARK_OFFSET: Final = 24
_SHORT_MAIN: Final = 255
_TIME_OFFSET: Final = 26


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
        if not len(rows.lsn):
            return
        self._note(int(rows.lsn[0]), int(rows.lsn[-1]), int(rows.end_lsn[-1]))
        self._records += np.bincount(rows.rmgr, minlength=256)
        self._bytes += np.bincount(rows.rmgr, rows.length, 256).astype(np.int64)
        interesting = _fact_table(self._major)[rows.rmgr, rows.info]
        transactions = interesting & (rows.rmgr == Rmgr.TRANSACTION) & (rows.info & 0x70 != 0x10)
        self._add_transactions(batch, np.flatnonzero(transactions))
        for row in np.flatnonzero(interesting & ~transactions).tolist():
            self._decode_row(batch, row)

    def add_completed(self, completed: Completed) -> None:
        """Take in a record that was read in pieces."""
        record, end_lsn = completed
        header = record.header
        assert header is not None, "a completed record has its header"
        self._note(record.lsn, record.lsn, end_lsn)
        self._records[header.rmgr] += 1
        self._bytes[header.rmgr] += record.total
        if record.kept and holds_facts(header.rmgr, header.info, self._major):
            source = Source(self._major, record.lsn, end_lsn, header.xid, header.rmgr, header.info)
            self._decode(record.kept, source)

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

    def _decode_row(self, batch: Batch, row: int) -> None:
        rows = batch.rows
        start = int(rows.position[row])
        record = batch.stream[start : start + int(rows.length[row])]
        columns = (rows.lsn, rows.end_lsn, rows.xid, rows.rmgr, rows.info)
        self._decode(record, Source(self._major, *(int(column[row]) for column in columns)))

    def _decode(self, record: bytes, source: Source) -> None:
        try:
            self._keep(decode(record, source))
        except ParseError as error:
            detail = f"record: {error}"
            damage = Damage(kind=DamageKind.BAD_HEADER, lsn=source.lsn, detail=detail)
            self.damage = self.damage or damage

    def _keep(self, fact: Event | Transaction | None) -> None:
        if isinstance(fact, Transaction):
            self._append(fact)
        elif fact is not None:
            self.events.append(fact)

    def _append(self, fact: Transaction) -> None:
        packed = self._transactions
        if fact.subxids or fact.relations or fact.gid:
            details = TransactionDetails(fact.subxids, fact.relations, fact.gid)
            packed.details[len(packed)] = details
        packed.lsns.append(fact.lsn)
        packed.end_lsns.append(fact.end_lsn)
        packed.times_us.append(fact.time_us)
        packed.xids.append(fact.xid)
        packed.kinds.append(fact.kind)

    def _add_transactions(self, batch: Batch, found: npt.NDArray[np.intp]) -> None:
        """Runs of plain ones go in as columns, the others one by one."""
        rows = batch.rows
        stream = np.frombuffer(batch.stream, np.uint8)
        marks = stream[rows.position[found] + _MARK_OFFSET]
        plain = (marks == _SHORT_MAIN) & (rows.info[found] & HAS_XINFO == 0)
        begin = 0
        for index in np.flatnonzero(~plain).tolist():
            self._append_plain(rows, stream, found[begin:index])
            self._decode_row(batch, int(found[index]))
            begin = index + 1
        self._append_plain(rows, stream, found[begin:])

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


@functools.cache
def _fact_table(major: int) -> npt.NDArray[np.bool_]:
    """[rmgr, info] -> worth decoding."""
    return np.array(
        [[holds_facts(rmgr, info, major) for info in range(256)] for rmgr in range(256)]
    )


@functools.cache
def _kind_table() -> npt.NDArray[np.uint8]:
    """info & 0x70 -> TransactionKind."""
    table = np.zeros(0x80, np.uint8)
    for operation, kind in KIND_BY_OPERATION.items():
        table[operation] = kind
    return table
