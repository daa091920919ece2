"""Fetching WAL: from the archive, from a primary."""

from __future__ import annotations

from typing import Final

from parsers.messages.message import BACKGROUND, DETAIL, WALRECEIVER, Message

MESSAGES: Final = (
    Message(
        id='restored log file "%s" from archive',
        event="file_restored",
        fields=("file",),
        sample='restored log file "000000010000000000000003" from archive',
    ),
    Message(
        id='archive file "%s" has wrong size: %lld instead of %lld',
        event="restore_wrong_size",
        fields=("file", "size", "expected"),
        also=('archive file "%s" has wrong size: %lu instead of %lu',),
        sample='archive file "000000010000000000000003" has wrong size: 262144 instead of 1048576',
    ),
    Message(
        id='could not restore file "%s" from archive: %s',
        event="restore_signal",
        fields=("file", "wait_result"),
        sample='could not restore file "000000010000000000000003" from archive: child process exited with exit code 127',
    ),
    Message(
        id='could not stat file "%s": %m',
        event="restore_lied",
        fields=("restored_path",),
        sample='could not stat file "pg_wal/RECOVERYXLOG": No such file or directory',
    ),
    Message(
        id="restore_command returned a zero exit status, but stat() failed.",
        event="restore_lied_detail",
        majors=range(14, 17),
        part=DETAIL,
        sample="restore_command returned a zero exit status, but stat() failed.",
    ),
    Message(
        id='"restore_command" returned a zero exit status, but stat() failed.',
        event="restore_lied_detail",
        majors=range(17, 19),
        part=DETAIL,
        sample='"restore_command" returned a zero exit status, but stat() failed.',
    ),
    Message(
        id='could not build restore command "%s"',
        event="restore_cmd_build_failed",
        fields=("command",),
        majors=range(13, 16),
        sample='could not build restore command "cp /archive/000000010000000000000003 pg_wal/RECOVERYXLOG"',
    ),
    Message(
        id='%s "%s": %s',
        event="recovery_command_failed",
        fields=("recovery_command", "command", "wait_result"),
        process=BACKGROUND,
        sample='recovery_end_command "cp /archive/000000010000000000000003 pg_wal/RECOVERYXLOG": child process exited with exit code 127',
    ),
    Message(
        id="waiting for WAL to become available at %X/%X",
        event="wal_wait",
        fields=("lsn",),
        majors=range(15, 19),
        translated=False,
        sample="waiting for WAL to become available at 0/3000028",
    ),
    Message(
        id='could not open file "%s": %m',
        event="wal_open_failed",
        fields=("wal_path",),
        process=BACKGROUND,
        sample='could not open file "pg_wal/000000010000000000000003": No such file or directory',
    ),
    Message(
        id="received promote request", event="promote_requested", sample="received promote request"
    ),
    Message(
        id="promote trigger file found: %s",
        event="promote_trigger",
        fields=("path",),
        majors=range(13, 16),
        sample="promote trigger file found: base/5/1259",
    ),
    Message(
        id="WAL receiver process shutdown requested",
        event="walreceiver_shutdown_requested",
        sample="WAL receiver process shutdown requested",
    ),
    Message(
        id="started streaming WAL from primary at %X/%X on timeline %u",
        event="stream_started",
        fields=("lsn", "timeline"),
        process=WALRECEIVER,
        sample="started streaming WAL from primary at 0/3000028 on timeline 1",
    ),
    Message(
        id="restarted WAL streaming at %X/%X on timeline %u",
        event="stream_restarted",
        fields=("lsn", "timeline"),
        process=WALRECEIVER,
        sample="restarted WAL streaming at 0/3000028 on timeline 1",
    ),
    Message(
        id="replication terminated by primary server",
        event="stream_terminated",
        process=WALRECEIVER,
        sample="replication terminated by primary server",
    ),
    Message(
        id="primary server contains no more WAL on requested timeline %u",
        event="stream_tli_end",
        fields=("timeline",),
        process=BACKGROUND,
        sample="primary server contains no more WAL on requested timeline 1",
    ),
    Message(
        id="fetching timeline history file for timeline %u from primary server",
        event="stream_fetch_history",
        fields=("timeline",),
        process=WALRECEIVER,
        sample="fetching timeline history file for timeline 1 from primary server",
    ),
    Message(
        id="could not connect to the primary server: %s",
        event="stream_connect_failed",
        fields=("error",),
        majors=range(13, 18),
        process=WALRECEIVER,
        sample="could not connect to the primary server: connection refused",
    ),
    Message(
        id='streaming replication receiver "%s" could not connect to the primary server: %s',
        event="stream_connect_failed",
        fields=("application", "error"),
        majors=range(18, 19),
        process=WALRECEIVER,
        sample='streaming replication receiver "walreceiver" could not connect to the primary server: connection refused',
    ),
    Message(
        id="database system identifier differs between the primary and standby",
        event="stream_wrong_system",
        process=WALRECEIVER,
        sample="database system identifier differs between the primary and standby",
    ),
    Message(
        id="highest timeline %u of the primary is behind recovery timeline %u",
        event="stream_tli_behind",
        fields=("timeline", "recovery_timeline"),
        process=WALRECEIVER,
        sample="highest timeline 1 of the primary is behind recovery timeline 3",
    ),
    Message(
        id="could not receive data from WAL stream: %s",
        event="stream_receive_failed",
        fields=("error",),
        process=WALRECEIVER,
        sample="could not receive data from WAL stream: connection refused",
    ),
    Message(
        id="could not start WAL streaming: %s",
        event="stream_start_failed",
        fields=("error",),
        process=WALRECEIVER,
        sample="could not start WAL streaming: connection refused",
    ),
    Message(
        id="terminating walreceiver due to timeout",
        event="stream_timeout",
        process=WALRECEIVER,
        sample="terminating walreceiver due to timeout",
    ),
    Message(
        id="walreceiver requested start point %X/%X on timeline %u is ahead of the upstream server's flush position %X/%X, waiting",
        event="stream_upstream_behind",
        fields=("lsn", "timeline", "flush_lsn"),
        majors=range(14, 19),
        process=WALRECEIVER,
        sample="walreceiver requested start point 0/3000028 on timeline 1 is ahead of the upstream server's flush position 0/3000028, waiting",
    ),
    Message(
        id="cannot continue WAL streaming, recovery has already ended",
        event="stream_recovery_ended",
        process=WALRECEIVER,
        sample="cannot continue WAL streaming, recovery has already ended",
    ),
    Message(
        id="terminating walreceiver process due to administrator command",
        event="stream_admin_term",
        process=WALRECEIVER,
        sample="terminating walreceiver process due to administrator command",
    ),
)
