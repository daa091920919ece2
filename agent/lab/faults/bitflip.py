"""One bit of a WAL record flips in an archived segment: size, names and headers stay right.

pg_waldump is asked before and after: sound before, a wrong checksum in that very record after.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agent.lab.errors import LabFailed
from agent.lab.faults.archived_segment import choose_middle_segment, put_back, set_aside
from agent.lab.faults.fault import Fault
from agent.lab.laboratory import Laboratory
from agent.lab.waldump import Record, read_records
from agent.postgres.cluster import ServerFailed
from parsers.lsn import format_lsn
from parsers.sentences import tr
from parsers.wal.page import PAGE_BYTES

_RECORD_HEADER_BYTES: Final = 24  # XLogRecord; its length and CRC are not what is to be harmed
_WRONG_CHECKSUM: Final = "incorrect resource manager data checksum in record at"


def _break_it(lab: Laboratory) -> str:
    segment = choose_middle_segment(lab)
    set_aside(lab, segment)
    record = _choose_record(list(read_records(lab.primary, segment)))
    body = record.length - _RECORD_HEADER_BYTES
    lsn = record.lsn + _RECORD_HEADER_BYTES + body // 2
    _flip_bit(segment, lsn % segment.stat().st_size)
    _require_damage(lab, segment)
    return tr(
        "flipped a bit of {segment} at {lsn}, in the record at {record} ({kind}); "
        "pg_waldump stops there with a wrong checksum",
        segment=segment.name,
        lsn=format_lsn(lsn),
        record=format_lsn(record.lsn),
        kind=record.description.split()[0],
    )


def _choose_record(records: list[Record]) -> Record:
    """The longest that lies on one page; not the first, without which pg_waldump finds no start."""
    return max(
        (record for record in records[1:] if record.lsn % PAGE_BYTES + record.length <= PAGE_BYTES),
        key=lambda record: record.length,
    )


def _flip_bit(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


def _require_damage(lab: Laboratory, segment: Path) -> None:
    try:
        list(read_records(lab.primary, segment))
    except ServerFailed as error:
        if _WRONG_CHECKSUM in str(error):
            return
        raise
    raise LabFailed(tr("pg_waldump still finds nothing wrong with {segment}", segment=segment))


BITFLIP: Final = Fault(
    name="bitflip",
    summary=tr("one bit flips inside a WAL record of an archived segment"),
    findings=frozenset({"wal_damaged"}),
    break_it=_break_it,
    mend=put_back,
)
