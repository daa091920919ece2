"""Recovery mode and recovery target."""

from __future__ import annotations

from typing import Final

from parsers.log.messages.event import Event
from parsers.log.messages.message import BACKGROUND, Message

# fmt: off
MESSAGES: Final = (
    Message("entering standby mode", Event.STANDBY_MODE_ENTERED, sample="entering standby mode"),
    Message("starting point-in-time recovery to XID %u", Event.RECOVERY_TARGET_SET, ("xid",), constants={"target_type": "xid"}, sample="starting point-in-time recovery to XID 732"),
    Message("starting point-in-time recovery to %s", Event.RECOVERY_TARGET_SET, ("time",), constants={"target_type": "time"}, sample="starting point-in-time recovery to 2025-07-10 12:36:58.237185-07"),
    Message('starting point-in-time recovery to "%s"', Event.RECOVERY_TARGET_SET, ("name",), constants={"target_type": "name"}, sample='starting point-in-time recovery to "punto_laboratorio"'),
    Message('starting point-in-time recovery to WAL location (LSN) "%X/%X"', Event.RECOVERY_TARGET_SET, ("lsn",), constants={"target_type": "lsn"}, sample='starting point-in-time recovery to WAL location (LSN) "0/3000028"'),
    Message("starting point-in-time recovery to earliest consistent point", Event.RECOVERY_TARGET_SET, constants={"target_type": "immediate"}, sample="starting point-in-time recovery to earliest consistent point"),
    Message("starting archive recovery", Event.ARCHIVE_RECOVERY_STARTED, sample="starting archive recovery"),
    Message("must specify restore_command when standby mode is not enabled", Event.NO_RESTORE_COMMAND, majors=range(13, 17), process=BACKGROUND, sample="must specify restore_command when standby mode is not enabled"),
    Message('must specify "restore_command" when standby mode is not enabled', Event.NO_RESTORE_COMMAND, majors=range(17, 20), process=BACKGROUND, sample='must specify "restore_command" when standby mode is not enabled'),
    Message("specified neither primary_conninfo nor restore_command", Event.STANDBY_NO_SOURCE, majors=range(13, 17), sample="specified neither primary_conninfo nor restore_command"),
    Message('specified neither "primary_conninfo" nor "restore_command"', Event.STANDBY_NO_SOURCE, majors=range(17, 20), sample='specified neither "primary_conninfo" nor "restore_command"'),
    Message("multiple recovery targets specified", Event.MULTIPLE_TARGETS, process=BACKGROUND, sample="multiple recovery targets specified"),
    Message('invalid value for parameter "%s": "%s"', Event.BAD_GUC_VALUE, ("setting", "value"), process=BACKGROUND, sample='invalid value for parameter "max_connections": "50"'),
    Message('configuration file "%s" contains errors', Event.BAD_CONFIG, ("path",), process=BACKGROUND, sample='configuration file "base/5/1259" contains errors'),
)
