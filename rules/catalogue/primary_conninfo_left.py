"""primary_conninfo is in the configuration of a backup.

Why it matters
    A restore with recovery.signal ignores it. With standby.signal the restored server would connect
    to that primary, follow it past the target, and take up a replication slot there.
What to do
    Take it out of the restored server's postgresql.auto.conf, unless a standby is wanted.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.facts import SettingsFacts
from rules.findings import Severity


@check(severity=Severity.INFO)
def primary_conninfo_left(settings: SettingsFacts) -> Iterator[Found]:
    if settings.of_backup is not None and settings.value("primary_conninfo"):
        yield Found(
            "primary_conninfo is set: a restore with standby.signal would follow that primary",
            read_from=settings.read_from("primary_conninfo"),
        )
