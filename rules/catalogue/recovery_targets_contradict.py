"""More than one recovery target is set.

Why it matters
    PostgreSQL takes one of recovery_target, _lsn, _name, _time and _xid at most, and refuses to
    start with more ("multiple recovery targets specified").
How to look
    grep recovery_target in postgresql.conf and postgresql.auto.conf: at most one of
    recovery_target, _lsn, _name, _time and _xid may be there.
What to do
    Keep the one that is meant and take the others out of the files that the finding names; an empty
    value ('') unsets one.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.configuration import TARGETS
from rules.facts import SettingsFacts
from rules.findings import Severity


@check(severity=Severity.CRITICAL)
def recovery_targets_contradict(settings: SettingsFacts) -> Iterator[Found]:
    given = [name for name in TARGETS if settings.value(name)]
    if len(given) > 1:
        yield Found(
            f"{len(given)} recovery targets are set: {', '.join(given)}",
            targets=", ".join(given),
            read_from=", ".join(settings.read_from(name) for name in given),
        )
