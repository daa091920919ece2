"""recovery_target_timeline is not what it looks like.

Why it matters
    PostgreSQL reads it as strtoul does: 0x begins a hexadecimal number, a leading 0 an octal one,
    and up to 18 it ignores what follows the digits. A timeline pasted from a file name, 0000001A,
    means timeline 1; a word that is no number means timeline 0, which never exists. PostgreSQL 19
    refuses both and does not start.
How to look
    SELECT setting, sourcefile, sourceline FROM pg_settings WHERE name =
    'recovery_target_timeline'. Up to 18 the server reads it as C does: 0x1A is 26, 010 is 8,
    0000001A is 1.
What to do
    Write latest, current, or the timeline as a plain decimal number (26 for 0000001A).
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.backup.configuration import timeline_meant
from rules.model.facts import BackupsFacts, PositionFacts, SettingsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check

_LATEST_LENIENT = 18


@check(severity=Severity.WARNING, hold_seconds=60)
def recovery_target_timeline_odd(
    settings: SettingsFacts, positions: PositionFacts | None, backups: BackupsFacts | None
) -> Iterator[Found]:
    text = settings.value("recovery_target_timeline") or "latest"
    meant = timeline_meant(text, _major(settings, positions, backups) or _LATEST_LENIENT)
    if meant in ("latest", "current") or text == str(meant):
        return
    yield Found(
        tr("recovery_target_timeline = '{text}' means timeline {meant}", text=text, meant=meant)
        if meant is not None
        else tr("recovery_target_timeline = '{text}' is refused by the server", text=text),
        value=text,
        means=meant,
        read_from=settings.read_from("recovery_target_timeline"),
    )


def _major(
    settings: SettingsFacts, positions: PositionFacts | None, backups: BackupsFacts | None
) -> int | None:
    """The release that reads the setting: the server's, or that of the backup it stands in."""
    if settings.of_backup is None:
        return positions.major if positions else None
    found = backups.backups if backups else ()
    return next((each.major for each in found if each.url == settings.of_backup), None)
