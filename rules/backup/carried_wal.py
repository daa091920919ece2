"""WAL that a base backup carries in its own pg_wal, judged like the archive's.

Recovery takes a segment from there only where the archive has none; faults in it go unnoticed
until then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from parsers.segment import segment_name
from rules.archive.damage import judge_scans
from rules.backup.completeness import segments_needed
from rules.model.evidence import CarriedDamage
from rules.model.restore_inputs import RestoreInputs
from rules.model.sequence import number_segments
from rules.model.timelines import TimelineTree


def find_carried_damage(
    restores: Iterable[RestoreInputs], tree: TimelineTree
) -> list[CarriedDamage]:
    """Read what backups carry of the WAL that they need. The newest segment may end early."""
    return [damage for restore in restores for damage in _damages(restore, tree)]


def _damages(restore: RestoreInputs, tree: TimelineTree) -> Iterator[CarriedDamage]:
    backup, wal = restore.backup, restore.wal
    newest = max(backup.wal, key=lambda name: name[8:], default="")
    needed = segments_needed(backup, wal.segment_size)
    wanted = backup.wal - {newest} if needed is None else _of(needed, backup.wal, wal.segment_size)
    read = {name: wal.carried(name) for name in sorted(wanted)}
    scans = {name: scan for name, scan in read.items() if scan is not None}
    identifier = backup.system_identifier
    for damage in judge_scans(scans, {newest}, tree, wal.segment_size, identifier):
        yield CarriedDamage(backup.url, damage, damage.segment in wal.names)


def _of(needed: Iterable[tuple[int, range]], names: Iterable[str], size: int) -> set[str]:
    """The names that lie in the ranges."""
    numbers = number_segments(names, size)
    return {
        segment_name(timeline, number, size)
        for timeline, wanted in needed
        for number in numbers.get(timeline, ())
        if number in wanted
    }
