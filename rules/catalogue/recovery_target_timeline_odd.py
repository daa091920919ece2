"""recovery_target_timeline is not what it looks like.

Why it matters
    PostgreSQL reads it as strtoul does: 0x begins a hexadecimal number, a leading 0 an octal one,
    and up to 18 it ignores what follows the digits. A timeline pasted from a file name, 0000001A,
    means timeline 1; a word that is no number means timeline 0, which never exists.
How to look
    SELECT setting, sourcefile, sourceline FROM pg_settings WHERE name =
    'recovery_target_timeline'. Up to 18 the server reads it as C does: 0x1A is 26, 010 is 8,
    0000001A is 1.
What to do
    Write latest, current, or the timeline as a plain decimal number (26 for 0000001A).
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.configuration import timeline_meant
from rules.facts import SettingsFacts
from rules.findings import Severity


@check(severity=Severity.WARNING, hold_seconds=60)
def recovery_target_timeline_odd(settings: SettingsFacts) -> Iterator[Found]:
    text = settings.value("recovery_target_timeline") or "latest"
    meant = timeline_meant(text)
    if meant in ("latest", "current") or text == str(meant):
        return
    said = f"means timeline {meant}" if meant is not None else "is refused by the server"
    yield Found(
        f"recovery_target_timeline = '{text}' {said}",
        value=text,
        means=meant,
        read_from=settings.read_from("recovery_target_timeline"),
    )
