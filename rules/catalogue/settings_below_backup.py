"""The configuration in a backup gives less room than the server had that it was taken from.

Why it matters
    A hot standby must have at least what the primary had. Restored with these files alone the
    server refuses to start ("recovery aborted because of insufficient parameter settings"). The
    primary had the higher value from elsewhere: its command line, or a file outside the backup.
What to do
    Give the restored server the value that the finding names, or restore with hot_standby = off.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.facts import BackupsFacts, SettingsFacts
from rules.findings import Severity
from rules.restore import PARAMETERS


@check(severity=Severity.WARNING)
def settings_below_backup(settings: SettingsFacts, backups: BackupsFacts) -> Iterator[Found]:
    control = next((b.control for b in backups.backups if b.url == settings.of_backup), None)
    if control is None or settings.value("hot_standby") == "off":
        return
    for name in PARAMETERS:
        text, needed = settings.value(name) or "", getattr(control, name)
        if text.isdigit() and int(text) < needed:
            yield Found(
                f"{name} = {text} is lower than the {needed} that the backup's pg_control asks for",
                setting=name,
                value=int(text),
                needed=needed,
                read_from=settings.read_from(name),
                remedy=f"Set {name} = {needed} for the restored server, or hot_standby = off.",
            )
