"""The time zone in which a restored server would read a time that is written without one."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from agent.zones import find_zone
from parsers.sentences import tr
from rules.model.facts import BackupsFacts


def server_zone(found: BackupsFacts | None) -> tuple[ZoneInfo, str]:
    """The restored server's TimeZone, by the newest backup that tells it, and where that was read.

    UTC where none of them names a zone that this machine knows.
    """
    for backup in reversed(found.backups if found else ()):
        settings = backup.settings
        zone = find_zone((settings and settings.value("timezone")) or "")
        if settings and zone:
            return zone, tr("TimeZone of {place}", place=settings.read_from("timezone"))
    return ZoneInfo("UTC"), tr("no TimeZone found in the backup's configuration")
