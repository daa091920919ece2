"""Recovery that ended without what it was to reach."""

from __future__ import annotations

from typing import Final

from parsers.messages.message import Message

MESSAGES: Final = (
    Message(
        id="recovery ended before configured recovery target was reached",
        event="target_not_reached",
        sample="recovery ended before configured recovery target was reached",
    ),
    Message(
        id="WAL ends before end of online backup",
        event="backup_end_missing",
        sample="WAL ends before end of online backup",
    ),
    Message(
        id="WAL ends before consistent recovery point",
        event="consistency_missing",
        sample="WAL ends before consistent recovery point",
    ),
    Message(
        id="WAL was generated with wal_level=minimal, cannot continue recovering",
        event="wal_minimal",
        majors=range(14, 17),
        sample="WAL was generated with wal_level=minimal, cannot continue recovering",
    ),
    Message(
        id='WAL was generated with "wal_level=minimal", cannot continue recovering',
        event="wal_minimal",
        majors=range(17, 19),
        sample='WAL was generated with "wal_level=minimal", cannot continue recovering',
    ),
    Message(
        id="WAL was generated with wal_level=minimal, data may be missing",
        event="wal_minimal",
        majors=range(13, 14),
        sample="WAL was generated with wal_level=minimal, data may be missing",
    ),
    Message(
        id='hot standby is not possible because wal_level was not set to "replica" or higher on the master server',
        event="hs_wal_level",
        majors=range(13, 14),
        sample='hot standby is not possible because wal_level was not set to "replica" or higher on the master server',
    ),
)
