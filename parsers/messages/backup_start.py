"""backup_label, tablespace_map and the starting checkpoint."""

from __future__ import annotations

from typing import Final

from parsers.messages.message import Message

MESSAGES: Final = (
    Message(
        id="starting backup recovery with redo LSN %X/%X, checkpoint LSN %X/%X, on timeline ID %u",
        event="backup_recovery_started",
        fields=("redo_lsn", "checkpoint_lsn", "timeline"),
        majors=range(15, 19),
        sample="starting backup recovery with redo LSN 0/3000028, checkpoint LSN 0/3000028, on timeline ID 1",
    ),
    Message(
        id="restarting backup recovery with redo LSN %X/%X",
        event="backup_recovery_restarted",
        fields=("redo_lsn",),
        majors=range(15, 19),
        sample="restarting backup recovery with redo LSN 0/3000028",
    ),
    Message(
        id="completed backup recovery with redo LSN %X/%X and end LSN %X/%X",
        event="backup_recovery_done",
        fields=("redo_lsn", "end_lsn"),
        majors=range(15, 19),
        sample="completed backup recovery with redo LSN 0/3000028 and end LSN 0/3000028",
    ),
    Message(
        id='invalid data in file "%s"',
        event="backup_label_invalid",
        fields=("file",),
        sample='invalid data in file "000000010000000000000003"',
    ),
    Message(
        id="backup_label contains data inconsistent with control file",
        event="backup_label_inconsistent",
        sample="backup_label contains data inconsistent with control file",
    ),
    Message(
        id="this is an incremental backup, not a data directory",
        event="incremental_not_combined",
        majors=range(17, 19),
        sample="this is an incremental backup, not a data directory",
    ),
    Message(
        id="could not locate required checkpoint record",
        event="ckpt_record_missing",
        majors=range(13, 17),
        sample="could not locate required checkpoint record",
    ),
    Message(
        id="could not locate required checkpoint record at %X/%X",
        event="ckpt_record_missing",
        fields=("lsn",),
        majors=range(17, 19),
        sample="could not locate required checkpoint record at 0/3000028",
    ),
    Message(
        id="could not find redo location referenced by checkpoint record",
        event="redo_missing",
        majors=range(13, 17),
        sample="could not find redo location referenced by checkpoint record",
    ),
    Message(
        id="could not find redo location %X/%08X referenced by checkpoint record at %X/%08X",
        event="redo_missing",
        fields=("redo_lsn", "checkpoint_lsn"),
        also=("could not find redo location %X/%X referenced by checkpoint record at %X/%X",),
        majors=range(14, 19),
        sample="could not find redo location 0/03000028 referenced by checkpoint record at 0/03000028",
    ),
    Message(
        id="could not locate a valid checkpoint record",
        event="ckpt_record_invalid_panic",
        majors=range(13, 17),
        sample="could not locate a valid checkpoint record",
    ),
    Message(
        id="could not locate a valid checkpoint record at %X/%X",
        event="ckpt_record_invalid_panic",
        fields=("lsn",),
        majors=range(17, 19),
        sample="could not locate a valid checkpoint record at 0/3000028",
    ),
    Message(id="invalid checkpoint record", event="ckpt_bad", sample="invalid checkpoint record"),
    Message(
        id="invalid primary checkpoint record",
        event="ckpt_bad",
        majors=range(13, 16),
        sample="invalid primary checkpoint record",
    ),
    Message(
        id="invalid checkpoint location",
        event="ckpt_bad_location",
        majors=range(16, 19),
        sample="invalid checkpoint location",
    ),
    Message(
        id="invalid primary checkpoint link in control file",
        event="ckpt_bad_location",
        majors=range(13, 16),
        sample="invalid primary checkpoint link in control file",
    ),
    Message(
        id="invalid checkpoint link in backup_label file",
        event="ckpt_bad_location",
        majors=range(13, 16),
        sample="invalid checkpoint link in backup_label file",
    ),
    Message(
        id="invalid resource manager ID in checkpoint record",
        event="ckpt_bad_rmid",
        sample="invalid resource manager ID in checkpoint record",
    ),
    Message(
        id="invalid resource manager ID in primary checkpoint record",
        event="ckpt_bad_rmid",
        majors=range(13, 16),
        sample="invalid resource manager ID in primary checkpoint record",
    ),
    Message(
        id="invalid xl_info in checkpoint record",
        event="ckpt_bad_info",
        sample="invalid xl_info in checkpoint record",
    ),
    Message(
        id="invalid xl_info in primary checkpoint record",
        event="ckpt_bad_info",
        majors=range(13, 16),
        sample="invalid xl_info in primary checkpoint record",
    ),
    Message(
        id="invalid length of checkpoint record",
        event="ckpt_bad_length",
        sample="invalid length of checkpoint record",
    ),
    Message(
        id="invalid length of primary checkpoint record",
        event="ckpt_bad_length",
        majors=range(13, 16),
        sample="invalid length of primary checkpoint record",
    ),
    Message(
        id="unexpected record type found at redo point %X/%X",
        event="redo_record_unexpected",
        fields=("lsn",),
        majors=range(17, 19),
        sample="unexpected record type found at redo point 0/3000028",
    ),
    Message(
        id="invalid redo record in shutdown checkpoint",
        event="shutdown_ckpt_bad_redo",
        sample="invalid redo record in shutdown checkpoint",
    ),
    Message(
        id="invalid redo in checkpoint record",
        event="shutdown_ckpt_bad_redo",
        sample="invalid redo in checkpoint record",
    ),
    Message(
        id="invalid next transaction ID",
        event="shutdown_ckpt_bad_redo",
        sample="invalid next transaction ID",
    ),
    Message(
        id='ignoring file "%s" because no file "%s" exists',
        event="tablespace_map_ignored",
        fields=("file", "label_file"),
        sample='ignoring file "000000010000000000000003" because no file "backup_label" exists',
    ),
    Message(
        id='could not create symbolic link "%s": %m',
        event="tablespace_symlink_failed",
        fields=("path",),
        sample='could not create symbolic link "base/5/1259": No such file or directory',
    ),
    Message(
        id="online backup was canceled, recovery cannot continue",
        event="backup_canceled",
        sample="online backup was canceled, recovery cannot continue",
    ),
)
