"""The archiver."""

from __future__ import annotations

from typing import Final

from parsers.messages.message import ARCHIVER, BACKGROUND, DETAIL, Message

MESSAGES: Final = (
    Message(
        id="archive command failed with exit code %d",
        event="archive_failed",
        fields=("exit_code",),
        process=ARCHIVER,
        sample="archive command failed with exit code 1",
    ),
    Message(
        id="The failed archive command was: %s",
        event="archive_failed_detail",
        fields=("command",),
        process=ARCHIVER,
        part=DETAIL,
        sample="The failed archive command was: cp /archive/000000010000000000000003 pg_wal/RECOVERYXLOG",
    ),
    Message(
        id="archive command was terminated by signal %d: %s",
        event="archive_signal",
        fields=("signal", "signal_name"),
        process=ARCHIVER,
        sample="archive command was terminated by signal 9: Killed",
    ),
    Message(
        id="archive command exited with unrecognized status %d",
        event="archive_unknown_status",
        fields=("status",),
        process=ARCHIVER,
        sample="archive command exited with unrecognized status 5",
    ),
    Message(
        id='archiving write-ahead log file "%s" failed too many times, will try again later',
        event="archive_giving_up",
        fields=("file",),
        process=ARCHIVER,
        sample='archiving write-ahead log file "000000010000000000000003" failed too many times, will try again later',
    ),
    Message(
        id="archive_mode enabled, yet archive_command is not set",
        event="archive_not_configured",
        majors=range(13, 15),
        process=ARCHIVER,
        sample="archive_mode enabled, yet archive_command is not set",
    ),
    Message(
        id="archive_mode enabled, yet archiving is not configured",
        event="archive_not_configured",
        majors=range(15, 17),
        process=ARCHIVER,
        sample="archive_mode enabled, yet archiving is not configured",
    ),
    Message(
        id='"archive_mode" enabled, yet archiving is not configured',
        event="archive_not_configured",
        majors=range(17, 19),
        process=ARCHIVER,
        sample='"archive_mode" enabled, yet archiving is not configured',
    ),
    Message(
        id='removed orphan archive status file "%s"',
        event="archive_orphan_ready",
        fields=("path",),
        process=ARCHIVER,
        sample='removed orphan archive status file "base/5/1259"',
    ),
    Message(
        id='removal of orphan archive status file "%s" failed too many times, will try again later',
        event="archive_orphan_ready_fail",
        fields=("path",),
        process=ARCHIVER,
        sample='removal of orphan archive status file "base/5/1259" failed too many times, will try again later',
    ),
    Message(
        id="both archive_command and archive_library set",
        event="archive_both_set",
        majors=range(16, 17),
        process=BACKGROUND,
        sample="both archive_command and archive_library set",
    ),
    Message(
        id='both "archive_command" and "archive_library" set',
        event="archive_both_set",
        majors=range(17, 19),
        process=BACKGROUND,
        sample='both "archive_command" and "archive_library" set',
    ),
    Message(
        id='restarting archiver process because value of "archive_library" was changed',
        event="archive_lib_restart",
        majors=range(15, 19),
        process=BACKGROUND,
        sample='restarting archiver process because value of "archive_library" was changed',
    ),
    Message(
        id='could not create archive status file "%s": %m',
        event="archive_status_create_failed",
        fields=("path",),
        process=BACKGROUND,
        sample='could not create archive status file "base/5/1259": No such file or directory',
    ),
    Message(
        id='could not rename file "%s" to "%s": %m',
        event="archive_rename_failed",
        fields=("status_path", "to_path"),
        process=BACKGROUND,
        sample='could not rename file "pg_wal/archive_status/000000010000000000000003.ready" to "x": No such file or directory',
    ),
    Message(
        id='WAL archival cannot be enabled when wal_level is "minimal"',
        event="archive_level_minimal",
        majors=range(13, 17),
        process=BACKGROUND,
        sample='WAL archival cannot be enabled when wal_level is "minimal"',
    ),
    Message(
        id='WAL archival cannot be enabled when "wal_level" is "minimal"',
        event="archive_level_minimal",
        majors=range(17, 19),
        process=BACKGROUND,
        sample='WAL archival cannot be enabled when "wal_level" is "minimal"',
    ),
)
