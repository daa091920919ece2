"""Stopping at the target: pause, shutdown, promotion."""

from __future__ import annotations

from typing import Final

from parsers.messages.message import POSTMASTER, Message

MESSAGES: Final = (
    Message(
        id="recovery stopping before commit of transaction %u, time %s",
        event="recovery_stopping",
        fields=("xid", "time"),
        constants={"position": "before", "kind": "commit"},
        sample="recovery stopping before commit of transaction 732, time 2025-07-10 12:36:58.237185-07",
    ),
    Message(
        id="recovery stopping before abort of transaction %u, time %s",
        event="recovery_stopping",
        fields=("xid", "time"),
        constants={"position": "before", "kind": "abort"},
        sample="recovery stopping before abort of transaction 732, time 2025-07-10 12:36:58.237185-07",
    ),
    Message(
        id="recovery stopping after commit of transaction %u, time %s",
        event="recovery_stopping",
        fields=("xid", "time"),
        constants={"position": "after", "kind": "commit"},
        sample="recovery stopping after commit of transaction 732, time 2025-07-10 12:36:58.237185-07",
    ),
    Message(
        id="recovery stopping after abort of transaction %u, time %s",
        event="recovery_stopping",
        fields=("xid", "time"),
        constants={"position": "after", "kind": "abort"},
        sample="recovery stopping after abort of transaction 732, time 2025-07-10 12:36:58.237185-07",
    ),
    Message(
        id='recovery stopping before WAL location (LSN) "%X/%X"',
        event="recovery_stopping",
        fields=("lsn",),
        constants={"position": "before", "kind": "lsn"},
        sample='recovery stopping before WAL location (LSN) "0/3000028"',
    ),
    Message(
        id='recovery stopping after WAL location (LSN) "%X/%X"',
        event="recovery_stopping",
        fields=("lsn",),
        constants={"position": "after", "kind": "lsn"},
        sample='recovery stopping after WAL location (LSN) "0/3000028"',
    ),
    Message(
        id='recovery stopping at restore point "%s", time %s',
        event="recovery_stopping",
        fields=("name", "time"),
        constants={"position": "at", "kind": "restore_point"},
        sample='recovery stopping at restore point "punto_laboratorio", time 2025-07-10 12:36:58.237185-07',
    ),
    Message(
        id="recovery stopping after reaching consistency",
        event="recovery_stopping",
        constants={"position": "after", "kind": "consistency"},
        sample="recovery stopping after reaching consistency",
    ),
    Message(
        id="requested recovery stop point is before consistent recovery point",
        event="stop_before_consistency",
        sample="requested recovery stop point is before consistent recovery point",
    ),
    Message(
        id="pausing at the end of recovery",
        event="paused_at_target",
        sample="pausing at the end of recovery",
    ),
    Message(id="recovery has paused", event="recovery_paused", sample="recovery has paused"),
    Message(
        id="shutdown at recovery target",
        event="shutdown_at_target",
        process=POSTMASTER,
        sample="shutdown at recovery target",
    ),
    Message(
        id="archive recovery complete",
        event="archive_recovery_complete",
        sample="archive recovery complete",
    ),
)
