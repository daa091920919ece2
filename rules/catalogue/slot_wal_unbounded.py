"""A replication slot may keep back WAL without limit.

Why it matters
    With max_slot_wal_keep_size = -1 a slot without a consumer keeps all WAL in pg_wal until the
    disk is full, and a server without room for WAL stops.
What to do
    Set max_slot_wal_keep_size to what pg_wal can spare, and look at pg_replication_slots for slots
    that are not active.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import SettingsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.INFO, hold_seconds=60)
def slot_wal_unbounded(settings: SettingsFacts) -> Iterator[Found]:
    if settings.value("max_slot_wal_keep_size") == "-1":
        yield Found(
            tr("max_slot_wal_keep_size is -1: a forgotten replication slot fills the disk"),
            read_from=settings.read_from("max_slot_wal_keep_size"),
        )
