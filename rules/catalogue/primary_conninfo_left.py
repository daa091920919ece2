"""primary_conninfo or primary_slot_name is in the configuration of a backup.

Why it matters
    A restore with recovery.signal ignores them. With standby.signal the restored server would
    connect to that primary, follow it past the target, and take up the replication slot there.
What to do
    Set both to '' for the restored server, as the settings that the verdict gives do, unless a
    standby is wanted.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import SettingsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check

_EFFECTS = {
    "primary_conninfo": tr("would follow that primary"),
    "primary_slot_name": tr("would use that replication slot of its primary"),
}


@check(severity=Severity.INFO)
def primary_conninfo_left(settings: SettingsFacts) -> Iterator[Found]:
    for name, effect in _EFFECTS.items():
        if settings.of_backup is not None and settings.value(name):
            yield Found(
                tr(
                    "{name} is set: a restore with standby.signal {effect}",
                    name=name,
                    effect=effect,
                ),
                read_from=settings.read_from(name),
            )
