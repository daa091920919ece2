"""Starting the server: the first line of each start tells what pg_control held."""

from __future__ import annotations

from typing import Final

from parsers.log.messages.event import Event
from parsers.log.messages.message import BACKGROUND, POSTMASTER, Message

# fmt: off
MESSAGES: Final = (
    Message("starting %s", Event.SERVER_STARTING, ("version",), process=POSTMASTER, sample="starting PostgreSQL 16.9 on x86_64-pc-linux-gnu, compiled by gcc (GCC) 8.5.0, 64-bit"),
    Message("database system was shut down at %s", Event.WAS_SHUT_DOWN, ("log_time",), sample="database system was shut down at 2025-07-10 12:36:00 MST"),
    Message("database system was shut down in recovery at %s", Event.WAS_SHUT_DOWN_IN_RECOVERY, ("log_time",), sample="database system was shut down in recovery at 2025-07-10 12:36:00 MST"),
    Message("database system shutdown was interrupted; last known up at %s", Event.SHUTDOWN_INTERRUPTED, ("log_time",), sample="database system shutdown was interrupted; last known up at 2025-07-10 12:36:00 MST"),
    Message("database system was interrupted while in recovery at %s", Event.INTERRUPTED_IN_CRASH_RECOVERY, ("log_time",), sample="database system was interrupted while in recovery at 2025-07-10 12:36:00 MST"),
    Message("database system was interrupted while in recovery at log time %s", Event.INTERRUPTED_IN_ARCHIVE_RECOVERY, ("log_time",), sample="database system was interrupted while in recovery at log time 2025-07-10 12:36:00 MST"),
    Message("database system was interrupted; last known up at %s", Event.INTERRUPTED, ("log_time",), sample="database system was interrupted; last known up at 2025-07-10 12:36:00 MST"),
    Message("control file contains invalid database cluster state", Event.CONTROL_BAD_STATE, process=BACKGROUND, sample="control file contains invalid database cluster state"),
    Message("control file contains invalid checkpoint location", Event.CONTROL_BAD_CKPT_LOCATION, sample="control file contains invalid checkpoint location"),
    Message("incorrect checksum in control file", Event.CONTROL_BAD_CRC, process=BACKGROUND, sample="incorrect checksum in control file"),
    Message("database files are incompatible with server", Event.FILES_INCOMPATIBLE, process=BACKGROUND, sample="database files are incompatible with server"),
    Message('"%s" is not a valid data directory', Event.NOT_DATA_DIRECTORY, ("path",), process=BACKGROUND, sample='"base/5/1259" is not a valid data directory'),
    Message('data directory "%s" has invalid permissions', Event.DATADIR_PERMS, ("path",), process=BACKGROUND, sample='data directory "base/5/1259" has invalid permissions'),
    Message('data directory "%s" has wrong ownership', Event.DATADIR_OWNER, ("path",), process=BACKGROUND, sample='data directory "base/5/1259" has wrong ownership'),
    Message('lock file "%s" already exists', Event.LOCK_FILE_EXISTS, ("path",), process=BACKGROUND, sample='lock file "base/5/1259" already exists'),
    Message("could not create any TCP/IP sockets", Event.SOCKETS_REFUSED, process=BACKGROUND, sample="could not create any TCP/IP sockets"),
    Message("could not create any Unix-domain sockets", Event.SOCKETS_REFUSED, process=BACKGROUND, sample="could not create any Unix-domain sockets"),
    Message('could not access file "%s": %m', Event.PRELOAD_LIB_MISSING, ("lib",), process=BACKGROUND, sample='could not access file "missing_library": No such file or directory'),
    Message('could not load library "%s": %s', Event.PRELOAD_LIB_BROKEN, ("path", "error"), process=BACKGROUND, sample='could not load library "base/5/1259": connection refused'),
    Message('required WAL directory "%s" does not exist', Event.WAL_DIR_MISSING, ("path",), process=BACKGROUND, sample='required WAL directory "base/5/1259" does not exist'),
    Message('creating missing WAL directory "%s"', Event.WAL_DIR_CREATED, ("path",), process=BACKGROUND, sample='creating missing WAL directory "base/5/1259"'),
    Message("database system was not properly shut down; automatic recovery in progress", Event.CRASH_RECOVERY_STARTED, sample="database system was not properly shut down; automatic recovery in progress"),
    Message("crash recovery starts in timeline %u and has target timeline %u", Event.CRASH_RECOVERY_TLI, ("timeline", "target_timeline"), sample="crash recovery starts in timeline 1 and has target timeline 2"),
    Message("syncing data directory (fsync), elapsed time: %ld.%02d s, current path: %s", Event.SYNC_PROGRESS, ("elapsed_seconds", "path"), majors=range(15, 20), sample="syncing data directory (fsync), elapsed time: 10.00 s, current path: base/5/1259"),
    Message("syncing data directory (pre-fsync), elapsed time: %ld.%02d s, current path: %s", Event.SYNC_PROGRESS, ("elapsed_seconds", "path"), majors=range(15, 20), sample="syncing data directory (pre-fsync), elapsed time: 10.00 s, current path: ./base/5/1259"),
    Message("syncing data directory (syncfs), elapsed time: %ld.%02d s, current path: %s", Event.SYNC_PROGRESS, ("elapsed_seconds", "path"), majors=range(15, 20), sample="syncing data directory (syncfs), elapsed time: 10.00 s, current path: ."),
    Message("resetting unlogged relations (init), elapsed time: %ld.%02d s, current path: %s", Event.UNLOGGED_RESET_PROGRESS, ("elapsed_seconds", "path"), majors=range(15, 20), sample="resetting unlogged relations (init), elapsed time: 10.00 s, current path: base/5/1259"),
    Message("resetting unlogged relations (cleanup), elapsed time: %ld.%02d s, current path: %s", Event.UNLOGGED_RESET_PROGRESS, ("elapsed_seconds", "path"), majors=range(15, 20), sample="resetting unlogged relations (cleanup), elapsed time: 10.00 s, current path: base/5"),
    Message("database system is ready to accept connections", Event.READY_READ_WRITE, process=POSTMASTER, sample="database system is ready to accept connections"),
    Message("database system is ready to accept read-only connections", Event.READY_READ_ONLY, majors=range(14, 20), process=POSTMASTER, sample="database system is ready to accept read-only connections"),
    Message("database system is ready to accept read only connections", Event.READY_READ_ONLY, majors=range(13, 14), process=POSTMASTER, sample="database system is ready to accept read only connections"),
    Message('using recovery command file "%s" is not supported', Event.RECOVERY_CONF_PRESENT, ("file",), process=BACKGROUND, sample='using recovery command file "000000010000000000000003" is not supported'),
)
