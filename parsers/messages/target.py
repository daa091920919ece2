"""Recovery mode and recovery target."""

from __future__ import annotations

from typing import Final

from parsers.messages.message import BACKGROUND, Message

MESSAGES: Final = (
    Message(
        id="entering standby mode", event="standby_mode_entered", sample="entering standby mode"
    ),
    Message(
        id="starting point-in-time recovery to XID %u",
        event="recovery_target_set",
        fields=("xid",),
        constants={"target_type": "xid"},
        sample="starting point-in-time recovery to XID 732",
    ),
    Message(
        id="starting point-in-time recovery to %s",
        event="recovery_target_set",
        fields=("time",),
        constants={"target_type": "time"},
        sample="starting point-in-time recovery to 2025-07-10 12:36:58.237185-07",
    ),
    Message(
        id='starting point-in-time recovery to "%s"',
        event="recovery_target_set",
        fields=("name",),
        constants={"target_type": "name"},
        sample='starting point-in-time recovery to "punto_laboratorio"',
    ),
    Message(
        id='starting point-in-time recovery to WAL location (LSN) "%X/%X"',
        event="recovery_target_set",
        fields=("lsn",),
        constants={"target_type": "lsn"},
        sample='starting point-in-time recovery to WAL location (LSN) "0/3000028"',
    ),
    Message(
        id="starting point-in-time recovery to earliest consistent point",
        event="recovery_target_set",
        constants={"target_type": "immediate"},
        sample="starting point-in-time recovery to earliest consistent point",
    ),
    Message(
        id="starting archive recovery",
        event="archive_recovery_started",
        sample="starting archive recovery",
    ),
    Message(
        id="must specify restore_command when standby mode is not enabled",
        event="no_restore_command",
        majors=range(13, 17),
        process=BACKGROUND,
        sample="must specify restore_command when standby mode is not enabled",
    ),
    Message(
        id='must specify "restore_command" when standby mode is not enabled',
        event="no_restore_command",
        majors=range(17, 19),
        process=BACKGROUND,
        sample='must specify "restore_command" when standby mode is not enabled',
    ),
    Message(
        id="specified neither primary_conninfo nor restore_command",
        event="standby_no_source",
        majors=range(13, 17),
        sample="specified neither primary_conninfo nor restore_command",
    ),
    Message(
        id='specified neither "primary_conninfo" nor "restore_command"',
        event="standby_no_source",
        majors=range(17, 19),
        sample='specified neither "primary_conninfo" nor "restore_command"',
    ),
    Message(
        id="multiple recovery targets specified",
        event="multiple_targets",
        process=BACKGROUND,
        sample="multiple recovery targets specified",
    ),
    Message(
        id='invalid value for parameter "%s": "%s"',
        event="bad_guc_value",
        fields=("setting", "value"),
        process=BACKGROUND,
        sample='invalid value for parameter "max_connections": "50"',
    ),
    Message(
        id='configuration file "%s" contains errors',
        event="bad_config",
        fields=("path",),
        process=BACKGROUND,
        sample='configuration file "base/5/1259" contains errors',
    ),
)
