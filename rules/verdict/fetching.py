"""Restores as fetch-wal serves them: it stops the server at what it does not hand over.

A tool's own restore_command ends below 126 there, which the server takes for the end of the WAL.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from parsers.sentences import tr
from parsers.wal.damage import Damage, DamageKind
from parsers.wal.scan import SegmentScan
from rules.case.case import Case
from rules.case.derived.segments import scans_of
from rules.case.observations import SegmentsRead
from rules.model.facts import ScanFacts
from rules.model.restore_inputs import RestoreInputs
from rules.repository.tool_view import handing_over


def served_by_fetch_wal(restore: RestoreInputs, case: Case) -> RestoreInputs:
    """The restore of a repository's backup where WAL comes by fetch-wal."""
    if restore.backup.stored is None:
        return restore
    return handing_over(restore, dict(_refused(case)))


def _refused(case: Case) -> Iterator[tuple[str, SegmentScan]]:
    """Segments that it has no sound file of; without a size, which ends recovery."""
    scan, read, scans = case.get(ScanFacts), case.get(SegmentsRead), scans_of(case)
    for each in scan.damaged if scan else ():
        if each.is_undecodable and each.segment in scans:
            yield each.segment, replace(scans[each.segment], size_bytes=None)
    for changed in read.changed.values() if read else ():
        if (
            changed.by_name
            and changed.segment in scans
            and read
            and changed.segment not in read.copies
        ):
            found = scans[changed.segment]
            detail = tr("its content has another SHA-1 than its name")
            damage = Damage(kind=DamageKind.BAD_CRC, lsn=found.start_lsn, detail=detail)
            yield changed.segment, replace(found, size_bytes=None, damage=damage)
