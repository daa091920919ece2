"""The server does not archive its WAL.

Why it matters
    With archive_mode off nothing after the last base backup can be restored from the archive.
How to look
    SHOW archive_mode on the server, and SELECT * FROM pg_stat_replication for a pg_receivewal
    that may archive instead.
What to do
    Set archive_mode = on and archive_command (or archive_library), and restart the server. If an
    archiver outside the server streams the WAL (pg_receivewal), this is expected.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.facts import PositionFacts, SettingsFacts
from rules.findings import Severity


@check(severity=Severity.WARNING, hold_seconds=60)
def archiving_off(settings: SettingsFacts, positions: PositionFacts | None) -> Iterator[Found]:
    if settings.value("archive_mode") != "off":
        return
    if settings.of_backup is not None or (positions and not positions.in_recovery):
        yield Found(
            "archive_mode is off", archive_mode="off", read_from=settings.read_from("archive_mode")
        )
