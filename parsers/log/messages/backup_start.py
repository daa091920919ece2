"""backup_label, tablespace_map and the starting checkpoint."""

from __future__ import annotations

from typing import Final

from parsers.log.messages.event import Event
from parsers.log.messages.message import Message

# fmt: off
MESSAGES: Final = (
    Message("starting backup recovery with redo LSN %X/%X, checkpoint LSN %X/%X, on timeline ID %u", Event.BACKUP_RECOVERY_STARTED, ("redo_lsn", "checkpoint_lsn", "timeline"), majors=range(15, 20), sample="starting backup recovery with redo LSN 0/3000028, checkpoint LSN 0/3000028, on timeline ID 1"),
    Message("restarting backup recovery with redo LSN %X/%X", Event.BACKUP_RECOVERY_RESTARTED, ("redo_lsn",), majors=range(15, 20), sample="restarting backup recovery with redo LSN 0/3000028"),
    Message("completed backup recovery with redo LSN %X/%X and end LSN %X/%X", Event.BACKUP_RECOVERY_DONE, ("redo_lsn", "end_lsn"), majors=range(15, 20), sample="completed backup recovery with redo LSN 0/3000028 and end LSN 0/3000028"),
    Message('invalid data in file "%s"', Event.BACKUP_LABEL_INVALID, ("file",), sample='invalid data in file "000000010000000000000003"'),
    Message("backup_label contains data inconsistent with control file", Event.BACKUP_LABEL_INCONSISTENT, sample="backup_label contains data inconsistent with control file"),
    Message("this is an incremental backup, not a data directory", Event.INCREMENTAL_NOT_COMBINED, majors=range(17, 20), sample="this is an incremental backup, not a data directory"),
    Message("could not locate required checkpoint record", Event.CKPT_RECORD_MISSING, majors=range(13, 17), sample="could not locate required checkpoint record"),
    Message("could not locate required checkpoint record at %X/%X", Event.CKPT_RECORD_MISSING, ("lsn",), majors=range(17, 20), sample="could not locate required checkpoint record at 0/3000028"),
    Message("could not find redo location referenced by checkpoint record", Event.REDO_MISSING, majors=range(13, 17), sample="could not find redo location referenced by checkpoint record"),
    Message("could not find redo location %X/%08X referenced by checkpoint record at %X/%08X", Event.REDO_MISSING, ("redo_lsn", "checkpoint_lsn"), also=("could not find redo location %X/%X referenced by checkpoint record at %X/%X",), majors=range(14, 20), sample="could not find redo location 0/03000028 referenced by checkpoint record at 0/03000028"),
    Message("could not locate a valid checkpoint record", Event.CKPT_RECORD_INVALID_PANIC, majors=range(13, 17), sample="could not locate a valid checkpoint record"),
    Message("could not locate a valid checkpoint record at %X/%X", Event.CKPT_RECORD_INVALID_PANIC, ("lsn",), majors=range(17, 20), sample="could not locate a valid checkpoint record at 0/3000028"),
    Message("invalid checkpoint record", Event.CKPT_BAD, sample="invalid checkpoint record"),
    Message("invalid primary checkpoint record", Event.CKPT_BAD, majors=range(13, 16), sample="invalid primary checkpoint record"),
    Message("invalid checkpoint location", Event.CKPT_BAD_LOCATION, majors=range(16, 20), sample="invalid checkpoint location"),
    Message("invalid primary checkpoint link in control file", Event.CKPT_BAD_LOCATION, majors=range(13, 16), sample="invalid primary checkpoint link in control file"),
    Message("invalid checkpoint link in backup_label file", Event.CKPT_BAD_LOCATION, majors=range(13, 16), sample="invalid checkpoint link in backup_label file"),
    Message("invalid resource manager ID in checkpoint record", Event.CKPT_BAD_RMID, sample="invalid resource manager ID in checkpoint record"),
    Message("invalid resource manager ID in primary checkpoint record", Event.CKPT_BAD_RMID, majors=range(13, 16), sample="invalid resource manager ID in primary checkpoint record"),
    Message("invalid xl_info in checkpoint record", Event.CKPT_BAD_INFO, sample="invalid xl_info in checkpoint record"),
    Message("invalid xl_info in primary checkpoint record", Event.CKPT_BAD_INFO, majors=range(13, 16), sample="invalid xl_info in primary checkpoint record"),
    Message("invalid length of checkpoint record", Event.CKPT_BAD_LENGTH, sample="invalid length of checkpoint record"),
    Message("invalid length of primary checkpoint record", Event.CKPT_BAD_LENGTH, majors=range(13, 16), sample="invalid length of primary checkpoint record"),
    Message("unexpected record type found at redo point %X/%X", Event.REDO_RECORD_UNEXPECTED, ("lsn",), majors=range(17, 20), sample="unexpected record type found at redo point 0/3000028"),
    Message("invalid redo record in shutdown checkpoint", Event.SHUTDOWN_CKPT_BAD_REDO, sample="invalid redo record in shutdown checkpoint"),
    Message("invalid redo in checkpoint record", Event.SHUTDOWN_CKPT_BAD_REDO, sample="invalid redo in checkpoint record"),
    Message("invalid next transaction ID", Event.SHUTDOWN_CKPT_BAD_REDO, sample="invalid next transaction ID"),
    Message('ignoring file "%s" because no file "%s" exists', Event.TABLESPACE_MAP_IGNORED, ("file", "label_file"), sample='ignoring file "000000010000000000000003" because no file "backup_label" exists'),
    Message('directory "%s" does not exist', Event.TABLESPACE_DIRECTORY_MISSING, ("directory",), sample='directory "/srv/fast" does not exist'),
    Message('could not create symbolic link "%s": %m', Event.TABLESPACE_SYMLINK_FAILED, ("path",), sample='could not create symbolic link "base/5/1259": No such file or directory'),
    Message("online backup was canceled, recovery cannot continue", Event.BACKUP_CANCELED, sample="online backup was canceled, recovery cannot continue"),
)
