"""Starting the server: the first line of each start tells what pg_control held."""

from __future__ import annotations

from typing import Final

from parsers.messages.message import BACKGROUND, POSTMASTER, Message

MESSAGES: Final = (
    Message(
        id="starting %s",
        event="server_starting",
        fields=("version",),
        process=POSTMASTER,
        sample="starting PostgreSQL 16.9 on x86_64-pc-linux-gnu, compiled by gcc (GCC) 8.5.0, 64-bit",
    ),
    Message(
        id="database system was shut down at %s",
        event="was_shut_down",
        fields=("log_time",),
        sample="database system was shut down at 2025-07-10 12:36:00 MST",
    ),
    Message(
        id="database system was shut down in recovery at %s",
        event="was_shut_down_in_recovery",
        fields=("log_time",),
        sample="database system was shut down in recovery at 2025-07-10 12:36:00 MST",
    ),
    Message(
        id="database system shutdown was interrupted; last known up at %s",
        event="shutdown_interrupted",
        fields=("log_time",),
        sample="database system shutdown was interrupted; last known up at 2025-07-10 12:36:00 MST",
    ),
    Message(
        id="database system was interrupted while in recovery at %s",
        event="interrupted_in_crash_recovery",
        fields=("log_time",),
        sample="database system was interrupted while in recovery at 2025-07-10 12:36:00 MST",
    ),
    Message(
        id="database system was interrupted while in recovery at log time %s",
        event="interrupted_in_archive_recovery",
        fields=("log_time",),
        sample="database system was interrupted while in recovery at log time 2025-07-10 12:36:00 MST",
    ),
    Message(
        id="database system was interrupted; last known up at %s",
        event="interrupted",
        fields=("log_time",),
        sample="database system was interrupted; last known up at 2025-07-10 12:36:00 MST",
    ),
    Message(
        id="control file contains invalid database cluster state",
        event="control_bad_state",
        process=BACKGROUND,
        sample="control file contains invalid database cluster state",
    ),
    Message(
        id="control file contains invalid checkpoint location",
        event="control_bad_ckpt_location",
        sample="control file contains invalid checkpoint location",
    ),
    Message(
        id="incorrect checksum in control file",
        event="control_bad_crc",
        process=BACKGROUND,
        sample="incorrect checksum in control file",
    ),
    Message(
        id="database files are incompatible with server",
        event="files_incompatible",
        process=BACKGROUND,
        sample="database files are incompatible with server",
    ),
    Message(
        id='"%s" is not a valid data directory',
        event="not_data_directory",
        fields=("path",),
        process=BACKGROUND,
        sample='"base/5/1259" is not a valid data directory',
    ),
    Message(
        id='data directory "%s" has invalid permissions',
        event="datadir_perms",
        fields=("path",),
        process=BACKGROUND,
        sample='data directory "base/5/1259" has invalid permissions',
    ),
    Message(
        id='data directory "%s" has wrong ownership',
        event="datadir_owner",
        fields=("path",),
        process=BACKGROUND,
        sample='data directory "base/5/1259" has wrong ownership',
    ),
    Message(
        id='lock file "%s" already exists',
        event="lock_file_exists",
        fields=("path",),
        process=BACKGROUND,
        sample='lock file "base/5/1259" already exists',
    ),
    Message(
        id='could not access file "%s": %m',
        event="preload_lib_missing",
        fields=("lib",),
        process=BACKGROUND,
        sample='could not access file "missing_library": No such file or directory',
    ),
    Message(
        id='could not load library "%s": %s',
        event="preload_lib_broken",
        fields=("path", "error"),
        process=BACKGROUND,
        sample='could not load library "base/5/1259": connection refused',
    ),
    Message(
        id='required WAL directory "%s" does not exist',
        event="wal_dir_missing",
        fields=("path",),
        process=BACKGROUND,
        sample='required WAL directory "base/5/1259" does not exist',
    ),
    Message(
        id='creating missing WAL directory "%s"',
        event="wal_dir_created",
        fields=("path",),
        process=BACKGROUND,
        sample='creating missing WAL directory "base/5/1259"',
    ),
    Message(
        id="database system was not properly shut down; automatic recovery in progress",
        event="crash_recovery_started",
        sample="database system was not properly shut down; automatic recovery in progress",
    ),
    Message(
        id="crash recovery starts in timeline %u and has target timeline %u",
        event="crash_recovery_tli",
        fields=("timeline", "target_timeline"),
        sample="crash recovery starts in timeline 1 and has target timeline 2",
    ),
    Message(
        id="syncing data directory (fsync), elapsed time: %ld.%02d s, current path: %s",
        event="sync_progress",
        fields=("elapsed_seconds", "path"),
        majors=range(15, 19),
        sample="syncing data directory (fsync), elapsed time: 10.00 s, current path: base/5/1259",
    ),
    Message(
        id="resetting unlogged relations (init), elapsed time: %ld.%02d s, current path: %s",
        event="unlogged_reset_progress",
        fields=("elapsed_seconds", "path"),
        majors=range(15, 19),
        sample="resetting unlogged relations (init), elapsed time: 10.00 s, current path: base/5/1259",
    ),
    Message(
        id="database system is ready to accept connections",
        event="ready_read_write",
        process=POSTMASTER,
        sample="database system is ready to accept connections",
    ),
    Message(
        id="database system is ready to accept read-only connections",
        event="ready_read_only",
        majors=range(14, 19),
        process=POSTMASTER,
        sample="database system is ready to accept read-only connections",
    ),
    Message(
        id="database system is ready to accept read only connections",
        event="ready_read_only",
        majors=range(13, 14),
        process=POSTMASTER,
        sample="database system is ready to accept read only connections",
    ),
    Message(
        id='using recovery command file "%s" is not supported',
        event="recovery_conf_present",
        fields=("file",),
        process=BACKGROUND,
        sample='using recovery command file "000000010000000000000003" is not supported',
    ),
)
