"""Fetching WAL: from the archive, from a primary."""

from __future__ import annotations

from typing import Final

from parsers.log.messages.event import Event
from parsers.log.messages.message import BACKGROUND, DETAIL, WALRECEIVER, Message

# fmt: off
MESSAGES: Final = (
    Message('restored log file "%s" from archive', Event.FILE_RESTORED, ("file",), sample='restored log file "000000010000000000000003" from archive'),
    Message('archive file "%s" has wrong size: %lld instead of %lld', Event.RESTORE_WRONG_SIZE, ("file", "size", "expected"), also=('archive file "%s" has wrong size: %lu instead of %lu',), sample='archive file "000000010000000000000003" has wrong size: 262144 instead of 1048576'),
    Message('could not restore file "%s" from archive: %s', Event.RESTORE_SIGNAL, ("file", "wait_result"), sample='could not restore file "000000010000000000000003" from archive: child process exited with exit code 127'),
    Message('could not stat file "%s": %m', Event.RESTORE_LIED, ("restored_path",), sample='could not stat file "pg_wal/RECOVERYXLOG": No such file or directory'),
    Message("restore_command returned a zero exit status, but stat() failed.", Event.RESTORE_LIED_DETAIL, majors=range(14, 17), part=DETAIL, sample="restore_command returned a zero exit status, but stat() failed."),
    Message('"restore_command" returned a zero exit status, but stat() failed.', Event.RESTORE_LIED_DETAIL, majors=range(17, 20), part=DETAIL, sample='"restore_command" returned a zero exit status, but stat() failed.'),
    Message('could not build restore command "%s"', Event.RESTORE_CMD_BUILD_FAILED, ("command",), majors=range(13, 16), sample='could not build restore command "cp /archive/000000010000000000000003 pg_wal/RECOVERYXLOG"'),
    Message('%s "%s": %s', Event.RECOVERY_COMMAND_FAILED, ("recovery_command", "command", "wait_result"), process=BACKGROUND, sample='recovery_end_command "cp /archive/000000010000000000000003 pg_wal/RECOVERYXLOG": child process exited with exit code 127'),
    Message("waiting for WAL to become available at %X/%X", Event.WAL_WAIT, ("lsn",), majors=range(15, 20), translated=False, sample="waiting for WAL to become available at 0/3000028"),
    Message('could not open file "%s": %m', Event.WAL_OPEN_FAILED, ("wal_path",), process=BACKGROUND, sample='could not open file "pg_wal/000000010000000000000003": No such file or directory'),
    Message("received promote request", Event.PROMOTE_REQUESTED, sample="received promote request"),
    Message("promote trigger file found: %s", Event.PROMOTE_TRIGGER, ("path",), majors=range(13, 16), sample="promote trigger file found: base/5/1259"),
    Message("WAL receiver process shutdown requested", Event.WALRECEIVER_SHUTDOWN_REQUESTED, sample="WAL receiver process shutdown requested"),
    Message("started streaming WAL from primary at %X/%X on timeline %u", Event.STREAM_STARTED, ("lsn", "timeline"), process=WALRECEIVER, sample="started streaming WAL from primary at 0/3000028 on timeline 1"),
    Message("restarted WAL streaming at %X/%X on timeline %u", Event.STREAM_RESTARTED, ("lsn", "timeline"), process=WALRECEIVER, sample="restarted WAL streaming at 0/3000028 on timeline 1"),
    Message("replication terminated by primary server", Event.STREAM_TERMINATED, process=WALRECEIVER, sample="replication terminated by primary server"),
    Message("primary server contains no more WAL on requested timeline %u", Event.STREAM_TLI_END, ("timeline",), process=BACKGROUND, sample="primary server contains no more WAL on requested timeline 1"),
    Message("fetching timeline history file for timeline %u from primary server", Event.STREAM_FETCH_HISTORY, ("timeline",), process=WALRECEIVER, sample="fetching timeline history file for timeline 1 from primary server"),
    Message("could not connect to the primary server: %s", Event.STREAM_CONNECT_FAILED, ("error",), majors=range(13, 18), process=WALRECEIVER, sample="could not connect to the primary server: connection refused"),
    Message('streaming replication receiver "%s" could not connect to the primary server: %s', Event.STREAM_CONNECT_FAILED, ("application", "error"), majors=range(18, 20), process=WALRECEIVER, sample='streaming replication receiver "walreceiver" could not connect to the primary server: connection refused'),
    Message("database system identifier differs between the primary and standby", Event.STREAM_WRONG_SYSTEM, process=WALRECEIVER, sample="database system identifier differs between the primary and standby"),
    Message("highest timeline %u of the primary is behind recovery timeline %u", Event.STREAM_TLI_BEHIND, ("timeline", "recovery_timeline"), process=WALRECEIVER, sample="highest timeline 1 of the primary is behind recovery timeline 3"),
    Message("could not receive data from WAL stream: %s", Event.STREAM_RECEIVE_FAILED, ("error",), process=WALRECEIVER, sample="could not receive data from WAL stream: connection refused"),
    Message("could not start WAL streaming: %s", Event.STREAM_START_FAILED, ("error",), process=WALRECEIVER, sample="could not start WAL streaming: connection refused"),
    Message("terminating walreceiver due to timeout", Event.STREAM_TIMEOUT, process=WALRECEIVER, sample="terminating walreceiver due to timeout"),
    Message("walreceiver requested start point %X/%X on timeline %u is ahead of the upstream server's flush position %X/%X, waiting", Event.STREAM_UPSTREAM_BEHIND, ("lsn", "timeline", "flush_lsn"), majors=range(14, 20), process=WALRECEIVER, sample="walreceiver requested start point 0/3000028 on timeline 1 is ahead of the upstream server's flush position 0/3000028, waiting"),
    Message("cannot continue WAL streaming, recovery has already ended", Event.STREAM_RECOVERY_ENDED, process=WALRECEIVER, sample="cannot continue WAL streaming, recovery has already ended"),
    Message("terminating walreceiver process due to administrator command", Event.STREAM_ADMIN_TERM, process=WALRECEIVER, sample="terminating walreceiver process due to administrator command"),
)
