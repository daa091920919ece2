"""A backup holds standby.signal.

Why it matters
    It goes before recovery.signal: a restore that finds both is a standby. Without a target it
    never opens, for it waits at the end of the WAL for more; to 18 recovery.signal is still there
    after a promotion, and the next start is another recovery.
What to do
    Remove standby.signal from the restored data directory before the server is started, unless a
    standby is wanted.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check

_SIGNAL = "standby.signal"


@check(severity=Severity.INFO)
def standby_signal_left(backups: BackupsFacts) -> Iterator[Found]:
    for backup in backups.backups:
        if _SIGNAL in backup.signal_files:
            yield Found(
                tr(
                    "{url} holds {signal}: a restore of it is a standby, which never "
                    "opens by itself at the end of the WAL",
                    url=backup.url,
                    signal=_SIGNAL,
                ),
                remedy=tr(
                    "Remove {signal} from the restored data directory before it is started.",
                    signal=_SIGNAL,
                ),
                backup=backup.url,
            )
