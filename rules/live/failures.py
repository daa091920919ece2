"""What a restore fails of, one row a message: the cause in plain words, and what to type.

A row is taken whose event is the FATAL's, that fits, and whose values are known; those with more to
say stand first.
"""

from __future__ import annotations

from collections.abc import Callable
from string import Formatter
from typing import Final, NamedTuple

from parsers.log.messages.event import Event
from parsers.sentences import tr
from rules.live.attempt import Attempt


class Row(NamedTuple):
    """One message, told to a person. Braces name values of `rules.live.reasons`."""

    event: Event
    cause: str
    remedy: str | None = None
    fits: Callable[[Attempt], bool] = lambda attempt: True
    known: str | None = None  # a value that must be known, though no text names it

    @property
    def names(self) -> set[str]:
        """The values that it needs."""
        named = names_in(self.cause) | names_in(self.remedy or "")
        return named | {self.known} if self.known else named


def names_in(text: str) -> set[str]:
    """The values that a text names."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


# -- what is said before the FATAL ---------------------------------------------------------------

_LOOK_ELSEWHERE: Final = tr(
    "look for the segment in the archive or on a standby; pg_resetwal loses data"
)
STORED_OTHERWISE: Final = (
    Row(
        Event.RESTORE_WRONG_SIZE,
        tr("restore_command hands over the compressed file {handed_over} as it is"),
        "{mend}",
    ),
    Row(
        Event.FILE_MISSING,
        tr("restore_command asks for {segment}, which the archive has as {compressed}"),
        "{mend}",
    ),
    Row(
        Event.FILE_MISSING,
        tr(
            "{segment} is not in the archive, which has it under another name, "
            "perhaps not whole: {unfinished}"
        ),
        "{mend}",
    ),
)
ENDS: Final = (
    Row(
        Event.WAL_OTHER_SYSTEM,
        tr("the archive holds the WAL of another cluster: {wal_end}"),
        tr("let restore_command copy from this cluster's own archive"),
    ),
)
CRASHED: Final = Row(
    Event.CKPT_BAD,
    tr("pg_wal is damaged, and the server cannot start from it: {wal_end}"),
    _LOOK_ELSEWHERE,
)
REWIND: Final = tr(
    "run pg_rewind on {data_directory} with the new primary as its "
    "source, or take a new base backup"
)
PAST_THE_FORK: Final = Row(
    Event.TIMELINE_NOT_CHILD,
    tr("the standby ran past the fork of the timeline that it is to follow"),
    REWIND,
)


# -- the messages --------------------------------------------------------------------------------


def _recovers(attempt: Attempt) -> bool:
    return attempt.asks_archive


def _would_say_so(attempt: Attempt) -> bool:
    """To 16, an archive recovery is announced before anything is read."""
    return attempt.major is not None and attempt.major < _ANNOUNCED_LATE


def _lacks_databases(attempt: Attempt) -> bool:
    return bool(attempt.torn_databases)


def _brought_nothing(attempt: Attempt) -> bool:
    return Event.SERVER_STARTING in attempt.seen and not attempt.restored_segments


_ANNOUNCED_LATE: Final = 17
_BY_HAND: Final = tr("run restore_command by hand, %f and %p filled in, as the server's account")
_OWN_WAL: Final = Row(
    Event.CKPT_RECORD_INVALID_PANIC,
    tr("pg_wal lacks the WAL that the server starts from"),
    _LOOK_ELSEWHERE,
    lambda attempt: not attempt.asks_archive,
)
_NO_WAL: Final = tr(
    "the WAL that the backup starts from cannot be had: restore_command "
    "is wrong, or the archive lacks it"
)
_NO_SIGNAL: Final = (
    tr(
        "the WAL that the backup starts from is not in pg_wal, and "
        "recovery.signal is missing: nothing was asked of the archive"
    ),
    tr("touch {recovery_signal}, set restore_command, then start the server"),
)
_NOT_A_CHILD: Final = (
    tr(
        "the backup is not on the way to the timeline asked for: it was "
        "taken after the fork, or a stray .history file lies in the archive"
    ),
    tr("set recovery_target_timeline = 'current', or restore another backup"),
)
_TABLE: Final = (
    # The WAL that is not there.
    Row(
        Event.TARGET_NOT_REACHED, tr("the WAL ended before the target{target}: {trouble}"), _BY_HAND
    ),
    Row(
        Event.TARGET_NOT_REACHED,
        tr(
            "the WAL ended before the target{target}; {lacking}: a gap, or a "
            "target later than the archive's last commit{zone}"
        ),
        "{check}",
    ),
    Row(
        Event.TARGET_NOT_REACHED,
        tr("the WAL ended before the target{target}: it stopped reading with: {wal_end}"),
        "{check}",
    ),
    Row(
        Event.TARGET_NOT_REACHED,
        tr(
            "the WAL ended before the target{target}: restore_command brought no "
            "segment, and said nothing{zone}"
        ),
        _BY_HAND,
        _brought_nothing,
    ),
    Row(
        Event.TARGET_NOT_REACHED,
        tr(
            "the WAL ended before the target{target}: a gap, damaged WAL, or a "
            "target later than the archive's last commit{zone}"
        ),
        "{check}",
    ),
    Row(
        Event.CKPT_RECORD_MISSING,
        tr("the WAL that the backup starts from cannot be had: {trouble}"),
        _BY_HAND,
    ),
    Row(
        Event.CKPT_RECORD_MISSING,
        tr("the WAL that the backup starts from cannot be had: {segment} is not in the archive"),
        "{check}",
    ),
    Row(
        Event.CKPT_RECORD_MISSING,
        tr("the WAL that the backup starts from does not read: {wal_end}"),
        "{check}",
    ),
    Row(Event.CKPT_RECORD_MISSING, _NO_WAL, "{check}", _recovers),
    Row(Event.CKPT_RECORD_MISSING, *_NO_SIGNAL, _would_say_so),
    Row(Event.CKPT_RECORD_MISSING, *_NO_SIGNAL, known="no_signal"),
    Row(Event.CKPT_RECORD_MISSING, _NO_WAL, "{check}", known="a_signal"),
    Row(
        Event.CKPT_RECORD_MISSING,
        tr(
            "the WAL that the backup starts from cannot be had: there is no "
            "recovery.signal, or restore_command is wrong, or the archive lacks "
            "it"
        ),
        tr("see that {recovery_signal} is there; {check}"),
    ),
    Row(
        Event.REDO_MISSING,
        tr("the segment that holds the backup's redo start is missing{lacks}"),
        "{check}",
    ),
    Row(
        Event.BACKUP_END_MISSING,
        tr("the WAL written while the backup was taken is not all there{lacks}"),
        "{check}",
    ),
    Row(
        Event.CONSISTENCY_MISSING,
        tr("the WAL ends before the data files agree with each other{lacks}"),
        "{check}",
    ),
    Row(
        Event.WAL_MINIMAL,
        tr(
            "the primary ran with wal_level=minimal for a while: WAL is missing from that moment on"
        ),
        tr("choose an earlier target, or a backup taken after it"),
    ),
    # restore_command.
    Row(
        Event.RESTORE_SIGNAL,
        tr(
            "restore_command did not end as a command that looks for a file "
            "should ({wait_result}): a status above 125 or a signal stops the "
            "server{said}"
        ),
        _BY_HAND,
    ),
    Row(
        Event.RESTORE_WRONG_SIZE,
        tr("{file} in the archive is damaged: {size} bytes instead of {expected}"),
        "{check}",
    ),
    Row(
        Event.NO_RESTORE_COMMAND,
        tr("recovery.signal is there and restore_command is not set"),
        "echo \"restore_command = 'cp {archive}/%f %p'\" >> {settings}",
    ),
    Row(
        Event.NO_RESTORE_COMMAND,
        tr("recovery.signal is there and restore_command is not set"),
        tr("set restore_command in {settings} to what copies %f of the archive to %p"),
    ),
    # The target and its timeline.
    Row(
        Event.TIMELINE_MISSING,
        tr("the archive has no {history}: timeline {timeline} cannot be followed"),
        tr("set recovery_target_timeline = 'latest' in {settings}"),
    ),
    Row(Event.TIMELINE_NOT_CHILD, *_NOT_A_CHILD),
    Row(Event.TIMELINE_LACKS_MINRECOVERY, *_NOT_A_CHILD),
    Row(Event.TIMELINE_UNKNOWN, *_NOT_A_CHILD),
    Row(
        Event.STOP_BEFORE_CONSISTENCY,
        tr(
            "the target lies before the end of the backup: nothing earlier than "
            "the backup's end can be opened from it"
        ),
        tr("restore an older backup, or choose a later target"),
    ),
    Row(
        Event.MULTIPLE_TARGETS,
        tr("more than one recovery_target* is set"),
        tr("leave one of recovery_target, _lsn, _name, _time, _xid in {settings}"),
    ),
    # The backup.
    _OWN_WAL,
    Row(
        Event.CKPT_RECORD_INVALID_PANIC,
        tr("backup_label is missing, so recovery looks for a checkpoint that is not there"),
        tr("copy the whole backup again, backup_label included"),
    ),
    Row(
        Event.BACKUP_LABEL_INVALID,
        tr("backup_label does not parse: cut, with CRLF line ends, or of another timeline"),
        tr("copy the backup again, unchanged"),
    ),
    Row(
        Event.BACKUP_LABEL_INCONSISTENT,
        tr("pg_control is not of the moment of the backup"),
        tr("restore another backup, and check this one with pitr-check before it is used again"),
    ),
    Row(
        Event.INCREMENTAL_NOT_COMBINED,
        tr("this is an incremental backup, which cannot be started"),
        tr("combine it with the backups that it is based on: pg_combinebackup, the full one first"),
    ),
    Row(
        Event.INVALID_PAGES,
        tr(
            "data files that the WAL needs are missing of {databases}: databases "
            "that were not restored, or files that were left out; recovery "
            "replays the WAL of all databases"
        ),
        tr("restore the whole backup, every database of it, backup_label included"),
        _lacks_databases,
    ),
    Row(
        Event.INVALID_PAGES,
        tr("data files do not match the WAL: files are missing or of another moment"),
        tr("copy the whole backup again, backup_label included"),
    ),
    Row(
        Event.FILES_INCOMPATIBLE,
        tr("the backup is of another major version or build"),
        tr("start it with the same major version"),
    ),
    # The target machine.
    Row(
        Event.TABLESPACE_DIRECTORY_MISSING,
        tr("the directory {directory} of a tablespace is not there"),
        tr("install -d -m 700 -o postgres {directory_word}, then start the server"),
    ),
    Row(
        Event.WAL_DIR_MISSING,
        tr(
            "the directory {path} is not there: it was left out of the copy, or "
            "a link leads nowhere"
        ),
        tr("install -d -m 700 -o postgres {wal_directory}, then start the server"),
    ),
    Row(Event.PARAMS_ABORT, "{low_setting}", "{raise_setting}"),
    Row(Event.PARAMS_SHORT, "{low_setting}", "{raise_setting}"),
    Row(
        Event.PARAMS_ABORT,
        tr("a setting is lower than on the primary where the WAL was made"),
        tr(
            "raise max_connections, max_worker_processes, max_wal_senders, "
            "max_prepared_transactions, max_locks_per_transaction to the "
            "primary's values"
        ),
    ),
    Row(Event.DATADIR_PERMS, tr("{path} may be read by others"), "chmod 0700 {path_word}"),
    Row(
        Event.DATADIR_OWNER,
        tr("{path} belongs to another account"),
        "chown -R postgres {path_word}",
    ),
    Row(
        Event.SOCKETS_REFUSED,
        tr("the server cannot listen: its port or its socket's directory is taken or not there"),
        tr("set port, listen_addresses or unix_socket_directories, then start the server"),
    ),
    Row(
        Event.BAD_CONFIG,
        tr("{complaint}: the server refuses its configuration"),
        tr("correct {complained} in {path}"),
    ),
    Row(Event.BAD_CONFIG, tr("{path} does not parse")),
    Row(
        Event.XACT_STATUS,
        tr("the server stopped with {severity}: {message}: {detail}"),
    ),
)
ROWS: Final = {
    event: tuple(row for row in _TABLE if row.event == event) for event in {r.event for r in _TABLE}
}
OTHERS: Final = (
    Row(Event.UNLISTED_FATAL, tr("the server stopped with {severity}: {message}: {hint}")),
    Row(Event.UNLISTED_FATAL, tr("the server stopped with {severity}: {message}")),
)
