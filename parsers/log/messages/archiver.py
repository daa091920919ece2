"""The archiver."""

from __future__ import annotations

from typing import Final

from parsers.log.messages.event import Event
from parsers.log.messages.message import ARCHIVER, BACKGROUND, DETAIL, Message

# fmt: off
MESSAGES: Final = (
    Message("archive command failed with exit code %d", Event.ARCHIVE_FAILED, ("exit_code",), process=ARCHIVER, sample="archive command failed with exit code 1"),
    Message("The failed archive command was: %s", Event.ARCHIVE_FAILED_DETAIL, ("command",), process=ARCHIVER, part=DETAIL, sample="The failed archive command was: cp /archive/000000010000000000000003 pg_wal/RECOVERYXLOG"),
    Message("archive command was terminated by signal %d: %s", Event.ARCHIVE_SIGNAL, ("signal", "signal_name"), process=ARCHIVER, sample="archive command was terminated by signal 9: Killed"),
    Message("archive command exited with unrecognized status %d", Event.ARCHIVE_UNKNOWN_STATUS, ("status",), process=ARCHIVER, sample="archive command exited with unrecognized status 5"),
    Message('archiving write-ahead log file "%s" failed too many times, will try again later', Event.ARCHIVE_GIVING_UP, ("file",), process=ARCHIVER, sample='archiving write-ahead log file "000000010000000000000003" failed too many times, will try again later'),
    Message("archive_mode enabled, yet archive_command is not set", Event.ARCHIVE_NOT_CONFIGURED, majors=range(13, 15), process=ARCHIVER, sample="archive_mode enabled, yet archive_command is not set"),
    Message("archive_mode enabled, yet archiving is not configured", Event.ARCHIVE_NOT_CONFIGURED, majors=range(15, 17), process=ARCHIVER, sample="archive_mode enabled, yet archiving is not configured"),
    Message('"archive_mode" enabled, yet archiving is not configured', Event.ARCHIVE_NOT_CONFIGURED, majors=range(17, 20), process=ARCHIVER, sample='"archive_mode" enabled, yet archiving is not configured'),
    Message('removed orphan archive status file "%s"', Event.ARCHIVE_ORPHAN_READY, ("path",), process=ARCHIVER, sample='removed orphan archive status file "base/5/1259"'),
    Message('removal of orphan archive status file "%s" failed too many times, will try again later', Event.ARCHIVE_ORPHAN_READY_FAIL, ("path",), process=ARCHIVER, sample='removal of orphan archive status file "base/5/1259" failed too many times, will try again later'),
    Message("both archive_command and archive_library set", Event.ARCHIVE_BOTH_SET, majors=range(16, 17), process=BACKGROUND, sample="both archive_command and archive_library set"),
    Message('both "archive_command" and "archive_library" set', Event.ARCHIVE_BOTH_SET, majors=range(17, 20), process=BACKGROUND, sample='both "archive_command" and "archive_library" set'),
    Message('restarting archiver process because value of "archive_library" was changed', Event.ARCHIVE_LIB_RESTART, majors=range(15, 20), process=BACKGROUND, sample='restarting archiver process because value of "archive_library" was changed'),
    Message('could not create archive status file "%s": %m', Event.ARCHIVE_STATUS_CREATE_FAILED, ("path",), process=BACKGROUND, sample='could not create archive status file "base/5/1259": No such file or directory'),
    Message('could not rename file "%s" to "%s": %m', Event.ARCHIVE_RENAME_FAILED, ("status_path", "to_path"), process=BACKGROUND, sample='could not rename file "pg_wal/archive_status/000000010000000000000003.ready" to "x": No such file or directory'),
    Message('WAL archival cannot be enabled when wal_level is "minimal"', Event.ARCHIVE_LEVEL_MINIMAL, majors=range(13, 17), process=BACKGROUND, sample='WAL archival cannot be enabled when wal_level is "minimal"'),
    Message('WAL archival cannot be enabled when "wal_level" is "minimal"', Event.ARCHIVE_LEVEL_MINIMAL, majors=range(17, 20), process=BACKGROUND, sample='WAL archival cannot be enabled when "wal_level" is "minimal"'),
)
