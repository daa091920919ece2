"""Failures in a person's words: one line with what, where, and what to do or type next."""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg import errors

from agent.archive.directory import NotAnArchive
from agent.backups.describe import NotABackup
from agent.deadline import DeadlinePassed
from agent.errors import CannotCheck, UsageError
from agent.monitor.recovery_log import UnreadableLog
from parsers.sentences import message_of, tr

# What they say is a line for a person.
_TOLD: Final = (
    CannotCheck, DeadlinePassed, NotABackup, NotAnArchive, UnreadableLog, UsageError,
)  # fmt: skip


def explain(failure: BaseException) -> str:
    """Say in one line what a failed reading means."""
    if isinstance(failure, errors.InsufficientPrivilege):
        return tr(
            "{reason}: let the role read it (GRANT pg_monitor TO its name)",
            reason=_first_line(failure),
        )
    if isinstance(failure, errors.QueryCanceled):
        return tr("the server did not answer within the statement timeout: raise `timeout`")
    if isinstance(failure, psycopg.OperationalError):
        return tr("{reason}: try psql with the same dsn", reason=_cause(failure))
    if isinstance(failure, _TOLD):
        return message_of(failure)
    if isinstance(failure, OSError):
        if not failure.filename:
            return str(failure)
        return tr("{path}: {reason}", path=failure.filename, reason=failure.strerror)
    return f"{type(failure).__name__}: {_first_line(failure)}"


def _first_line(failure: BaseException) -> str:
    return next(iter(str(failure).strip().splitlines()), type(failure).__name__)


def _cause(failure: psycopg.Error) -> str:
    """libpq may report several addresses and a question over several lines: one line of them."""
    lines = [line.strip() for line in str(failure).splitlines() if line.strip()]
    return " ".join(dict.fromkeys(lines[:2])) if lines else type(failure).__name__
