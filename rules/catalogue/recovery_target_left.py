"""A recovery target of an earlier restore is still in the configuration.

Why it matters
    The next restore that starts from these files stops there, or ends with "recovery ended before
    configured recovery target was reached"; together with a target of another kind PostgreSQL
    refuses to start.
How to look
    grep recovery_target in postgresql.conf and postgresql.auto.conf, and in what they include.
What to do
    ALTER SYSTEM RESET the settings that the finding names, on the server; in the restored copy take
    them out of the file before it is started.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import PositionFacts, SettingsFacts
from rules.model.findings import Severity
from rules.model.goal import TARGETS
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING, hold_seconds=60)
def recovery_target_left(
    settings: SettingsFacts, positions: PositionFacts | None
) -> Iterator[Found]:
    if settings.of_backup is None and (positions is None or positions.in_recovery):
        return
    given = [name for name in TARGETS if settings.value(name)]
    if len(given) == 1:
        (name,) = given
        yield Found(
            tr(
                "{name} = '{value}' is left from an earlier restore",
                name=name,
                value=settings.value(name),
            ),
            setting=name,
            value=settings.value(name),
            read_from=settings.read_from(name),
        )
