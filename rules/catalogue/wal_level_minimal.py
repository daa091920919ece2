"""wal_level is minimal.

Why it matters
    The WAL leaves out what bulk operations write: no base backup can be taken, nothing is archived,
    and recovery cannot pass WAL that was written so.
How to look
    SHOW wal_level, and SELECT source, sourcefile, sourceline FROM pg_settings WHERE name =
    'wal_level'.
What to do
    Set wal_level = replica (or logical), restart the server, and take a base backup.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import SettingsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING, hold_seconds=60)
def wal_level_minimal(settings: SettingsFacts) -> Iterator[Found]:
    if settings.value("wal_level") == "minimal":
        yield Found(tr("wal_level is minimal"), read_from=settings.read_from("wal_level"))
