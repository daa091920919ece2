"""The side of the backup: restore points and base backups."""

from __future__ import annotations

from typing import Final

from parsers.messages.message import ANYONE, Message

MESSAGES: Final = (
    Message(
        id='restore point "%s" created at %X/%X',
        event="restore_point_created",
        fields=("name", "lsn"),
        process=ANYONE,
        sample='restore point "punto_laboratorio" created at 0/3000028',
    ),
    Message(
        id="aborting backup due to backend exiting before pg_stop_backup was called",
        event="backup_aborted",
        majors=range(13, 15),
        process=ANYONE,
        sample="aborting backup due to backend exiting before pg_stop_backup was called",
    ),
    Message(
        id="aborting backup due to backend exiting before pg_backup_stop was called",
        event="backup_aborted",
        majors=range(15, 19),
        process=ANYONE,
        sample="aborting backup due to backend exiting before pg_backup_stop was called",
    ),
    Message(
        id="still waiting for all required WAL segments to be archived (%d seconds elapsed)",
        event="backup_wait_archive",
        fields=("elapsed_seconds",),
        process=ANYONE,
        sample="still waiting for all required WAL segments to be archived (10 seconds elapsed)",
    ),
    Message(
        id="online backup mode canceled",
        event="backup_mode_canceled",
        majors=range(13, 15),
        process=ANYONE,
        sample="online backup mode canceled",
    ),
    Message(
        id='checksum verification failed in file "%s", block %u: calculated %X but expected %X',
        event="backup_checksum",
        fields=("path", "block", "calculated", "stored"),
        majors=range(14, 19),
        process=ANYONE,
        sample='checksum verification failed in file "base/5/1259", block 7: calculated 1234 but expected 4321',
    ),
    Message(
        id="the standby was promoted during online backup",
        event="backup_promoted",
        process=ANYONE,
        sample="the standby was promoted during online backup",
    ),
    Message(
        id="WAL generated with full_page_writes=off was replayed during online backup",
        event="backup_fpw_off",
        majors=range(13, 17),
        process=ANYONE,
        sample="WAL generated with full_page_writes=off was replayed during online backup",
    ),
    Message(
        id="WAL generated with full_page_writes=off was replayed since last restartpoint",
        event="backup_fpw_off",
        process=ANYONE,
        majors=range(13, 17),
        sample="WAL generated with full_page_writes=off was replayed since last restartpoint",
    ),
    Message(
        id='WAL generated with "full_page_writes=off" was replayed during online backup',
        event="backup_fpw_off",
        majors=range(17, 19),
        process=ANYONE,
        sample='WAL generated with "full_page_writes=off" was replayed during online backup',
    ),
    Message(
        id='WAL generated with "full_page_writes=off" was replayed since last restartpoint',
        event="backup_fpw_off",
        process=ANYONE,
        majors=range(17, 19),
        sample='WAL generated with "full_page_writes=off" was replayed since last restartpoint',
    ),
    Message(
        id="requested WAL segment %s has already been removed",
        event="wal_removed",
        fields=("segment",),
        process=ANYONE,
        sample="requested WAL segment 000000010000000000000003 has already been removed",
    ),
    Message(
        id='invalidating obsolete replication slot "%s"',
        event="slot_invalidated",
        fields=("slot",),
        majors=range(16, 19),
        process=ANYONE,
        sample='invalidating obsolete replication slot "logical_1"',
    ),
)
