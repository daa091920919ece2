"""recovery_min_apply_delay is in the configuration of a backup.

Why it matters
    A restored server waits before each commit until that commit is so old, with recovery.signal as
    well. A restore to a recent instant makes no progress for as long as the delay.
How to look
    grep recovery_min_apply_delay in postgresql.conf and postgresql.auto.conf, and in what they
    include.
What to do
    Set recovery_min_apply_delay = 0 for the restored server before it is started, as the settings
    that the verdict gives do.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import SettingsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING)
def recovery_min_apply_delay_left(settings: SettingsFacts) -> Iterator[Found]:
    delay = settings.value("recovery_min_apply_delay")
    if settings.of_backup is None or not delay or delay == "0":
        return
    seconds = float(delay) / 1000 if delay.isdecimal() else None
    said = f"{seconds:g} s" if seconds is not None else delay
    yield Found(
        tr(
            "recovery_min_apply_delay is {delay}: a restore of this backup waits "
            "until each commit is so old",
            delay=said,
        ),
        seconds=seconds,
        read_from=settings.read_from("recovery_min_apply_delay"),
    )
