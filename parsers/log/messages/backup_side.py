"""The side of the backup: restore points and base backups."""

from __future__ import annotations

from typing import Final

from parsers.log.messages.event import Event
from parsers.log.messages.message import ANYONE, Message

# fmt: off
MESSAGES: Final = (
    Message('restore point "%s" created at %X/%X', Event.RESTORE_POINT_CREATED, ("name", "lsn"), process=ANYONE, sample='restore point "punto_laboratorio" created at 0/3000028'),
    Message("aborting backup due to backend exiting before pg_stop_backup was called", Event.BACKUP_ABORTED, majors=range(13, 15), process=ANYONE, sample="aborting backup due to backend exiting before pg_stop_backup was called"),
    Message("aborting backup due to backend exiting before pg_backup_stop was called", Event.BACKUP_ABORTED, majors=range(15, 20), process=ANYONE, sample="aborting backup due to backend exiting before pg_backup_stop was called"),
    Message("still waiting for all required WAL segments to be archived (%d seconds elapsed)", Event.BACKUP_WAIT_ARCHIVE, ("elapsed_seconds",), process=ANYONE, sample="still waiting for all required WAL segments to be archived (10 seconds elapsed)"),
    Message("online backup mode canceled", Event.BACKUP_MODE_CANCELED, majors=range(13, 15), process=ANYONE, sample="online backup mode canceled"),
    Message('checksum verification failed in file "%s", block %u: calculated %X but expected %X', Event.BACKUP_CHECKSUM, ("path", "block", "calculated", "stored"), majors=range(14, 20), process=ANYONE, sample='checksum verification failed in file "base/5/1259", block 7: calculated 1234 but expected 4321'),
    Message("the standby was promoted during online backup", Event.BACKUP_PROMOTED, process=ANYONE, sample="the standby was promoted during online backup"),
    Message("WAL generated with full_page_writes=off was replayed during online backup", Event.BACKUP_FPW_OFF, majors=range(13, 17), process=ANYONE, sample="WAL generated with full_page_writes=off was replayed during online backup"),
    Message("WAL generated with full_page_writes=off was replayed since last restartpoint", Event.BACKUP_FPW_OFF, majors=range(13, 17), process=ANYONE, sample="WAL generated with full_page_writes=off was replayed since last restartpoint"),
    Message('WAL generated with "full_page_writes=off" was replayed during online backup', Event.BACKUP_FPW_OFF, majors=range(17, 20), process=ANYONE, sample='WAL generated with "full_page_writes=off" was replayed during online backup'),
    Message('WAL generated with "full_page_writes=off" was replayed since last restartpoint', Event.BACKUP_FPW_OFF, majors=range(17, 20), process=ANYONE, sample='WAL generated with "full_page_writes=off" was replayed since last restartpoint'),
    Message("requested WAL segment %s has already been removed", Event.WAL_REMOVED, ("segment",), process=ANYONE, sample="requested WAL segment 000000010000000000000003 has already been removed"),
    Message('invalidating obsolete replication slot "%s"', Event.SLOT_INVALIDATED, ("slot",), majors=range(16, 20), process=ANYONE, sample='invalidating obsolete replication slot "logical_1"'),
)
