"""Why a restore ended as it did, and what to type next, in the language of restores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from parsers.lsn import format_lsn
from parsers.recovery_events import RecoveryEvent
from rules.restore_state import Attempt, Phase

RESUME: Final = "SELECT pg_wal_replay_resume();"
_CHECK: Final = "pitr-check --archive DIR --backup DIR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A cause and the next command; either may be None."""

    cause: str | None = None
    next_command: str | None = None


def explain(
    attempt: Attempt, outcome: str | None, reached: bool | None, unreadable: RecoveryEvent | None
) -> Explanation:
    """Explain an outcome. A good end needs no cause."""
    if outcome is None:
        return _explain_language(unreadable)
    if outcome == "failed":
        return _explain_failure(attempt)
    if outcome == "paused":
        return _explain_pause(attempt)
    if outcome == "promoted":
        return _explain_promotion(attempt, reached)
    if outcome == "shut_down":
        return _explain_shutdown(attempt, reached)
    if outcome == "none":
        return _explain_none(attempt)
    return Explanation()


def _explain_language(event: RecoveryEvent | None) -> Explanation:
    shown = f" ({event.message[:60]}…)" if event is not None else ""
    return Explanation(
        cause=f"the log is in a language that cannot be read here{shown}: the server's own "
        "message catalogue (postgres-NN.mo) was not found",
        next_command="pitr-watch --localedir DIR  (what the server's pg_config --localedir says)",
    )


# -- failures: by the FATAL -----------------------------------------------------------------------


def _explain_failure(attempt: Attempt) -> Explanation:
    fatal = attempt.fatal
    if fatal is None:
        return _explain_killed(attempt)
    reason = _FAILURES.get(fatal.name)
    if reason is not None:
        return reason(attempt, fatal)
    hint = f": {fatal.hint}" if fatal.hint else ""
    return Explanation(cause=f"the server stopped with {fatal.severity}: {fatal.message}{hint}")


def _explain_killed(attempt: Attempt) -> Explanation:
    event = attempt.killed
    if event is None:
        return Explanation(cause="the startup process failed and the log does not say why")
    number = event.number("signal")
    if number == 9:  # SIGKILL
        return Explanation(
            cause="the startup process was killed (signal 9), perhaps by the kernel for memory",
            next_command="dmesg | grep -i 'killed process'",
        )
    if number is not None:
        return Explanation(cause=f"the startup process died of signal {number}")
    return Explanation(
        cause=f"the startup process exited with status {event.number('exit_code')} without a "
        "message: restore_command ended with SIGTERM (status 143), or the server was told to stop"
    )


def _target_not_reached(attempt: Attempt, fatal: RecoveryEvent) -> Explanation:
    where = _where_wal_ended(attempt)
    target = describe_target(attempt)
    return Explanation(
        cause=f"the WAL ended before the target ({target}){where}: a gap, damaged WAL, or a target "
        "later than the archive's last commit",
        next_command=_CHECK,
    )


def _where_wal_ended(attempt: Attempt) -> str:
    if attempt.wal_end is not None:
        return f"; it stopped reading with: {attempt.wal_end.message}"
    segment = missing_segment(attempt)
    return f"; {segment} was not in the archive" if segment else ""


def missing_segment(attempt: Attempt) -> str | None:
    """The segment that recovery wanted last and did not get."""
    wanted = [file for file in attempt.missing_files if not file.endswith(".history")]
    return wanted[-1] if wanted else None


def _before_consistency(attempt: Attempt, fatal: RecoveryEvent) -> Explanation:
    return Explanation(
        cause="the target lies before the end of the backup: nothing earlier than the backup's end "
        "can be opened from it",
        next_command="restore an older backup, or choose a later target",
    )


def _with_detail(attempt: Attempt, fatal: RecoveryEvent) -> Explanation:
    detail = f": {fatal.detail}" if fatal.detail else ""
    return Explanation(cause=f"the server stopped with {fatal.severity}: {fatal.message}{detail}")


def _fixed(cause: str, next_command: str | None = None) -> _Reason:
    def reason(attempt: Attempt, fatal: RecoveryEvent) -> Explanation:
        return Explanation(cause=cause, next_command=next_command)

    return reason


def _restore_signal(attempt: Attempt, fatal: RecoveryEvent) -> Explanation:
    result = fatal.text("wait_result") or ""
    return Explanation(
        cause=f"restore_command did not end as a command that looks for a file should ({result}): "
        "a status above 125 or a signal stops the server",
        next_command="run restore_command by hand, %f and %p filled in, as the server's account",
    )


def _wrong_size(attempt: Attempt, fatal: RecoveryEvent) -> Explanation:
    return Explanation(
        cause=f"{fatal.text('file')} in the archive is damaged: {fatal.fields.get('size')} bytes "
        f"instead of {fatal.fields.get('expected')}",
        next_command=_CHECK,
    )


def _timeline_missing(attempt: Attempt, fatal: RecoveryEvent) -> Explanation:
    timeline = fatal.number("timeline") or 0
    return Explanation(
        cause=f"the archive has no {timeline:08X}.history: timeline {timeline} cannot be followed",
        next_command="set recovery_target_timeline = 'latest' in postgresql.auto.conf",
    )


def _not_child(attempt: Attempt, fatal: RecoveryEvent) -> Explanation:
    return Explanation(
        cause="the backup is not on the way to the timeline asked for: it was taken after the "
        "fork, or a stray .history file lies in the archive",
        next_command="set recovery_target_timeline = 'current', or restore another backup",
    )


def _parameters(attempt: Attempt, fatal: RecoveryEvent) -> Explanation:
    setting, needed = fatal.text("setting"), fatal.fields.get("primary_value")
    if setting is None:
        return Explanation(
            cause="a setting is lower than on the primary where the WAL was made",
            next_command="raise max_connections, max_worker_processes, max_wal_senders, "
            "max_prepared_transactions, max_locks_per_transaction to the primary's values",
        )
    return Explanation(
        cause=f"{setting} = {fatal.fields.get('value')} is lower than on the primary ({needed})",
        next_command=f'echo "{setting} = {needed}" >> postgresql.auto.conf, then start the server',
    )


def _bad_config(attempt: Attempt, fatal: RecoveryEvent) -> Explanation:
    complaint = attempt.complaint
    if complaint is None:
        return Explanation(cause=f"{fatal.text('path')} does not parse")
    return Explanation(
        cause=f"{complaint.message}: the server refuses its configuration",
        next_command=f"correct {complaint.text('setting')} in {fatal.text('path')}",
    )


_Reason = Callable[[Attempt, RecoveryEvent], Explanation]
_BACKUP_UNUSABLE: Final = "restore another backup; check this one with  pitr-check --backup DIR"
_FAILURES: Final[dict[str, _Reason]] = {
    "target_not_reached": _target_not_reached,
    "stop_before_consistency": _before_consistency,
    "restore_signal": _restore_signal,
    "restore_wrong_size": _wrong_size,
    "timeline_missing": _timeline_missing,
    "timeline_not_child": _not_child,
    "timeline_lacks_minrecovery": _not_child,
    "timeline_unknown": _not_child,
    "params_abort": _parameters,
    "params_short": _parameters,
    "bad_config": _bad_config,
    "xact_status": _with_detail,
    "backup_end_missing": _fixed(
        "the WAL written while the backup was taken is not all there", _CHECK
    ),
    "consistency_missing": _fixed(
        "the WAL ends before the data files agree with each other", _CHECK
    ),
    "ckpt_record_missing": _fixed(
        "the WAL that the backup starts from cannot be had: recovery.signal is missing, "
        "restore_command is wrong, or the archive does not hold the first segment",
        _CHECK,
    ),
    "redo_missing": _fixed("the segment that holds the backup's redo start is missing", _CHECK),
    "ckpt_record_invalid_panic": _fixed(
        "backup_label is missing, so recovery looks for a checkpoint that is not there",
        "copy the whole backup again, backup_label included",
    ),
    "backup_label_invalid": _fixed(
        "backup_label does not parse: cut, with CRLF line ends, or of another timeline",
        "copy the backup again, unchanged",
    ),
    "backup_label_inconsistent": _fixed(
        "pg_control is not of the moment of the backup", _BACKUP_UNUSABLE
    ),
    "incremental_not_combined": _fixed(
        "this is an incremental backup, which cannot be started",
        "pg_combinebackup FULL INCREMENTAL -o DIR",
    ),
    "no_restore_command": _fixed(
        "recovery.signal is there and restore_command is not set",
        "echo \"restore_command = 'cp /archive/%f %p'\" >> postgresql.auto.conf",
    ),
    "multiple_targets": _fixed(
        "more than one recovery_target* is set",
        "leave one of recovery_target, _lsn, _name, _time, _xid in postgresql.auto.conf",
    ),
    "datadir_perms": _fixed(
        "the restored directory may be read by others", "chmod 0700 the data directory"
    ),
    "datadir_owner": _fixed(
        "the restored directory belongs to another account", "chown -R postgres the data directory"
    ),
    "wal_minimal": _fixed(
        "the primary ran with wal_level=minimal for a while: WAL is missing from that moment on",
        "choose an earlier target, or a backup taken after it",
    ),
    "invalid_pages": _fixed(
        "data files do not match the WAL: files are missing or of another moment",
        "copy the whole backup again, backup_label included",
    ),
    "files_incompatible": _fixed(
        "the backup is of another major version or build", "start it with the same major version"
    ),
}


# -- the other outcomes ---------------------------------------------------------------------------


def _explain_pause(attempt: Attempt) -> Explanation:
    if attempt.phase is Phase.PAUSED_AT_TARGET and "server_shut_down" in attempt.seen:
        return Explanation(
            cause="the server was stopped while it waited at its target: started again, it comes to"
            " the same stop",
            next_command="pg_ctl start",
        )
    if attempt.phase is Phase.PAUSED_AT_TARGET:
        return Explanation(
            cause="recovery waits at its target for a person to look. Resuming opens the server for"
            " writing, for good; to go further instead, set a later target and restart it",
            next_command=RESUME,
        )
    if "params_short" in attempt.seen:
        return Explanation(
            cause="recovery paused: a setting is lower than on the primary; resuming shuts down",
            next_command="raise the setting in postgresql.auto.conf and restart the server",
        )
    return Explanation(cause="recovery was paused before its target", next_command=RESUME)


def _explain_promotion(attempt: Attempt, reached: bool | None) -> Explanation:
    if reached is False and attempt.stop is not None:
        return Explanation(
            cause="the target is older than the backup: the server opened with a later state than "
            "the one asked for",
            next_command="restore a backup that ended before the target",
        )
    if attempt.target_type == "none" and attempt.wal_end is not None:
        return Explanation(
            cause=f"recovery took damaged or foreign WAL for the end: {attempt.wal_end.message}",
            next_command=_CHECK,
        )
    return Explanation()


def _explain_shutdown(attempt: Attempt, reached: bool | None) -> Explanation:
    if "shutdown_at_target" in attempt.seen:
        return Explanation(
            cause="the server shut down at its target (recovery_target_action=shutdown)",
            next_command="remove the recovery_target* settings or set recovery_target_action, and "
            "start the server",
        )
    return Explanation(
        cause="the server was told to stop before recovery ended", next_command="pg_ctl start"
    )


def _explain_none(attempt: Attempt) -> Explanation:
    if "backup_recovery_started" in attempt.seen:
        return Explanation(
            cause="a backup was started without recovery.signal: it opened with the WAL that it "
            "carried, on its old timeline, and restored nothing from the archive",
            next_command="copy the backup again, touch recovery.signal, set restore_command, start",
        )
    return Explanation()


def describe_target(attempt: Attempt) -> str:
    """The target as a person would say it."""
    value = attempt.target_value
    if isinstance(value, datetime):
        return f"time {value.isoformat(sep=' ')}"
    if attempt.target_type == "lsn" and isinstance(value, int):
        return f"LSN {format_lsn(value)}"
    if attempt.target_type in (None, "none"):
        return "none: the end of WAL"
    if attempt.target_type == "immediate":
        return "the end of the backup"
    return f'restore point "{value}"' if attempt.target_type == "name" else f"transaction {value}"
