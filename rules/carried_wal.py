"""WAL that a base backup carries in its own pg_wal, judged like the archive's.

Recovery takes a segment from there only where the archive has none; until then nobody notices what
is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rules.backups import segments_needed
from rules.damage import judge_scans
from rules.evidence import CarriedDamage
from rules.restore import Restore
from rules.timelines import TimelineTree


def find_carried_damage(restores: Iterable[Restore], tree: TimelineTree) -> list[CarriedDamage]:
    """Read what backups carry of the WAL that they need. The newest segment may end early."""
    return [damage for restore in restores for damage in _damages(restore, tree)]


def _damages(restore: Restore, tree: TimelineTree) -> Iterator[CarriedDamage]:
    backup, wal = restore.backup, restore.wal
    newest = max(backup.wal, key=lambda name: name[8:], default="")
    needed = segments_needed(backup, wal.segment_size)
    wanted = backup.wal - {newest} if needed is None else backup.wal & set(needed)
    read = {name: wal.carried(name) for name in sorted(wanted)}
    scans = {name: scan for name, scan in read.items() if scan is not None}
    identifier = backup.system_identifier
    for damage in judge_scans(scans, {newest}, tree, wal.segment_size, identifier):
        yield CarriedDamage(backup.url, damage, damage.segment in wal.names)
