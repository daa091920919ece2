"""archive_timeout is 0: what a quiet server has written may wait for the archive without limit.

Why it matters
    A segment is archived when it is full. On a server that writes little its last commits stay on
    its own disk for hours or days: how much a loss of that disk costs has no bound.
What to do
    Set archive_timeout to what may be lost, for instance 60s or 5min, and reload. Where something
    streams the WAL as well (pg_receivewal), nothing.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import SettingsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.INFO, hold_seconds=60)
def archive_timeout_unset(settings: SettingsFacts) -> Iterator[Found]:
    if settings.value("archive_mode") not in ("on", "always"):
        return
    value = settings.value("archive_timeout")
    if value == "0" or (value is None and settings.of_backup is not None):
        yield Found(
            tr("archive_timeout is 0: the last commits of a quiet server wait without limit"),
            archive_timeout=value,
            read_from=settings.read_from("archive_timeout") or "not set: the default",
        )
