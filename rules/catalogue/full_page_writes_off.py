"""full_page_writes is off.

Why it matters
    After a crash pages that were written by half stay torn, and a backup that is taken on a standby
    of this server cannot be used: PostgreSQL refuses it at its end.
How to look
    SHOW full_page_writes, and SELECT source, sourcefile, sourceline FROM pg_settings WHERE name
    = 'full_page_writes'.
What to do
    Set full_page_writes = on and reload. Only a file system that never tears a page is a reason not
    to.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import SettingsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING, hold_seconds=60)
def full_page_writes_off(settings: SettingsFacts) -> Iterator[Found]:
    if settings.value("full_page_writes") == "off":
        yield Found(tr("full_page_writes is off"), read_from=settings.read_from("full_page_writes"))
