"""A record that was read in pieces, once its last byte has come: judged, decoded."""

from __future__ import annotations

from typing import NamedTuple

from parsers.wal.damage import Damage, crc_damage, length_damage, prev_damage, rmgr_damage
from parsers.wal.decode import Source, decode
from parsers.wal.facts import Event, Facts, RmgrCount, Transaction, Transactions
from parsers.wal.fragment import PartialRecord
from parsers.wal.record import holds_facts, is_rmgr


class Completed(NamedTuple):
    """A record that was read in pieces, checked."""

    record: PartialRecord
    end_lsn: int

    def decode(self) -> Event | Transaction | None:
        """What it says, where it says something. Raises ParseError."""
        record, header = self.record, self.record.header
        assert header is not None, "a completed record has its header"
        if not record.kept or not holds_facts(header.rmgr, header.info, record.major):
            return None
        source = Source(
            record.major, record.lsn, self.end_lsn, header.xid, header.rmgr, header.info
        )
        return decode(record.kept, source)

    def facts(self) -> Facts:
        """The facts of this record alone. Raises ParseError."""
        record, header = self.record, self.record.header
        assert header is not None, "a completed record has its header"
        transactions, fact = Transactions(), self.decode()
        if isinstance(fact, Transaction):
            transactions.append(fact)
        return Facts(
            first_lsn=record.lsn,
            last_lsn=record.lsn,
            end_lsn=self.end_lsn,
            records=1,
            transactions=transactions,
            events=() if fact is None or isinstance(fact, Transaction) else (fact,),
            by_rmgr=(RmgrCount(header.rmgr, 1, record.total),),
        )


def check_completed(record: PartialRecord, previous: int | None) -> Damage | None:
    """Judge a record whose last byte has come: resource manager, prev-link, CRC."""
    header = record.header
    if header is None:
        return length_damage(record.lsn, record.total)
    if not is_rmgr(header.rmgr, record.major):
        return rmgr_damage(record.lsn, header.rmgr)
    if previous is not None and header.prev_lsn != previous:
        return prev_damage(record.lsn, header.prev_lsn, previous)
    return None if record.crc_holds else crc_damage(record.lsn)
