"""What became of a restore cannot be said: its log does not tell, or does not prove it.

Why it matters
    A restore of which nobody can say whether it reached its target is not one to open for
    applications: it may hold less than was asked for.
How to look
    SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn(), pg_last_xact_replay_timestamp() on the
    restored server; pitr-watch --log LOG --once shows the lines that could be read.
What to do
    Give pitr-watch the server's own log from its start on (--log), and for a log that is not in
    English the directory of the server's message catalogues (--localedir, as pg_config --localedir
    says). Words that any session may have written decide nothing: let log_line_prefix have %b or
    %p, or read the server's csvlog or jsonlog. For a server newer than this program, ask the server
    itself, and update the program.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from parsers.wal.page import NEWEST_MAJOR
from rules.live.facts import LiveRestore
from rules.live.observation import Observation
from rules.live.outcomes import PAUSED, PROMOTED, SHUT_DOWN
from rules.live.reasons import describe_unfetched
from rules.model.findings import Severity
from rules.verdict.check import Found, check

_SHOWN = 100  # characters of a line


@check(severity=Severity.UNKNOWN)
def restore_unproven(restore: LiveRestore, look: Observation | None) -> Iterator[Found]:
    event = restore.log.unreadable
    if restore.log.summary.outcome is None:
        shown = f" ({event.message[:60]}…)" if event is not None else ""
        yield _found(
            tr(
                "the log is in a language that cannot be read here{shown}: the "
                "server's own message catalogue (postgres-NN.mo) was not found",
                shown=shown,
            ),
            tr(
                "pitr-watch --localedir $(pg_config --localedir)  with the pg_config of that server"
            ),
        )
    elif (doubted := restore.log.summary.doubted) is not None:
        yield _found(
            tr(
                "the log says '{message}', and any session may have written that: "
                "its format does not show which process did",
                message=doubted.message[:_SHOWN],
            ),
            "SELECT pg_is_in_recovery(), pg_is_wal_replay_paused();",
        )
    elif look is not None and look.in_recovery and restore.is_none:
        yield _found(
            tr(
                "the log does not tell of a recovery, SQL does: the log is cut, or another server's"
            ),
            tr("give pitr-watch the server's own log with --log, from its start on"),
        )
    elif restore.last is not None and restore.last.summary.unfetched is not None:
        why = describe_unfetched(restore.last.summary.unfetched)
        yield _found(
            tr(
                "the server opened where {why}: whether the WAL ended there cannot be said", why=why
            ),
            restore.places.check(restore.attempt),
        )
    elif restore.last is not None:
        summary, attempt = restore.last.summary, restore.last.attempt
        unsaid = summary.reached_target is None and attempt.target_type != "none"
        ended = summary.outcome in (PAUSED, PROMOTED, SHUT_DOWN) and summary.beyond is None
        if attempt.is_newer and ended and unsaid:
            yield _found(
                tr(
                    "the log is of PostgreSQL {major}, newer than {newest}, the "
                    "newest that this program knows: whether the target was reached "
                    "cannot be said",
                    major=attempt.major,
                    newest=NEWEST_MAJOR,
                ),
                "SELECT pg_last_xact_replay_timestamp(), pg_last_wal_replay_lsn();",
            )


def _found(cause: str, remedy: str) -> Found:
    return Found(cause, remedy=remedy, cause=cause)
