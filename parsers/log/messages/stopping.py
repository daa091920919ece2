"""Stopping at the target: pause, shutdown, promotion."""

from __future__ import annotations

from typing import Final

from parsers.log.messages.event import Event
from parsers.log.messages.message import POSTMASTER, Message

# fmt: off
MESSAGES: Final = (
    Message("recovery stopping before commit of transaction %u, time %s", Event.RECOVERY_STOPPING, ("xid", "time"), constants={"position": "before", "kind": "commit"}, sample="recovery stopping before commit of transaction 732, time 2025-07-10 12:36:58.237185-07"),
    Message("recovery stopping before abort of transaction %u, time %s", Event.RECOVERY_STOPPING, ("xid", "time"), constants={"position": "before", "kind": "abort"}, sample="recovery stopping before abort of transaction 732, time 2025-07-10 12:36:58.237185-07"),
    Message("recovery stopping after commit of transaction %u, time %s", Event.RECOVERY_STOPPING, ("xid", "time"), constants={"position": "after", "kind": "commit"}, sample="recovery stopping after commit of transaction 732, time 2025-07-10 12:36:58.237185-07"),
    Message("recovery stopping after abort of transaction %u, time %s", Event.RECOVERY_STOPPING, ("xid", "time"), constants={"position": "after", "kind": "abort"}, sample="recovery stopping after abort of transaction 732, time 2025-07-10 12:36:58.237185-07"),
    Message('recovery stopping before WAL location (LSN) "%X/%X"', Event.RECOVERY_STOPPING, ("lsn",), constants={"position": "before", "kind": "lsn"}, sample='recovery stopping before WAL location (LSN) "0/3000028"'),
    Message('recovery stopping after WAL location (LSN) "%X/%X"', Event.RECOVERY_STOPPING, ("lsn",), constants={"position": "after", "kind": "lsn"}, sample='recovery stopping after WAL location (LSN) "0/3000028"'),
    Message('recovery stopping at restore point "%s", time %s', Event.RECOVERY_STOPPING, ("name", "time"), constants={"position": "at", "kind": "restore_point"}, sample='recovery stopping at restore point "punto_laboratorio", time 2025-07-10 12:36:58.237185-07'),
    Message("recovery stopping after reaching consistency", Event.RECOVERY_STOPPING, constants={"position": "after", "kind": "consistency"}, sample="recovery stopping after reaching consistency"),
    Message("requested recovery stop point is before consistent recovery point", Event.STOP_BEFORE_CONSISTENCY, sample="requested recovery stop point is before consistent recovery point"),
    Message("pausing at the end of recovery", Event.PAUSED_AT_TARGET, sample="pausing at the end of recovery"),
    Message("recovery has paused", Event.RECOVERY_PAUSED, sample="recovery has paused"),
    Message("shutdown at recovery target", Event.SHUTDOWN_AT_TARGET, process=POSTMASTER, sample="shutdown at recovery target"),
    Message("archive recovery complete", Event.ARCHIVE_RECOVERY_COMPLETE, sample="archive recovery complete"),
)
