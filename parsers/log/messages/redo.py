"""Redo: its start, progress, consistency and end."""

from __future__ import annotations

from typing import Final

from parsers.log.messages.event import Event
from parsers.log.messages.message import CONTEXT, Message

# fmt: off
MESSAGES: Final = (
    Message("redo starts at %X/%X", Event.REDO_STARTED, ("lsn",), sample="redo starts at 0/3000028"),
    Message("redo in progress, elapsed time: %ld.%02d s, current LSN: %X/%X", Event.REDO_PROGRESS, ("elapsed_seconds", "lsn"), majors=range(15, 20), sample="redo in progress, elapsed time: 10.00 s, current LSN: 0/3000028"),
    Message("consistent recovery state reached at %X/%X", Event.CONSISTENCY_REACHED, ("lsn",), sample="consistent recovery state reached at 0/3000028"),
    Message("redo done at %X/%X", Event.REDO_DONE, ("lsn",), majors=range(13, 14), sample="redo done at 0/3000028"),
    Message("redo done at %X/%X system usage: %s", Event.REDO_DONE, ("lsn", "usage"), majors=range(14, 20), sample="redo done at 0/3000028 system usage: CPU: user: 0.00 s, system: 0.00 s, elapsed: 0.07 s"),
    Message("last completed transaction was at log time %s", Event.LAST_TRANSACTION, ("time",), sample="last completed transaction was at log time 2025-07-10 12:36:58.237185-07"),
    Message("redo is not required", Event.REDO_NOT_REQUIRED, sample="redo is not required"),
    Message("page %u of relation %s does not exist", Event.INVALID_PAGE_WARN, ("block", "relation"), translated=False, sample="page 7 of relation base/5/1259 does not exist"),
    Message("page %u of relation %s is uninitialized", Event.INVALID_PAGE_WARN, ("block", "relation"), translated=False, sample="page 7 of relation base/5/1259 is uninitialized"),
    Message("page %u of relation %s has been dropped", Event.INVALID_PAGE_WARN, ("block", "relation"), translated=False, sample="page 7 of relation base/5/1259 has been dropped"),
    Message("WAL contains references to invalid pages", Event.INVALID_PAGES, translated=False, sample="WAL contains references to invalid pages"),
    Message("inconsistent page found, rel %u/%u/%u, forknum %u, blkno %u", Event.INCONSISTENT_PAGE, ("tablespace", "database", "relation_number", "fork", "block"), translated=False, sample="inconsistent page found, rel 24/24/24, forknum 24, blkno 7"),
    Message('unexpected directory entry "%s" found in %s', Event.TBLSPC_REAL_DIR, ("entry", "directory"), sample='unexpected directory entry "16400" found in pg_tblspc/'),
    Message("maximum number of prepared transactions reached", Event.PREPARED_SLOTS_FULL, sample="maximum number of prepared transactions reached"),
    Message("resource manager with ID %d not registered", Event.RMGR_MISSING, ("rmid",), majors=range(15, 20), sample="resource manager with ID 128 not registered"),
    Message("WAL redo at %X/%X for %s", Event.CONTEXT_REDO, ("lsn", "record_desc"), part=CONTEXT, sample="WAL redo at 0/3000028 for x"),
    Message("recovering prepared transaction %u from shared memory", Event.PREPARED_RECOVERED, ("xid",), sample="recovering prepared transaction 732 from shared memory"),
)
