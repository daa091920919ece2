"""More than one recovery target is set.

Why it matters
    PostgreSQL takes one of recovery_target, _lsn, _name, _time and _xid at most, and refuses to
    start with more ("multiple recovery targets specified").
How to look
    grep recovery_target in postgresql.conf and postgresql.auto.conf: at most one of
    recovery_target, _lsn, _name, _time and _xid may be there.
What to do
    Keep the one that is meant and take the others out of the files that the finding names. An empty
    value ('') unsets one only where it stands before the other: after it, PostgreSQL refuses it.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import SettingsFacts
from rules.model.findings import Severity
from rules.model.goal import TARGETS
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL)
def recovery_targets_contradict(settings: SettingsFacts) -> Iterator[Found]:
    given = [name for name in TARGETS if settings.value(name)]
    refused = given if len(given) > 1 else _unset_too_late(settings)
    if len(given) > 1:
        said = tr(
            "{count} recovery targets are set: {targets}",
            count=len(given),
            targets=", ".join(given),
        )
    elif refused:
        said = tr(
            "{unset} = '' stands after {earlier}: PostgreSQL takes it for a second target",
            unset=refused[1],
            earlier=refused[0],
        )
    else:
        return
    yield Found(
        said,
        targets=", ".join(refused),
        read_from=", ".join(settings.read_from(name) for name in refused),
    )


def _unset_too_late(settings: SettingsFacts) -> list[str]:
    """A target and one that is unset after it, as files have them: assign_recovery_target_*."""
    if settings.of_backup is None:
        return []
    targets = [name for name in settings.settings if name in TARGETS]
    for place, name in enumerate(targets):
        if settings.value(name) and place + 1 < len(targets):
            return [name, targets[place + 1]]
    return []
