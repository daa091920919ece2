"""A backup was started without recovery.signal: nothing was restored from the archive.

Why it matters
    The server took backup_label for the sign of a crash: it replayed the WAL that the backup
    carried, opened on its old timeline, and will archive beside the server that it was copied from.
How to look
    pitr-watch --pgdata DIRECTORY --once, or the server's log: "starting backup recovery" and no
    "starting archive recovery" or "starting point-in-time recovery".
What to do
    Stop it before it archives. Copy the backup again, touch recovery.signal in it, set
    restore_command and, if you want one, a recovery_target_*; then start it.
"""

from collections.abc import Iterator

from parsers.log.messages.event import Event
from parsers.sentences import tr
from rules.live.facts import LiveRestore
from rules.live.observation import Observation
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING)
def restore_without_signal(restore: LiveRestore, look: Observation) -> Iterator[Found]:
    """Of whoever watches a restore: a server that crashed in a backup of its own says the same."""
    if restore.is_none and Event.BACKUP_RECOVERY_STARTED in restore.attempt.seen:
        cause = tr(
            "a backup was started without recovery.signal: it opened with the "
            "WAL that it carried, on its old timeline, and restored nothing from "
            "the archive"
        )
        remedy = tr("copy the backup again, touch recovery.signal, set restore_command, start")
        yield Found(cause, remedy=remedy, cause=cause)
