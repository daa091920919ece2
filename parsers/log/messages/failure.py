"""Recovery that ended without what it was to reach."""

from __future__ import annotations

from typing import Final

from parsers.log.messages.event import Event
from parsers.log.messages.message import Message

# fmt: off
MESSAGES: Final = (
    Message("recovery ended before configured recovery target was reached", Event.TARGET_NOT_REACHED, sample="recovery ended before configured recovery target was reached"),
    Message("WAL ends before end of online backup", Event.BACKUP_END_MISSING, sample="WAL ends before end of online backup"),
    Message("WAL ends before consistent recovery point", Event.CONSISTENCY_MISSING, sample="WAL ends before consistent recovery point"),
    Message("WAL was generated with wal_level=minimal, cannot continue recovering", Event.WAL_MINIMAL, majors=range(14, 17), sample="WAL was generated with wal_level=minimal, cannot continue recovering"),
    Message('WAL was generated with "wal_level=minimal", cannot continue recovering', Event.WAL_MINIMAL, majors=range(17, 20), sample='WAL was generated with "wal_level=minimal", cannot continue recovering'),
    Message("WAL was generated with wal_level=minimal, data may be missing", Event.WAL_MINIMAL, majors=range(13, 14), sample="WAL was generated with wal_level=minimal, data may be missing"),
    Message('hot standby is not possible because wal_level was not set to "replica" or higher on the master server', Event.HS_WAL_LEVEL, majors=range(13, 14), sample='hot standby is not possible because wal_level was not set to "replica" or higher on the master server'),
)
