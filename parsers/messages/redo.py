"""Redo: its start, progress, consistency and end."""

from __future__ import annotations

from typing import Final

from parsers.messages.message import CONTEXT, Message

MESSAGES: Final = (
    Message(
        id="redo starts at %X/%X",
        event="redo_started",
        fields=("lsn",),
        sample="redo starts at 0/3000028",
    ),
    Message(
        id="redo in progress, elapsed time: %ld.%02d s, current LSN: %X/%X",
        event="redo_progress",
        fields=("elapsed_seconds", "lsn"),
        majors=range(15, 19),
        sample="redo in progress, elapsed time: 10.00 s, current LSN: 0/3000028",
    ),
    Message(
        id="consistent recovery state reached at %X/%X",
        event="consistency_reached",
        fields=("lsn",),
        sample="consistent recovery state reached at 0/3000028",
    ),
    Message(
        id="redo done at %X/%X",
        event="redo_done",
        fields=("lsn",),
        majors=range(13, 14),
        sample="redo done at 0/3000028",
    ),
    Message(
        id="redo done at %X/%X system usage: %s",
        event="redo_done",
        fields=("lsn", "usage"),
        majors=range(14, 19),
        sample="redo done at 0/3000028 system usage: CPU: user: 0.00 s, system: 0.00 s, elapsed: 0.07 s",
    ),
    Message(
        id="last completed transaction was at log time %s",
        event="last_transaction",
        fields=("time",),
        sample="last completed transaction was at log time 2025-07-10 12:36:58.237185-07",
    ),
    Message(id="redo is not required", event="redo_not_required", sample="redo is not required"),
    Message(
        id="page %u of relation %s does not exist",
        event="invalid_page_warn",
        fields=("block", "relation"),
        translated=False,
        sample="page 7 of relation base/5/1259 does not exist",
    ),
    Message(
        id="page %u of relation %s is uninitialized",
        event="invalid_page_warn",
        fields=("block", "relation"),
        translated=False,
        sample="page 7 of relation base/5/1259 is uninitialized",
    ),
    Message(
        id="page %u of relation %s has been dropped",
        event="invalid_page_warn",
        fields=("block", "relation"),
        translated=False,
        sample="page 7 of relation base/5/1259 has been dropped",
    ),
    Message(
        id="WAL contains references to invalid pages",
        event="invalid_pages",
        translated=False,
        sample="WAL contains references to invalid pages",
    ),
    Message(
        id="inconsistent page found, rel %u/%u/%u, forknum %u, blkno %u",
        event="inconsistent_page",
        fields=("tablespace", "database", "relation_number", "fork", "block"),
        translated=False,
        sample="inconsistent page found, rel 24/24/24, forknum 24, blkno 7",
    ),
    Message(
        id='unexpected directory entry "%s" found in %s',
        event="tblspc_real_dir",
        fields=("entry", "directory"),
        sample='unexpected directory entry "16400" found in pg_tblspc/',
    ),
    Message(
        id="maximum number of prepared transactions reached",
        event="prepared_slots_full",
        sample="maximum number of prepared transactions reached",
    ),
    Message(
        id="resource manager with ID %d not registered",
        event="rmgr_missing",
        fields=("rmid",),
        majors=range(15, 19),
        sample="resource manager with ID 128 not registered",
    ),
    Message(
        id="WAL redo at %X/%X for %s",
        event="context_redo",
        fields=("lsn", "record_desc"),
        part=CONTEXT,
        sample="WAL redo at 0/3000028 for x",
    ),
    Message(
        id="recovering prepared transaction %u from shared memory",
        event="prepared_recovered",
        fields=("xid",),
        sample="recovering prepared transaction 732 from shared memory",
    ),
)
