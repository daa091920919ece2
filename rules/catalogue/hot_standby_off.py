"""hot_standby is off in the configuration of a backup.

Why it matters
    Nobody can connect to a restored server until recovery has ended, and at a target with
    recovery_target_action = 'pause' it shuts down instead.
What to do
    Set hot_standby = on for the restored server before it is started, as the settings that the
    verdict gives do.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import SettingsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.INFO)
def hot_standby_off(settings: SettingsFacts) -> Iterator[Found]:
    if settings.of_backup is not None and settings.value("hot_standby") == "off":
        yield Found(
            tr(
                "hot_standby is off: nobody can connect to a restore of this backup before recovery"
                " ends, and a pause at the target becomes a shutdown"
            ),
            read_from=settings.read_from("hot_standby"),
        )
