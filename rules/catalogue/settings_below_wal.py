"""The restored server's settings are lower than the WAL requires.

Why it matters
    A hot standby must have room for what the server had that wrote the WAL. With less, recovery
    pauses or ends ("recovery aborted because of insufficient parameter settings"), possibly in the
    middle of the night's restore.
What to do
    Raise the setting that the finding names to at least that value in the restored server's
    configuration, or restore with hot_standby = off.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.findings import Severity
from rules.outcome import Cause
from rules.target import TargetFacts


@check(severity=Severity.CRITICAL)
def settings_below_wal(target: TargetFacts) -> Iterator[Found]:
    if target.cause is Cause.SETTINGS_LOW:
        yield Found(target.reason, outcome=target.outcome, timeline=target.timeline)
